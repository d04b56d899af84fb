//===- MemoryReport.cpp - The blocks of a model in words ------------------===//
//
//   state             30,528 bytes   6 variables
//     trainable       28,736
//     optimizer        1,792
//   scratch                fixed   per sample   buffers   lower bound
//     predict                  0          576         2   0 + 576 per sample
//     train_step          28,736        1,216         9   ...
//
//===----------------------------------------------------------------------===//

#include "passes/buffer/Buffer.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace cornu::buffer {

namespace {
struct Totals {
  int64_t state = 0, gradients = 0, variables = 0;
  /// Bytes of the variables of a kind, alignment included.
  llvm::MapVector<StringRef, int64_t> kinds;
};
} // namespace

static int64_t number(DictionaryAttr dictionary, StringRef key) {
  auto value = dictionary.getAs<IntegerAttr>(key);
  return value ? value.getInt() : 0;
}

static Totals totalsOf(ModuleOp module) {
  Totals totals;
  DictionaryAttr attributes = module->getAttrDictionary();
  totals.state = number(attributes, kStateBytesAttr);
  totals.gradients = number(attributes, kGradientBytesAttr);
  auto table = module->getAttrOfType<ArrayAttr>(kStateAttr);
  if (!table)
    return totals;
  totals.variables = table.size();
  for (auto [i, attr] : llvm::enumerate(table)) {
    auto row = cast<DictionaryAttr>(attr);
    int64_t begin = number(row, "offset"), end = totals.state;
    if (i + 1 < table.size())
      end = number(cast<DictionaryAttr>(table[i + 1]), "offset");
    totals.kinds[row.getAs<StringAttr>("kind").getValue()] += end - begin;
  }
  return totals;
}

static std::string withCommas(int64_t value) {
  std::string digits = std::to_string(value);
  for (int64_t i = static_cast<int64_t>(digits.size()) - 3; i > 0; i -= 3)
    digits.insert(i, ",");
  return digits;
}

static std::string asText(const Totals &totals, DictionaryAttr memory) {
  std::string text;
  llvm::raw_string_ostream out(text);
  out << llvm::formatv("{0,-16}{1,14} bytes   {2} variables\n", "state",
                       withCommas(totals.state), totals.variables);
  for (auto [kind, bytes] : totals.kinds)
    out << llvm::formatv("  {0,-14}{1,14}\n", kind, withCommas(bytes));
  out << llvm::formatv("{0,-16}{1,14} bytes\n", "gradients",
                       withCommas(totals.gradients));
  out << llvm::formatv("{0,-16}{1,14}{2,14}{3,10}   {4}\n", "scratch", "fixed",
                       "per sample", "buffers", "lower bound");
  for (NamedAttribute entry : memory) {
    auto plan = cast<DictionaryAttr>(entry.getValue());
    out << llvm::formatv(
        "  {0,-14}{1,14}{2,14}{3,10}   {4} + {5} per sample\n",
        entry.getName().getValue(), withCommas(number(plan, "fixed")),
        withCommas(number(plan, "per_sample")), number(plan, "buffers"),
        withCommas(number(plan, "fixed_bound")),
        withCommas(number(plan, "per_sample_bound")));
  }
  return text;
}

static std::string asJson(const Totals &totals, DictionaryAttr memory) {
  llvm::json::Object kinds, entries;
  for (auto [kind, bytes] : totals.kinds)
    kinds[kind] = bytes;
  for (NamedAttribute entry : memory) {
    llvm::json::Object plan;
    for (NamedAttribute value : cast<DictionaryAttr>(entry.getValue()))
      plan[value.getName().getValue()] =
          cast<IntegerAttr>(value.getValue()).getInt();
    entries[entry.getName().getValue()] = std::move(plan);
  }
  llvm::json::Object report{{"state_bytes", totals.state},
                            {"gradient_bytes", totals.gradients},
                            {"variables", totals.variables},
                            {"state", std::move(kinds)},
                            {"scratch", std::move(entries)}};
  return llvm::formatv("{0}\n", llvm::json::Value(std::move(report)));
}

std::string memoryReport(ModuleOp module, bool json) {
  Totals totals = totalsOf(module);
  auto memory = module->getAttrOfType<DictionaryAttr>(kMemoryAttr);
  if (!memory)
    memory = DictionaryAttr::get(module.getContext());
  return json ? asJson(totals, memory) : asText(totals, memory);
}

} // namespace cornu::buffer
