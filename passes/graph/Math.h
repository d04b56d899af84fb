//===- Math.h - Writing formulas as nn IR -----------------------*- C++ -*-===//
//
// Derivative rules and optimizer steps are formulas. `Math` writes them at one
// position and location, so that they read as such:
//
//   // d tanh: g * (1 - y^2)
//   m.multiply(g, m.subtract(m.number(y, 1.0), m.square(y)));
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_GRAPH_MATH_H
#define CORNU_PASSES_GRAPH_MATH_H

#include "dialect/nn/NN.h"
#include "dialect/nn/ShapeRules.h"

#include "mlir/IR/Builders.h"

namespace cornu::graph {

class Math {
public:
  Math(mlir::OpBuilder &builder, mlir::Location loc)
      : builder(builder), loc(loc) {}

  mlir::OpBuilder &builder;
  mlir::Location loc;

  template <typename Op, typename... Arguments>
  mlir::Value make(Arguments &&...arguments) const {
    return Op::create(builder, loc, std::forward<Arguments>(arguments)...);
  }

  /// A scalar constant of the element type of `like`.
  mlir::Value number(mlir::Value like, double value) const {
    return nn::scalar(builder, loc, nn::elementType(like), value);
  }

  mlir::Value negate(mlir::Value x) const { return make<nn::NegateOp>(x); }
  mlir::Value sqrt(mlir::Value x) const { return make<nn::SqrtOp>(x); }
  mlir::Value exp(mlir::Value x) const { return make<nn::ExpOp>(x); }
  mlir::Value log(mlir::Value x) const { return make<nn::LogOp>(x); }
  mlir::Value floor(mlir::Value x) const { return make<nn::FloorOp>(x); }
  mlir::Value square(mlir::Value x) const { return multiply(x, x); }
  mlir::Value add(mlir::Value a, mlir::Value b) const {
    return make<nn::AddOp>(a, b);
  }
  mlir::Value subtract(mlir::Value a, mlir::Value b) const {
    return make<nn::SubtractOp>(a, b);
  }
  mlir::Value multiply(mlir::Value a, mlir::Value b) const {
    return make<nn::MultiplyOp>(a, b);
  }
  mlir::Value divide(mlir::Value a, mlir::Value b) const {
    return make<nn::DivideOp>(a, b);
  }
  mlir::Value maximum(mlir::Value a, mlir::Value b) const {
    return make<nn::MaximumOp>(a, b);
  }
  mlir::Value minimum(mlir::Value a, mlir::Value b) const {
    return make<nn::MinimumOp>(a, b);
  }
  mlir::Value power(mlir::Value a, mlir::Value b) const {
    return make<nn::PowerOp>(a, b);
  }
  mlir::Value add(mlir::Value a, double b) const {
    return add(a, number(a, b));
  }
  mlir::Value subtract(mlir::Value a, double b) const {
    return subtract(a, number(a, b));
  }
  mlir::Value multiply(mlir::Value a, double b) const {
    return multiply(a, number(a, b));
  }
  mlir::Value compare(nn::Predicate predicate, mlir::Value a,
                      mlir::Value b) const {
    return make<nn::CompareOp>(predicate, a, b);
  }
  mlir::Value compare(nn::Predicate predicate, mlir::Value a, double b) const {
    return compare(predicate, a, number(a, b));
  }
  mlir::Value select(mlir::Value condition, mlir::Value onTrue,
                     mlir::Value onFalse) const {
    return make<nn::SelectOp>(condition, onTrue, onFalse);
  }
  mlir::Value sum(mlir::Value x, llvm::ArrayRef<int64_t> axes,
                  bool keepAxes = false) const {
    return make<nn::ReduceOp>(nn::ReductionKind::sum, x, axes, keepAxes);
  }
  /// `x` in the given shape, unless it has that shape already.
  mlir::Value reshape(mlir::Value x, mlir::Type type) const {
    return x.getType() == type ? x : make<nn::ReshapeOp>(type, x);
  }
  mlir::Value convert(mlir::Value x, mlir::Type elementType) const {
    auto type = nn::tensorType(x).clone(elementType);
    return x.getType() == type ? x : make<nn::ConvertOp>(type, x);
  }
  /// The sum over every axis, a scalar.
  mlir::Value sumAll(mlir::Value x) const {
    int64_t rank = nn::tensorType(x).getRank();
    auto axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
    return rank == 0 ? x : sum(x, axes);
  }
  /// A tensor of one number with the shape and element type of `like`.
  mlir::Value fillLike(mlir::Value like, double value) const {
    auto type = nn::tensorType(like);
    mlir::Value scalar = number(like, value);
    if (type.getRank() == 0)
      return scalar;
    return make<nn::BroadcastOp>(type, scalar,
                                 type.hasStaticShape() ? mlir::Value() : like);
  }
};

} // namespace cornu::graph

#endif // CORNU_PASSES_GRAPH_MATH_H
