//===- MemoryBudget.h - A training step that fits into memory -------------===//
#ifndef CORNU_TOOLS_CORNU_MEMORYBUDGET_H
#define CORNU_TOOLS_CORNU_MEMORYBUDGET_H

#include "tools/cornu/Stages.h"

namespace cornu::tools {

/// "1500000", "64M" (powers of 1024: K, M, G); none for anything else.
std::optional<int64_t> parseBytes(llvm::StringRef text);

/// Chooses how many bytes of tensors may be alive while training
/// (`options.liveBytes`), such that the state and the scratch of a step with
/// one worker take at most `budget` bytes; as many as can be, for what is not
/// kept has to be computed again. `module` is at the stage of nn and stays as
/// it is. Fails after a message, also where nothing helps.
mlir::LogicalResult fitMemory(mlir::ModuleOp module, int64_t budget,
                              StageOptions &options);

} // namespace cornu::tools

#endif // CORNU_TOOLS_CORNU_MEMORYBUDGET_H
