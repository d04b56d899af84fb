//===- Strategy.h - Decides how a kernel is computed ------------*- C++ -*-===//
//
// Pass `codegen-strategy`: reads the target's facts and the kernel's shapes and
// writes the attribute `codegen.strategy` on its linalg ops.
//
//   contraction        #codegen.contraction<mr = 6, nr = 16, ...> Contraction.h
//   everything else    #codegen.nest<kind = map, lane = 1, ...>     Nest.h
//
// A strategy that is already on an op stays; one that was given to the kernel
// (GivenStrategies.h) comes before the default.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_STRATEGY_H
#define CORNU_CODEGEN_STRATEGY_STRATEGY_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"
#include <memory>

namespace cornu::codegen {

/// On func.func: kernels on memrefs.
std::unique_ptr<mlir::Pass> createStrategyPass();
/// On the module, after it: constant weights in panels (WeightLayout.cpp).
std::unique_ptr<mlir::Pass> createLayOutWeightsPass();
/// On the module, after it: constant kernels of convolutions by minimal
/// filtering, transformed (TransformWeights.cpp).
std::unique_ptr<mlir::Pass> createTransformWeightsPass();
/// On the module, after that: weights packed once for the steps of a loop
/// (PackBeforeLoops.cpp).
std::unique_ptr<mlir::Pass> createPackBeforeLoopsPass();

/// What the first pass does, for a kernel that a later one has made. Fails
/// where what the kernel was given does not suit.
mlir::LogicalResult decideStrategies(mlir::func::FuncOp kernel);

void registerStrategyPasses();

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_STRATEGY_H
