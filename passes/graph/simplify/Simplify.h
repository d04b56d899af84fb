//===- Simplify.h - Algebra on nn IR ------------------------------*- C++
//-*-===//
//
// Rewrites that leave the values as they are and the work less. They run
// before differentiation, so that derivatives are those of the simple form,
// and after it. One file per idea:
//
//   crossEntropy.cpp  softmax / sum(softmax) = softmax;
//                     log(clip(softmax(x), a, b))
//                       = clip(log_softmax(x), log a, log b)
//   movement.cpp      transposes into contractions, broadcasts into
//                     elementwise ops, pads into convolutions
//   labels.cpp        dimensions that stand together in a contraction are one
//   scan.cpp          work of all steps at once out of nn.scan, dead outputs
//   centered.cpp      no derivative of a variance for its mean
//   foldWeights.cpp   a pass: arithmetic on constant weights at compile time
//   batch.cpp         the batch's size from the function's first argument
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_GRAPH_SIMPLIFY_SIMPLIFY_H
#define CORNU_PASSES_GRAPH_SIMPLIFY_SIMPLIFY_H

#include "dialect/nn/NN.h"
#include "dialect/nn/ShapeRules.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"

#include <optional>

namespace cornu::graph {

/// Applies all of it to a function until nothing changes.
void simplify(mlir::func::FuncOp function);

void addCrossEntropyPatterns(mlir::RewritePatternSet &patterns);
void addLabelPatterns(mlir::RewritePatternSet &patterns);
void addMovementPatterns(mlir::RewritePatternSet &patterns);
void addScanPatterns(mlir::RewritePatternSet &patterns);

/// Before differentiation: drops the derivatives of variances for their means,
/// which are zero.
void stopGradientsOfMeans(mlir::func::FuncOp function);

/// Lets ops that need only the size of the batch take it from the first
/// argument with the batch, instead of some intermediate value. Expects that
/// all arguments with a dynamic dimension have the same batch.
void anchorBatchSize(mlir::func::FuncOp function);

/// The number that all elements of a constant equal.
std::optional<double> splatNumber(mlir::Value value);

} // namespace cornu::graph

#endif // CORNU_PASSES_GRAPH_SIMPLIFY_SIMPLIFY_H
