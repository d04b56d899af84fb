//===- Report.cpp - Kernels of a model in words ---------------------------===//

#include "tools/cornu/Report.h"
#include "codegen/emit/KernelCalls.h"
#include "codegen/strategy/Decisions.h"
#include "codegen/target/Target.h"
#include "passes/buffer/Buffer.h"
#include "tools/cornu/Text.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

using namespace mlir;

namespace cornu::tools {

namespace {

/// All calls of a kernel in one entry.
struct Row {
  std::string name;
  int64_t calls = 0;
  /// Of all calls; nothing if that of one is not known.
  std::optional<buffer::Work> work = buffer::Work{};
};

/// By kernel; null for copies.
using Rows = llvm::MapVector<func::FuncOp, Row>;

class Report {
public:
  explicit Report(ModuleOp module);
  std::string asText();
  std::string asJson();

private:
  /// A lower bound on the cycles of a row at the report's batch.
  double cyclesOf(const Row &row) const;
  double totalCycles(const Rows &rows) const {
    double sum = 0;
    for (auto &[kernel, row] : rows)
      sum += cyclesOf(row);
    return sum;
  }

  codegen::Target target;
  int64_t batch = 32; // Keras's default
  llvm::MapVector<StringRef, Rows> entries;
};

} // namespace

Report::Report(ModuleOp module) : target(codegen::Target::of(module)) {
  if (auto model = module->getAttrOfType<DictionaryAttr>(buffer::kModelAttr))
    if (auto fixed = model.getAs<IntegerAttr>("fixed_batch");
        fixed && fixed.getInt() > 0)
      batch = fixed.getInt();
  for (StringRef name : {"predict", "evaluate_step", "train_step"})
    if (module.lookupSymbol(name))
      entries[name];
  for (codegen::KernelCall &call : codegen::kernelCalls(module)) {
    auto entry = entries.find(call.entry.getName());
    if (entry == entries.end())
      continue;
    Row &row = entry->second[call.kernel];
    row.name = call.name().str();
    row.calls += call.work ? call.work->calls : 1;
    if (!call.work || !row.work) {
      row.work = std::nullopt;
      continue;
    }
    row.work->flops += call.work->flops * call.work->calls;
    row.work->bytes += call.work->bytes * call.work->calls;
  }
}

double Report::cyclesOf(const Row &row) const {
  // What a core's prefetchers bring from the shared cache or memory while one
  // core asks: some 10 lines of 64 bytes in flight, 80 cycles each.
  constexpr double kBytesPerCycle = 8;
  if (!row.work)
    return 0;
  return std::max(row.work->flops.at(batch) / double(target.flopsPerCycle()),
                  row.work->bytes.at(batch) / kBytesPerCycle);
}

/// At most three, and how many more.
static std::string shortened(const std::vector<std::string> &layers) {
  constexpr size_t kMost = 3;
  std::string text = llvm::join(
      llvm::ArrayRef(layers).take_front(std::min(layers.size(), kMost)), ", ");
  if (layers.size() > kMost)
    text += llvm::formatv(" and {0} more", layers.size() - kMost);
  return text;
}

std::string Report::asText() {
  std::string text;
  llvm::raw_string_ostream out(text);
  for (auto &[entry, rows] : entries) {
    out << llvm::formatv("{0}: {1} kernels; share for a batch of {2}\n", entry,
                         rows.size(), batch);
    size_t widest = 0;
    std::vector<std::string> strategies;
    for (auto &[kernel, row] : rows) {
      strategies.push_back(codegen::strategyText(kernel));
      widest = std::max(widest, std::min<size_t>(strategies.back().size(), 48));
    }
    auto line = [&](auto... cells) {
      const char *format = "  {0,-12}{1,6}{2,10}{3,12}{4,10}{5,12}{6,8}  ";
      out << llvm::formatv(format, cells...);
    };
    line("kernel", "calls", "FLOP", "+ a sample", "bytes", "+ a sample",
         "share");
    out << llvm::left_justify("strategy", widest) << "  layers\n";
    double all = totalCycles(rows);
    for (auto [at, strategy] : llvm::zip_equal(rows, strategies)) {
      auto &[kernel, row] = at;
      auto amount = [&, &row = row](buffer::Amount buffer::Work::*member,
                                    int64_t buffer::Amount::*part) {
        return row.work ? decimal(double((*row.work).*member.*part), "")
                        : std::string("?");
      };
      using buffer::Amount, buffer::Work;
      line(row.name, row.calls, amount(&Work::flops, &Amount::fixed),
           amount(&Work::flops, &Amount::perSample),
           amount(&Work::bytes, &Amount::fixed),
           amount(&Work::bytes, &Amount::perSample),
           row.work && all > 0
               ? llvm::formatv("{0:f1}%", 100 * cyclesOf(row) / all).str()
               : std::string("?"));
      out << llvm::left_justify(strategy, widest) << "  "
          << shortened(codegen::layersOf(kernel)) << "\n";
    }
  }
  return text;
}

std::string Report::asJson() {
  llvm::json::Object all;
  for (auto &[entry, rows] : entries) {
    double cycles = totalCycles(rows);
    llvm::json::Array list;
    for (auto &[kernel, row] : rows) {
      llvm::json::Object object{
          {"kernel", row.name},
          {"calls", row.calls},
          {"strategy", codegen::strategyText(kernel)},
          {"layers", llvm::json::Array(codegen::layersOf(kernel))}};
      if (row.work) {
        object["flops"] = row.work->flops.fixed;
        object["flops_per_sample"] = row.work->flops.perSample;
        object["bytes"] = row.work->bytes.fixed;
        object["bytes_per_sample"] = row.work->bytes.perSample;
        object["share"] = cycles > 0 ? cyclesOf(row) / cycles : 0;
      }
      list.push_back(std::move(object));
    }
    all[entry] = std::move(list);
  }
  llvm::json::Object report{{"batch", batch}, {"entries", std::move(all)}};
  return llvm::formatv("{0}\n", llvm::json::Value(std::move(report)));
}

std::string kernelReport(ModuleOp module, bool json) {
  Report report(module);
  return json ? report.asJson() : report.asText();
}

} // namespace cornu::tools
