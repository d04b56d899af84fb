//===- EvaluateModel.cpp - What an imported model computes ----------------===//
//
// Imports a model and evaluates its nn IR with the reference interpreter, so
// that the importer can be compared with Keras without the rest of the
// compiler:
//
//   evaluate_model MODEL [WEIGHTS] < data
//   evaluate_model --print MODEL [WEIGHTS]        prints the module
//   evaluate_model --tables                       what is supported
//
// The data are numbers: batches, inputs, targets, 1 if there are sample
// weights; then for each batch the arrays, each as its rank, sizes, elements.
// Prints the outputs of each batch in the same form, then `metric NAME VALUE`.
//
//===----------------------------------------------------------------------===//

#include "frontend/import/Import.h"
#include "test/unit/reference/Interpreter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdio>
#include <cstring>
#include <iostream>

using namespace cornu;
using namespace cornu::frontend;
using cornu::reference::Array;

static Array readArray() {
  Array array;
  int64_t rank = 0;
  std::cin >> rank;
  array.shape.resize(rank);
  for (int64_t &size : array.shape)
    std::cin >> size;
  array.data.resize(reference::product(array.shape));
  std::string text;
  for (double &value : array.data) {
    std::cin >> text;
    value = strtod(text.c_str(), nullptr);
  }
  return array;
}

static void printArray(const Array &array) {
  printf("%d", static_cast<int>(array.rank()));
  for (int64_t size : array.shape)
    printf(" %lld", static_cast<long long>(size));
  for (double value : array.data)
    printf(" %.9g", value);
  printf("\n");
}

static Array valueOf(nn::VariableOp variable) {
  auto type = llvm::cast<mlir::RankedTensorType>(variable.getType());
  Array array(reference::Sizes(type.getShape().begin(), type.getShape().end()));
  std::optional<mlir::ElementsAttr> value = variable.getValue();
  if (!value)
    return array;
  if (auto dense = llvm::dyn_cast<mlir::DenseElementsAttr>(*value)) {
    size_t i = 0;
    if (llvm::isa<mlir::FloatType>(type.getElementType()))
      for (llvm::APFloat number : dense.getValues<llvm::APFloat>())
        array.data[i++] = number.convertToDouble();
    else
      for (llvm::APInt number : dense.getValues<llvm::APInt>())
        array.data[i++] = static_cast<double>(number.getSExtValue());
    return array;
  }
  auto resource = llvm::cast<mlir::DenseResourceElementsAttr>(*value);
  llvm::ArrayRef<char> bytes = resource.getRawHandle().getBlob()->getData();
  for (int64_t i = 0; i < array.size(); ++i) {
    float number;
    std::memcpy(&number, bytes.data() + i * sizeof(float), sizeof(float));
    array.data[i] = number;
  }
  return array;
}

static void evaluate(mlir::ModuleOp module) {
  reference::Interpreter interpreter(module);
  module.walk([&](nn::VariableOp variable) {
    interpreter.variables[variable.getSymName().str()] = valueOf(variable);
  });
  auto forward = module.lookupSymbol<mlir::func::FuncOp>("forward");
  auto results = module.lookupSymbol<mlir::func::FuncOp>("metric_results");
  unsigned visible = 0;
  for (unsigned i = 0; i < forward.getNumResults(); ++i)
    visible += !forward.getResultAttr(i, "nn.hidden");
  int batches = 0, inputs = 0, targets = 0, weights = 0;
  std::cin >> batches >> inputs >> targets >> weights;
  for (int batch = 0; batch < batches; ++batch) {
    std::vector<Array> x, t;
    for (int i = 0; i < inputs; ++i)
      x.push_back(readArray());
    for (int i = 0; i < targets; ++i)
      t.push_back(readArray());
    Array weight({x[0].shape[0]}, 1);
    if (weights)
      weight = readArray();
    std::vector<Array> y = interpreter.call("forward", x);
    std::vector<Array> hidden(y.begin() + visible, y.end());
    y.resize(visible);
    for (const Array &output : y)
      printArray(output);
    if (!targets || !results)
      continue;
    std::vector<Array> arguments = y;
    arguments.insert(arguments.end(), t.begin(), t.end());
    arguments.insert(arguments.end(), visible, weight);
    arguments.insert(arguments.end(), hidden.begin(), hidden.end());
    Array loss = interpreter.call("loss", arguments)[0];
    arguments.insert(arguments.begin(), loss);
    interpreter.call("metrics", arguments);
  }
  if (!targets || !results)
    return;
  std::vector<Array> values = interpreter.call("metric_results", {});
  for (unsigned i = 0; i < values.size(); ++i)
    printf("metric %s %.9g\n",
           results.getResultAttrOfType<mlir::StringAttr>(i, "nn.name")
               .getValue()
               .str()
               .c_str(),
           values[i].data[0]);
}

int main(int argc, char **argv) {
  int at = 1;
  bool print = argc > at && std::string(argv[at]) == "--print";
  if (argc > at && std::string(argv[at]) == "--tables") {
    llvm::outs() << supportedTables();
    return 0;
  }
  at += print;
  if (at >= argc) {
    llvm::errs() << "usage: evaluate_model [--print] MODEL [WEIGHTS] < data\n";
    return 2;
  }
  mlir::MLIRContext context;
  Diagnostics diagnostics;
  auto archive = ModelArchive::read(argv[at], at + 1 < argc ? argv[at + 1] : "",
                                    diagnostics);
  std::optional<ImportedModel> model;
  if (archive)
    model = importModel(context, *archive, {}, diagnostics);
  diagnostics.print(llvm::errs());
  if (!model)
    return 1;
  if (print) {
    model->module->print(llvm::outs());
    return 0;
  }
  evaluate(*model->module);
  return 0;
}
