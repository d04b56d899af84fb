//===- Summary.cpp - cornu summary ----------------------------------------===//
//
// The table of Keras's model.summary(), then what it does not say: the work of
// a prediction and the memory of predicting and training.
//
//===----------------------------------------------------------------------===//

#include "codegen/emit/KernelCalls.h"
#include "codegen/emit/ModelDescriptor.h"
#include "passes/buffer/Buffer.h"
#include "tools/cornu/Commands.h"
#include "tools/cornu/MemoryReport.h"
#include "tools/cornu/Model.h"
#include "tools/cornu/Stages.h"
#include "tools/cornu/Text.h"

using namespace mlir;

namespace cornu::tools {

namespace {

/// The operations of predicting one sample.
double workOfPrediction(ModuleOp module) {
  double flops = 0;
  for (codegen::KernelCall &call : codegen::kernelCalls(module))
    if (call.entry.getName() == "predict" && call.work)
      flops += call.work->flops.at(1) * double(call.work->calls);
  return flops;
}

void printRow(llvm::ArrayRef<std::string> cells,
              llvm::ArrayRef<size_t> widths) {
  for (size_t i = 0; i < cells.size(); ++i) {
    std::string padding(widths[i] - widthOf(cells[i]), ' ');
    bool right = i == 2;
    llvm::outs() << "│ " << (right ? padding : "") << cells[i]
                 << (right ? "" : padding) << " ";
  }
  llvm::outs() << "│\n";
}

void printRule(llvm::ArrayRef<size_t> widths, llvm::StringRef left,
               llvm::StringRef middle, llvm::StringRef right) {
  for (size_t i = 0; i < widths.size(); ++i) {
    llvm::outs() << (i ? middle : left);
    for (size_t j = 0; j < widths[i] + 2; ++j)
      llvm::outs() << "─";
  }
  llvm::outs() << right << "\n";
}

void printTable(const frontend::ImportedModel &model) {
  // The fourth column only where the graph is not a chain.
  bool chain = true;
  for (size_t i = 1; i < model.layers.size(); ++i) {
    const auto &inputs = model.layers[i].inputs;
    chain &= inputs.empty() ||
             (inputs.size() == 1 && inputs[0] == model.layers[i - 1].name);
  }
  std::vector<std::vector<std::string>> rows = {
      {"Layer (type)", "Output Shape", "Param #"}};
  if (!chain)
    rows[0].push_back("Connected to");
  for (const frontend::LayerRow &layer : model.layers) {
    rows.push_back({layer.name + " (" + layer.className + ")", shapeText(layer),
                    grouped(layer.parameters)});
    if (!chain)
      rows.back().push_back(
          layer.inputs.empty() ? "-" : llvm::join(layer.inputs, ", "));
  }
  std::vector<size_t> widths(rows[0].size(), 0);
  for (const auto &row : rows)
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], widthOf(row[i]));
  llvm::outs() << "Model: \"" << model.name << "\"\n";
  printRule(widths, "┌", "┬", "┐");
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i)
      printRule(widths, "├", "┼", "┤");
    printRow(rows[i], widths);
  }
  printRule(widths, "└", "┴", "┘");
}

/// From the table of the state, which holds the optimizer's slots as well.
void printParameters(ModuleOp module) {
  struct Count {
    int64_t elements = 0, bytes = 0;
  };
  llvm::StringMap<Count> counts;
  auto model = module->getAttrOfType<DictionaryAttr>(buffer::kModelAttr);
  for (auto row :
       model.getAs<ArrayAttr>("variables").getAsRange<DictionaryAttr>()) {
    auto type = cast<RankedTensorType>(row.getAs<TypeAttr>("type").getValue());
    StringRef kind = row.getAs<StringAttr>("kind").getValue();
    int64_t elements = type.getNumElements();
    auto add = [&](StringRef to) {
      counts[to].elements += elements;
      counts[to].bytes += elements * ((type.getElementTypeBitWidth() + 7) / 8);
    };
    add(kind);
    // Keras's total has no sums of metrics and no seeds.
    if (kind != "metric" && kind != "random")
      add("total");
  }
  auto line = [&](llvm::StringRef name, llvm::StringRef kind) {
    Count count = counts[kind];
    llvm::outs() << " " << name << ": " << grouped(count.elements) << " ("
                 << bytesText(count.bytes) << ")\n";
  };
  line("Total params", "total");
  line("Trainable params", "trainable");
  line("Non-trainable params", "non_trainable");
  if (counts.contains("optimizer"))
    line("Optimizer params", "optimizer");
}

/// The state and the scratch blocks, in the C header's numbers.
LogicalResult printMemory(ModuleOp module) {
  auto model = codegen::ModelDescriptor::read(module);
  if (failed(model))
    return failure();
  llvm::outs() << " State: " << grouped(model->stateBytes) << " bytes\n";
  for (const ScratchBlock &block : scratchBlocks(*model)) {
    if (block.entry == "evaluate_step")
      continue;
    const cornu_scratch &bytes = block.bytes;
    llvm::outs() << " Memory to "
                 << (block.entry == "predict" ? "predict" : "train") << ": "
                 << grouped(bytes.fixed) << " bytes + "
                 << grouped(bytes.per_sample) << " per sample";
    // The rest of a larger batch follows in the same memory.
    if (bytes.most_samples)
      llvm::outs() << ", at most " << grouped(bytes.most_samples)
                   << " at a time";
    llvm::outs() << " + " << grouped(bytes.per_worker) << " per worker; "
                 << bytesText(codegen::scratchBytes(bytes, 1, 1))
                 << " for 1 sample, "
                 << bytesText(codegen::scratchBytes(bytes, 32, 1))
                 << " for 32\n";
  }
  return success();
}

int summary(const Arguments &arguments) {
  std::optional<std::string> source = modelPath(arguments);
  if (!source)
    return 1;
  auto context = makeContext();
  DiagnosticPrinter printer(*context, *source);
  auto model = loadModel(*context, arguments, {});
  if (!model)
    return 1;
  ModuleOp module = *model->module;
  printTable(*model);
  llvm::outs().flush();
  std::string error;
  auto target = codegen::Target::create({}, error);
  StageOptions options;
  if (target)
    options.target = *target;
  // The schedule of the kernels decides what a worker needs.
  if (failed(runStages(module, Stage::Kernels, options)))
    return 1;
  printParameters(module);
  llvm::outs() << " Work of a prediction: "
               << decimal(workOfPrediction(module), "FLOP") << "\n";
  return failed(printMemory(module)) ? 1 : 0;
}

constexpr Option options[] = {
    {"--weights", "FILE", "Weights of a .json model"},
};

} // namespace

const Command summaryCommand = {
    "summary",
    "MODEL",
    "Shows the layers as Keras's model.summary() does, the work and the "
    "memory.",
    "  cornu summary model.keras",
    options,
    summary};

} // namespace cornu::tools
