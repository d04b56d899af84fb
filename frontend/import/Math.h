//===- Math.h - Building nn ops without crashing ----------------*- C++ -*-===//
//
// Layers, losses and metrics are written as formulas over Math:
//
//   Value z = m.divide(m.subtract(x, mean), m.sqrt(m.add(variance, 1e-3)));
//
// Element types are promoted as Keras does (bool < integer < float), shapes are
// checked before an op is built, and a failure is reported once: it yields a
// null value, which every function passes on.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_FRONTEND_IMPORT_MATH_H
#define CORNU_FRONTEND_IMPORT_MATH_H

#include "dialect/nn/NN.h"
#include "dialect/nn/ShapeRules.h"
#include "mlir/IR/Builders.h"
#include <functional>
#include <string>

namespace cornu::frontend {

using Shape = nn::Shape;

class Math {
public:
  /// Receives the message of a failed check.
  using Report = std::function<void(const std::string &message)>;

  Math(mlir::OpBuilder &builder, mlir::Location location, Report report)
      : builder(builder), location(location), report(std::move(report)) {}

  mlir::OpBuilder &getBuilder() { return builder; }
  mlir::Location getLoc() const { return location; }
  void fail(const llvm::Twine &message) { report(message.str()); }

  /// Reports a tensor that no machine holds.
  bool fitsMachine(mlir::Value value) { return fits(shape(value)); }

  // Types ------------------------------------------------------------------
  mlir::Type f32() { return builder.getF32Type(); }
  mlir::Type i32() { return builder.getI32Type(); }
  mlir::Type i1() { return builder.getI1Type(); }
  static Shape shape(mlir::Value value);
  static int64_t rank(mlir::Value value) {
    return static_cast<int64_t>(shape(value).size());
  }
  static int64_t size(mlir::Value value, int64_t axis);
  static bool isFloat(mlir::Value value);
  /// A negative axis counts from the end. -1 with a report if out of range.
  int64_t axis(mlir::Value value, int64_t axis);

  // Constants ----------------------------------------------------------------
  /// A tensor of rank 0.
  mlir::Value scalar(double value, mlir::Type type = {});
  /// A dense constant of float type (or `type`).
  mlir::Value constant(llvm::ArrayRef<double> values,
                       llvm::ArrayRef<int64_t> shape, mlir::Type type = {});
  mlir::Value iota(int64_t size, mlir::Type type);

  // Elementwise
  // ----------------------------------------------------------------
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value subtract(mlir::Value a, mlir::Value b);
  mlir::Value multiply(mlir::Value a, mlir::Value b);
  mlir::Value divide(mlir::Value a, mlir::Value b);
  mlir::Value maximum(mlir::Value a, mlir::Value b);
  mlir::Value minimum(mlir::Value a, mlir::Value b);
  mlir::Value power(mlir::Value a, mlir::Value b);
  mlir::Value remainder(mlir::Value a, mlir::Value b);
  mlir::Value add(mlir::Value a, double b) { return add(a, like(a, b)); }
  mlir::Value subtract(mlir::Value a, double b) {
    return subtract(a, like(a, b));
  }
  mlir::Value subtract(double a, mlir::Value b) {
    return subtract(like(b, a), b);
  }
  mlir::Value multiply(mlir::Value a, double b) {
    return multiply(a, like(a, b));
  }
  mlir::Value divide(mlir::Value a, double b) { return divide(a, like(a, b)); }
  mlir::Value divide(double a, mlir::Value b) { return divide(like(b, a), b); }
  mlir::Value maximum(mlir::Value a, double b) {
    return maximum(a, like(a, b));
  }
  mlir::Value minimum(mlir::Value a, double b) {
    return minimum(a, like(a, b));
  }
  mlir::Value clip(mlir::Value a, double low, double high) {
    return minimum(maximum(a, low), high);
  }
  mlir::Value logicalAnd(mlir::Value a, mlir::Value b);
  mlir::Value logicalOr(mlir::Value a, mlir::Value b);
  mlir::Value logicalXor(mlir::Value a, mlir::Value b);
  mlir::Value logicalNot(mlir::Value a);
  mlir::Value compare(nn::Predicate predicate, mlir::Value a, mlir::Value b);
  mlir::Value compare(nn::Predicate predicate, mlir::Value a, double b) {
    return compare(predicate, a, like(a, b));
  }
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  mlir::Value select(mlir::Value condition, mlir::Value a, double b) {
    return select(condition, a, like(a, b));
  }
  mlir::Value convert(mlir::Value value, mlir::Type type);
  /// To floating point, if it is not yet.
  mlir::Value toFloat(mlir::Value value);

  mlir::Value negate(mlir::Value x);
  mlir::Value absolute(mlir::Value x);
  mlir::Value sign(mlir::Value x);
  mlir::Value exp(mlir::Value x);
  mlir::Value expm1(mlir::Value x);
  mlir::Value log(mlir::Value x);
  mlir::Value log1p(mlir::Value x);
  mlir::Value sqrt(mlir::Value x);
  mlir::Value rsqrt(mlir::Value x);
  mlir::Value sin(mlir::Value x);
  mlir::Value cos(mlir::Value x);
  mlir::Value tanh(mlir::Value x);
  mlir::Value sigmoid(mlir::Value x);
  mlir::Value erf(mlir::Value x);
  mlir::Value softplus(mlir::Value x);
  mlir::Value floor(mlir::Value x);
  mlir::Value relu(mlir::Value x);
  mlir::Value stopGradient(mlir::Value x);
  mlir::Value square(mlir::Value x) { return multiply(x, x); }

  // Reductions ---------------------------------------------------------------
  mlir::Value reduce(nn::ReductionKind kind, mlir::Value x,
                     llvm::ArrayRef<int64_t> axes, bool keepAxes = false);
  mlir::Value sum(mlir::Value x, llvm::ArrayRef<int64_t> axes,
                  bool keep = false) {
    return reduce(nn::ReductionKind::sum, x, axes, keep);
  }
  mlir::Value mean(mlir::Value x, llvm::ArrayRef<int64_t> axes,
                   bool keep = false) {
    return reduce(nn::ReductionKind::mean, x, axes, keep);
  }
  mlir::Value max(mlir::Value x, llvm::ArrayRef<int64_t> axes,
                  bool keep = false) {
    return reduce(nn::ReductionKind::max, x, axes, keep);
  }
  /// Over all axes, to rank 0.
  mlir::Value sumAll(mlir::Value x);
  mlir::Value argmax(mlir::Value x, int64_t axis);
  mlir::Value softmax(mlir::Value x, int64_t axis);
  mlir::Value logSoftmax(mlir::Value x, int64_t axis);
  /// x * min(rsqrt(sum x^2), limit), along the axes.
  mlir::Value l2Normalize(mlir::Value x, llvm::ArrayRef<int64_t> axes,
                          double limit = 1e6);

  // Shapes
  // ---------------------------------------------------------------------
  mlir::Value reshape(mlir::Value x, llvm::ArrayRef<int64_t> shape);
  mlir::Value transpose(mlir::Value x, llvm::ArrayRef<int64_t> permutation);
  /// Swaps the two axes.
  mlir::Value swap(mlir::Value x, int64_t a, int64_t b);
  /// A new axis of size 1 at this position of the result.
  mlir::Value expandDims(mlir::Value x, int64_t axis);
  mlir::Value squeeze(mlir::Value x, int64_t axis);
  mlir::Value broadcast(mlir::Value x, llvm::ArrayRef<int64_t> shape,
                        mlir::Value like = {});
  mlir::Value concatenate(llvm::ArrayRef<mlir::Value> xs, int64_t axis);
  mlir::Value slice(mlir::Value x, int64_t axis, int64_t start, int64_t limit,
                    int64_t stride = 1);
  /// Pads each axis by low[i], high[i] with a constant.
  mlir::Value pad(mlir::Value x, llvm::ArrayRef<int64_t> low,
                  llvm::ArrayRef<int64_t> high, double value = 0);
  mlir::Value reverse(mlir::Value x, int64_t axis);
  /// Repeats each element along axis `first` and those after it counts[i]
  /// times: [a, b] -> [a, a, b, b].
  mlir::Value repeat(mlir::Value x, int64_t first,
                     llvm::ArrayRef<int64_t> counts);
  /// Channels in front, (N, C, spatial...), to the back and the reverse.
  mlir::Value toChannelsLast(mlir::Value x);
  mlir::Value toChannelsFirst(mlir::Value x);

  // Products
  // -------------------------------------------------------------------
  mlir::Value contract(llvm::StringRef equation, mlir::Value a, mlir::Value b);
  mlir::Value gather(mlir::Value table, mlir::Value indices);
  /// Class indices (...) as rows (..., classes); out of range gives zeros.
  mlir::Value oneHot(mlir::Value indices, int64_t classes, mlir::Type type);
  /// The size of the batch as a float scalar.
  mlir::Value batchSize(mlir::Value like, mlir::Type type = {});

  /// One thing in training, another in inference.
  mlir::Value ifTraining(llvm::function_ref<mlir::Value()> training,
                         llvm::function_ref<mlir::Value()> inference);

  llvm::SmallVector<mlir::Value>
  ifTraining(llvm::function_ref<llvm::SmallVector<mlir::Value>()> training,
             llvm::function_ref<llvm::SmallVector<mlir::Value>()> inference);

private:
  /// Reports tensors that no machine holds.
  bool fits(llvm::ArrayRef<int64_t> shape);
  mlir::Value like(mlir::Value other, double value);
  void unifyTypes(mlir::Value &a, mlir::Value &b);
  bool unify(mlir::Value &a, mlir::Value &b);
  template <typename Op> mlir::Value unary(mlir::Value x);
  template <typename Op> mlir::Value binary(mlir::Value a, mlir::Value b);
  template <typename Op> mlir::Value logical(mlir::Value a, mlir::Value b);

  mlir::OpBuilder &builder;
  mlir::Location location;
  Report report;
};

} // namespace cornu::frontend

#endif // CORNU_FRONTEND_IMPORT_MATH_H
