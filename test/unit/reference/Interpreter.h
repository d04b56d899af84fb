//===- Interpreter.h - nn IR evaluated with plain loops ----------*- C++
//-*-===//
//
// The naive reference: every op of the nn dialect as its documentation says,
// on arrays of double. Gradient checks and tests of lowering compare with it.
//
//   Interpreter interpreter(module);
//   interpreter.variables["w"] = Array({2, 2}, {1, 2, 3, 4});
//   std::vector<Array> results = interpreter.call("forward", {x});
//
// Integers and booleans are doubles too. An op it does not know is an
// llvm::report_fatal_error.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_TEST_UNIT_REFERENCE_INTERPRETER_H
#define CORNU_TEST_UNIT_REFERENCE_INTERPRETER_H

#include "dialect/nn/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include <map>
#include <string>
#include <vector>

namespace cornu::reference {

using Sizes = std::vector<int64_t>;

/// A dense row-major array.
struct Array {
  Array() = default;
  explicit Array(Sizes shape, double value = 0);
  Array(Sizes shape, std::vector<double> data)
      : shape(std::move(shape)), data(std::move(data)) {}

  int64_t rank() const { return shape.size(); }
  int64_t size() const { return data.size(); }
  /// The position of the element at `index`.
  int64_t offset(const Sizes &index) const;
  double &at(const Sizes &index) { return data[offset(index)]; }
  double at(const Sizes &index) const { return data[offset(index)]; }
  /// The element at the index of a larger shape with which this broadcasts.
  double atBroadcast(const Sizes &index) const;

  Sizes shape;
  std::vector<double> data;
};

/// Advances a row-major index; false after the last.
bool increment(Sizes &index, const Sizes &shape);

int64_t product(const Sizes &shape);

class Interpreter {
public:
  explicit Interpreter(mlir::ModuleOp module) : module(module) {}

  /// Calls a function; variables are read and assigned.
  std::vector<Array> call(llvm::StringRef function,
                          std::vector<Array> arguments);

  std::map<std::string, Array> variables;
  /// Which region of nn.if_training runs.
  bool isTraining = false;

private:
  using Values = llvm::DenseMap<mlir::Value, Array>;

  /// Runs a block; returns the operands of its terminator.
  std::vector<Array> run(mlir::Block &block, Values &values);
  void evaluate(mlir::Operation &op, Values &values);
  std::vector<Array> scan(cornu::nn::ScanOp op, Values &values);

  mlir::ModuleOp module;
};

/// One op without regions or side effects on its operands' arrays.
Array evaluatePure(mlir::Operation &op, const std::vector<Array> &operands);

} // namespace cornu::reference

#endif // CORNU_TEST_UNIT_REFERENCE_INTERPRETER_H
