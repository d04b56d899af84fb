//===- MemoryReport.cpp - The blocks of a model in words ------------------===//

#include "tools/cornu/MemoryReport.h"
#include "passes/buffer/Buffer.h"
#include "tools/cornu/Text.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using cornu::codegen::ModelDescriptor;

namespace cornu::tools {

namespace {

class MemoryReport {
public:
  MemoryReport(ModuleOp module, const ModelDescriptor &model);
  std::string asText() const;
  std::string asJson() const;

private:
  uint64_t totalBytes(const ScratchBlock &block, int64_t batch) const {
    return model.stateBytes +
           codegen::scratchBytes(block.bytes, batch, /*workers=*/1);
  }
  /// No one evaluates on a machine that neither predicts nor trains.
  static bool hasTotal(const ScratchBlock &block) {
    return block.entry != "evaluate_step";
  }

  const ModelDescriptor &model;
  std::vector<ScratchBlock> blocks;
  DictionaryAttr plans;
  /// For which the totals are given: the only one, or one and Keras's default.
  std::vector<int64_t> batches{1, 32};
  /// Bytes of the variables of a kind, alignment included.
  llvm::MapVector<StringRef, int64_t> kinds;
};

int64_t number(DictionaryAttr dictionary, StringRef key) {
  auto value = dictionary.getAs<IntegerAttr>(key);
  return value ? value.getInt() : 0;
}

} // namespace

MemoryReport::MemoryReport(ModuleOp module, const ModelDescriptor &model)
    : model(model), blocks(scratchBlocks(model)),
      plans(module->getAttrOfType<DictionaryAttr>(buffer::kMemoryAttr)) {
  if (!plans) // of a module written by hand
    plans = DictionaryAttr::get(module.getContext());
  if (model.fixedBatch)
    batches = {model.fixedBatch};
  auto table = module->getAttrOfType<ArrayAttr>(buffer::kStateAttr);
  for (size_t i = 0; table && i < table.size(); ++i) {
    auto row = cast<DictionaryAttr>(table[i]);
    int64_t end = model.stateBytes;
    if (i + 1 < table.size())
      end = number(cast<DictionaryAttr>(table[i + 1]), "offset");
    kinds[row.getAs<StringAttr>("kind").getValue()] +=
        end - number(row, "offset");
  }
}

std::string MemoryReport::asText() const {
  std::string text;
  llvm::raw_string_ostream out(text);
  auto line = [&](const Twine &name, auto... cells) {
    out << llvm::left_justify(name.str(), 22);
    for (const std::string &cell : {std::string(cells)...})
      out << llvm::right_justify(cell, 14);
  };
  line("state", grouped(model.stateBytes));
  out << " bytes   " << model.variables.size() << " variables\n";
  for (auto [kind, bytes] : kinds) {
    line("  " + kind, grouped(bytes));
    out << "\n";
  }
  if (!model.targets.empty()) {
    line("gradients", grouped(model.gradientBytes));
    out << " bytes\n";
  }
  line("scratch", "fixed", "per sample", "at most", "per worker");
  out << "\n";
  for (const ScratchBlock &block : blocks) {
    const cornu_scratch &bytes = block.bytes;
    line("  " + block.entry, grouped(bytes.fixed), grouped(bytes.per_sample),
         bytes.most_samples ? grouped(bytes.most_samples) : std::string("-"),
         grouped(bytes.per_worker));
    out << "\n";
  }
  out << llvm::left_justify("with one worker", 22);
  for (int64_t batch : batches)
    out << llvm::right_justify(
        grouped(batch) + (batch == 1 ? " sample" : " samples"), 14);
  out << "\n";
  for (const ScratchBlock &block : blocks) {
    if (!hasTotal(block))
      continue;
    out << llvm::left_justify(("  state + " + block.entry).str(), 22);
    for (int64_t batch : batches)
      out << llvm::right_justify(grouped(totalBytes(block, batch)), 14);
    out << " bytes\n";
  }
  line("plan", "fixed", "per sample", "buffers");
  out << "   lower bound\n";
  for (NamedAttribute entry : plans) {
    auto plan = cast<DictionaryAttr>(entry.getValue());
    line("  " + entry.getName().getValue(), grouped(number(plan, "fixed")),
         grouped(number(plan, "per_sample")), grouped(number(plan, "buffers")));
    out << "   " << grouped(number(plan, "fixed_bound")) << " + "
        << grouped(number(plan, "per_sample_bound")) << " per sample\n";
  }
  return text;
}

std::string MemoryReport::asJson() const {
  llvm::json::Object kindBytes, scratch, totals, entries;
  for (auto [kind, bytes] : kinds)
    kindBytes[kind] = bytes;
  for (const ScratchBlock &block : blocks) {
    scratch[block.entry] =
        llvm::json::Object{{"fixed", block.bytes.fixed},
                           {"per_sample", block.bytes.per_sample},
                           {"per_worker", block.bytes.per_worker},
                           {"most_samples", block.bytes.most_samples}};
    if (!hasTotal(block))
      continue;
    llvm::json::Object total;
    for (int64_t batch : batches)
      total[std::to_string(batch)] = totalBytes(block, batch);
    totals[block.entry] = std::move(total);
  }
  for (NamedAttribute entry : plans) {
    llvm::json::Object plan;
    for (NamedAttribute value : cast<DictionaryAttr>(entry.getValue()))
      plan[value.getName().getValue()] =
          cast<IntegerAttr>(value.getValue()).getInt();
    entries[entry.getName().getValue()] = std::move(plan);
  }
  llvm::json::Object report{{"state_bytes", model.stateBytes},
                            {"gradient_bytes", model.gradientBytes},
                            {"variables", int64_t(model.variables.size())},
                            {"state", std::move(kindBytes)},
                            {"scratch", std::move(scratch)},
                            {"total_with_one_worker", std::move(totals)},
                            {"plan", std::move(entries)}};
  return llvm::formatv("{0}\n", llvm::json::Value(std::move(report)));
}

std::vector<ScratchBlock> scratchBlocks(const ModelDescriptor &model) {
  std::vector<ScratchBlock> blocks = {{"predict", model.predictScratch}};
  if (model.targets.empty())
    return blocks;
  blocks.push_back({"evaluate_step",
                    ModelDescriptor::withUnitWeights(model.evaluateScratch)});
  blocks.push_back(
      {"train_step", ModelDescriptor::withUnitWeights(model.trainScratch)});
  return blocks;
}

FailureOr<std::string> memoryReport(ModuleOp module, bool json) {
  auto model = ModelDescriptor::read(module);
  if (failed(model))
    return failure();
  MemoryReport report(module, *model);
  return json ? report.asJson() : report.asText();
}

} // namespace cornu::tools
