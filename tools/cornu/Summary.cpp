//===- Summary.cpp - cornu summary ----------------------------------------===//
//
// The table of Keras's model.summary(), then what it does not say: the work of
// a prediction and the memory of predicting and training.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/buffer/Buffer.h"
#include "tools/cornu/Commands.h"
#include "tools/cornu/Model.h"
#include "tools/cornu/Stages.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace cornu::tools {

namespace {

/// Letters of the terminal column by column; UTF-8 counts by characters.
size_t widthOf(llvm::StringRef text) {
  return llvm::count_if(text, [](char c) { return (c & 0xc0) != 0x80; });
}

/// "1,234"
std::string grouped(int64_t value) {
  std::string text = std::to_string(value);
  for (int at = int(text.size()) - 3; at > (text[0] == '-'); at -= 3)
    text.insert(at, ",");
  return text;
}

std::string readable(double value, llvm::StringRef unit, double base,
                     llvm::ArrayRef<llvm::StringLiteral> prefixes) {
  size_t prefix = 0;
  while (value >= base && prefix + 1 < prefixes.size()) {
    value /= base;
    ++prefix;
  }
  return llvm::formatv(prefix ? "{0:f2} {1}{2}" : "{0:f0} {1}{2}", value,
                       prefixes[prefix], unit);
}

std::string bytesText(double value) {
  return readable(value, "B", 1024, {"", "Ki", "Mi", "Gi", "Ti"});
}

std::string flopsText(double value) {
  return readable(value, "FLOP", 1000, {"", "k", "M", "G", "T"});
}

double elements(Value value) {
  double count = 1;
  if (auto type = dyn_cast<ShapedType>(value.getType()))
    for (int64_t size : type.getShape())
      count *= ShapedType::isDynamic(size) ? 1 : double(size);
  return count;
}

/// Multiplications and additions of an op for a batch of one: two for each
/// point of a contraction's or convolution's loops, one per element of what
/// computes elements, none for what only moves them.
double flopsOf(Operation *op) {
  if (auto contract = dyn_cast<nn::ContractOp>(op)) {
    // The loops are the letters of the equation.
    llvm::StringMap<double> sizes;
    auto [inputs, output] = contract.getEquation().split("->");
    llvm::SmallVector<llvm::StringRef> terms;
    inputs.split(terms, ',');
    for (auto [term, operand] : llvm::zip(terms, op->getOperands())) {
      auto type = cast<ShapedType>(operand.getType());
      for (auto [letter, size] : llvm::zip(term, type.getShape()))
        sizes[llvm::StringRef(&letter, 1)] =
            ShapedType::isDynamic(size) ? 1 : double(size);
    }
    double points = 2;
    for (auto &entry : sizes)
      points *= entry.second;
    return points;
  }
  if (isa<nn::ConvolutionOp, nn::ConvolutionInputGradientOp>(op)) {
    // The kernel: taps..., input channels of a group, output channels. The
    // transposed convolution has its output as an operand.
    auto kernel = cast<ShapedType>(op->getOperand(1).getType());
    double taps = elements(op->getOperand(1)) / kernel.getShape().back();
    Value output =
        isa<nn::ConvolutionOp>(op) ? op->getResult(0) : op->getOperand(0);
    return 2 * taps * elements(output);
  }
  if (nn::isElementwise(op))
    return elements(op->getResult(0));
  return 0;
}

double flopsOf(func::FuncOp function) {
  double sum = 0;
  function.getBody().walk([&](Operation *op) {
    double once = flopsOf(op);
    // A scan repeats its body.
    for (Operation *parent = op->getParentOp(); parent != function;
         parent = parent->getParentOp())
      if (auto scan = dyn_cast<nn::ScanOp>(parent))
        once *= scan.getSteps();
    sum += once;
  });
  return sum;
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

/// The scratch block of an entry, and the state.
void printMemory(ModuleOp module) {
  auto model = module->getAttrOfType<DictionaryAttr>(buffer::kModelAttr);
  auto number = [](DictionaryAttr d, llvm::StringRef key) -> double {
    auto attr = d ? d.getAs<IntegerAttr>(key) : IntegerAttr();
    return attr ? double(attr.getInt()) : 0;
  };
  llvm::outs() << " State: " << bytesText(number(model, "state_bytes")) << "\n";
  auto line = [&](llvm::StringRef name, llvm::StringRef key) {
    auto scratch = model.getAs<DictionaryAttr>(key);
    llvm::outs() << " Memory to " << name << ": "
                 << bytesText(number(scratch, "fixed")) << " + "
                 << bytesText(number(scratch, "per_sample")) << " per sample\n";
  };
  line("predict", "predict_scratch");
  if (module.lookupSymbol("train_step"))
    line("train", "train_scratch");
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
  auto forward = module.lookupSymbol<func::FuncOp>("forward");
  double work = forward ? flopsOf(forward) : 0;
  std::string error;
  auto target = codegen::Target::create({}, error);
  StageOptions options;
  if (target)
    options.target = *target;
  if (failed(runStages(module, Stage::Buffers, options)))
    return 1;
  printParameters(module);
  llvm::outs() << " Work of a prediction: " << flopsText(work) << "\n";
  printMemory(module);
  return 0;
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
