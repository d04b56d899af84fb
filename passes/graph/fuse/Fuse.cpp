//===- Fuse.cpp - Entry functions to lists of kernels ---------------------===//

#include "passes/graph/Passes.h"
#include "passes/graph/fuse/Outline.h"

using namespace mlir;

namespace cornu::graph {

#define GEN_PASS_DEF_FUSE
#include "passes/graph/Passes.h.inc"

namespace {
struct Fuse : impl::FuseBase<Fuse> {
  void runOnOperation() override {
    KernelTable table(getOperation());
    SmallVector<func::FuncOp> entries(getOperation().getOps<func::FuncOp>());
    for (func::FuncOp entry : entries)
      if (!entry.isDeclaration() && !entry->hasAttr("nn.kernel"))
        outlineKernels(entry.getBody().front(), table);
  }
};
} // namespace

} // namespace cornu::graph
