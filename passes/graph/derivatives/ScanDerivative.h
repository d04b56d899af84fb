//===- ScanDerivative.h - Derivative of nn.scan -----------------*- C++ -*-===//
//
// The derivative of a recurrence is a recurrence that runs backward:
//
//   forward   (s', o) = f(s, x, w)                 for t = 0, 1, ...
//   backward  (ds, dx, dw) = vjp f(s, x, w)(ds', do)   for t = ..., 1, 0
//
// where ds is the state, do a sequence, dx an output. What the backward body
// reads of the forward step comes in as sequences: the state, and those
// intermediate values that are expensive to compute (contractions, exp, ...).
// The forward scan is replaced by one that stacks these values as outputs;
// cheap values are computed again.
//
// dw is a sum over the steps. Where each step's part is a contraction or a sum
// over the batch, the backward scan stacks the factors, and one contraction
// over batch and time after the scan does the work of all steps at once:
//
//   sum_t contract "bi,bu->iu" %x_t, %dz_t  =  contract "bti,btu->iu" %x, %dz
//
// Anything else is accumulated in a state.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_PASSES_GRAPH_DERIVATIVES_SCANDERIVATIVE_H
#define CORNU_PASSES_GRAPH_DERIVATIVES_SCANDERIVATIVE_H

#include "passes/graph/Derivatives.h"

#include "llvm/ADT/SetVector.h"

#include <functional>

namespace cornu::graph {

/// Builds the two scans for one forward scan.
///
/// The work happens on `scratch`, a copy of the forward scan whose body is f
/// followed by its vector-Jacobian product. The body's arguments are those of
/// f, then the seeds: one for each float state and each output with a
/// gradient. The two new scans are cut out of this body.
class ScanDerivative {
public:
  ScanDerivative(nn::ScanOp forward, const Rule &rule)
      : forward(forward), rule(rule) {}

  /// The gradients of the forward scan's operands; empty on failure.
  Gradients build();

private:
  /// Builds something after the backward scan.
  using Later = std::function<mlir::Value()>;

  mlir::LogicalResult differentiateBody();
  Later sumOverSteps(mlir::Value value);
  Later sumOfContraction(nn::ContractOp op);
  Later stacked(mlir::Value value);
  mlir::Value repeated(mlir::Value value);
  void findLive(llvm::ArrayRef<mlir::Value> roots);
  void require(mlir::Value value);
  bool isAvailable(mlir::Value value);
  void recompute(mlir::Value value);
  void buildForward();
  void buildBackward();

  unsigned numState() { return forward.getState().size(); }
  unsigned numArguments() { return forward->getNumOperands(); }
  /// The operand of the forward scan behind an argument of f; -1 for others.
  int64_t argumentIndex(mlir::Value value) {
    auto argument = mlir::dyn_cast<mlir::BlockArgument>(value);
    return argument && argument.getArgNumber() < numArguments()
               ? static_cast<int64_t>(argument.getArgNumber())
               : -1;
  }
  static bool isFloatTensor(mlir::Value value) {
    return mlir::isa<mlir::FloatType>(nn::elementType(value));
  }
  bool isStateArgument(mlir::Value value) {
    int64_t i = argumentIndex(value);
    return i >= 0 && i < numState();
  }
  bool isInvariant(mlir::Value value) {
    int64_t first = numState() + forward.getSequences().size();
    return argumentIndex(value) >= first;
  }
  bool isForward(mlir::Value value) {
    mlir::Operation *op = value.getDefiningOp();
    return op ? forwardOps.contains(op) : argumentIndex(value) >= 0;
  }

  nn::ScanOp forward;
  const Rule &rule;

  nn::ScanOp scratch;
  mlir::Block *body = nullptr;
  llvm::SetVector<mlir::Operation *> forwardOps;
  llvm::SmallVector<mlir::Value> stateSeeds; // of the float states
  llvm::DenseMap<mlir::Value, mlir::Value>
      outputSeeds;                               // seed -> gradient outside
  llvm::SmallVector<mlir::Value> stateGradients; // of the float states
  llvm::SmallVector<mlir::Value> elementGradients,
      invariantGradients; // or null

  llvm::SetVector<mlir::Value> saved;            // stacked by the forward scan
  llvm::SetVector<mlir::Operation *> recomputed; // of f, in the backward body
  llvm::SetVector<mlir::Operation *> live;       // of the vjp
  llvm::SetVector<mlir::Value> emitted, accumulated; // by the backward scan

  llvm::DenseMap<mlir::Value, mlir::Value> stacks; // saved value -> its stack
  nn::ScanOp backward;
};

} // namespace cornu::graph

#endif // CORNU_PASSES_GRAPH_DERIVATIVES_SCANDERIVATIVE_H
