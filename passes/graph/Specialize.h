//===- Specialize.h - One function for training, one for inference -*- C++ -*-//
//
//   %y = nn.if_training -> T { ... nn.yield %a } else { nn.yield %x }
//
// becomes the ops of one of the two regions.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_GRAPH_SPECIALIZE_H
#define CORNU_PASSES_GRAPH_SPECIALIZE_H

#include "mlir/IR/Operation.h"

namespace cornu::graph {

enum class Mode { training, inference };

/// Inlines the region of `mode` of every nn.if_training inside `root`.
void specialize(mlir::Operation *root, Mode mode);

/// Replaces every nn.stop_gradient inside `root` by its operand. Only for IR
/// that will not be differentiated any more.
void removeStopGradients(mlir::Operation *root);

} // namespace cornu::graph

#endif // CORNU_PASSES_GRAPH_SPECIALIZE_H
