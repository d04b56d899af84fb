//===- MemoryReport.h - The blocks of a model in words ----------*- C++ -*-===//
//
//   state                  30,528 bytes   6 variables
//     trainable            28,736
//     optimizer             1,792
//   gradients              28,736 bytes
//   scratch                 fixed  per sample  at most  per worker
//     predict                  64         576      819      33,024
//     train_step           28,800       1,220        -      33,024
//   with one worker       1 sample  32 samples
//     state + predict       64,192      82,048
//     state + train_step    93,572     131,392
//   plan                    fixed  per sample  buffers  lower bound
//     predict                  0         576        2   0 + 576 per sample
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_TOOLS_CORNU_MEMORYREPORT_H
#define CORNU_TOOLS_CORNU_MEMORYREPORT_H

#include "codegen/emit/ModelDescriptor.h"

namespace cornu::tools {

/// The scratch block that a caller of an entry provides.
struct ScratchBlock {
  llvm::StringLiteral entry;
  cornu_scratch bytes;
};

/// Those of predict and, if the model trains, evaluate_step and train_step:
/// the numbers of the C header.
std::vector<ScratchBlock> scratchBlocks(const codegen::ModelDescriptor &model);

/// What `cornu compile --memory-report` prints for a module at the stage of
/// kernels, where the plan of each entry is known. Fails after a diagnostic.
mlir::FailureOr<std::string> memoryReport(mlir::ModuleOp module, bool json);

} // namespace cornu::tools

#endif // CORNU_TOOLS_CORNU_MEMORYREPORT_H
