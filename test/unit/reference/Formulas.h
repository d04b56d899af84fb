//===- Formulas.h - The formulas of the nn ops, by family -------*- C++ -*-===//
//
// Each takes the arrays of an op's operands and gives that of its result.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_TEST_UNIT_REFERENCE_FORMULAS_H
#define CORNU_TEST_UNIT_REFERENCE_FORMULAS_H

#include "test/unit/reference/Interpreter.h"

#include "dialect/nn/ShapeRules.h"

#include <cmath>
#include <functional>
#include <limits>

namespace cornu::reference {

using Operands = const std::vector<Array> &;

/// The shape of `op`'s result, its dynamic dimension being `batch`.
Sizes resultShape(mlir::Operation &op, int64_t batch);
mlir::Type resultElement(mlir::Operation &op);

/// Each element from those of up to three operands, which are broadcast.
Array map(Operands x, const std::function<double(const double *)> &formula);
/// Each element from its index.
Array generate(Sizes shape, const std::function<double(const Sizes &)> &f);
/// The larger and the smaller of two numbers, or NaN if one is.
double maximum(double a, double b);
double minimum(double a, double b);

// Elementwise.cpp
Array elementwise(mlir::Operation &op, Operands x);

// Shape.cpp
Array constant(nn::ConstantOp op);
Array reshape(nn::ReshapeOp op, const Array &x);
Array transpose(nn::TransposeOp op, const Array &x);
Array broadcast(nn::BroadcastOp op, Operands x);
Array concatenate(nn::ConcatenateOp op, Operands x);
Array slice(nn::SliceOp op, const Array &x);
Array pad(nn::PadOp op, const Array &x);
Array reverse(nn::ReverseOp op, const Array &x);

// Reduction.cpp
Array reduceAxes(const Array &x, llvm::ArrayRef<int64_t> axes, bool keep,
                 nn::ReductionKind kind);
Array argmax(nn::ArgmaxOp op, const Array &x);
Array softmax(const Array &x, int64_t axis, bool logarithm);

// Contraction.cpp
Array contract(nn::ContractOp op, Operands x);

// Window.cpp
Array convolution(mlir::Operation &op, Operands operands);
Array sumPool(nn::SumPoolOp op, const Array &x);
Array sumPoolGradient(nn::SumPoolGradientOp op, const Array &y);
Array maxPool(mlir::Operation &op, Operands operands);

// Indexing.cpp
Array gather(const Array &table, const Array &indices);
Array scatterAdd(nn::ScatterAddOp op, const Array &indices,
                 const Array &updates);
Array randomUniform(nn::RandomUniformOp op, Operands x);

} // namespace cornu::reference

#endif // CORNU_TEST_UNIT_REFERENCE_FORMULAS_H
