//===- Pipeline.h - From kernels on memrefs to loops over vectors ---------===//
//
// The first half of code generation, `codegen-kernels`; the second, to LLVM,
// is emit/Passes.h.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_CODEGEN_PIPELINE_H
#define CORNU_CODEGEN_PIPELINE_H

namespace mlir {
class OpPassManager;
}

namespace cornu::codegen {

void buildKernelsPipeline(mlir::OpPassManager &pm);
void registerKernelsPipeline();

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_PIPELINE_H
