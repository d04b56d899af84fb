//===- MemoryBudget.cpp - A training step that fits into memory -----------===//
//
// How many bytes are alive at a time is known early, how many the plan and the
// kernels take only in the end: the difference is found by trying.
//
//===----------------------------------------------------------------------===//

#include "tools/cornu/MemoryBudget.h"

#include "codegen/emit/ModelDescriptor.h"
#include "passes/graph/Passes.h"
#include "tools/cornu/Arguments.h"
#include "tools/cornu/MemoryReport.h"
#include "tools/cornu/Text.h"

using namespace mlir;

namespace cornu::tools {

std::optional<int64_t> parseBytes(llvm::StringRef text) {
  int64_t unit = 1;
  if (text.consume_back("K"))
    unit = 1 << 10;
  else if (text.consume_back("M"))
    unit = 1 << 20;
  else if (text.consume_back("G"))
    unit = 1 << 30;
  int64_t number = 0;
  if (text.getAsInteger(10, number) || number < 1 ||
      number > (int64_t(1) << 50) / unit)
    return std::nullopt;
  return number * unit;
}

namespace {
/// What a training step takes.
struct StepMemory {
  int64_t live = 0;  ///< tensors at the worst place
  int64_t total = 0; ///< all that the caller gives
};
} // namespace

static FailureOr<StepMemory> measure(ModuleOp module,
                                     const StageOptions &options) {
  OwningOpRef<ModuleOp> copy = module.clone();
  if (failed(runStages(*copy, Stage::Graph, options)))
    return failure();
  StepMemory memory;
  auto step = copy->lookupSymbol<func::FuncOp>("train_step");
  if (!step) {
    printError("--memory-budget is for models that train; this one has no "
               "loss, or --inference-only leaves training out");
    return failure();
  }
  if (auto live = step->getAttrOfType<IntegerAttr>(graph::kLiveBytesAttr))
    memory.live = live.getInt();
  if (failed(runStages(*copy, Stage::Kernels, options)))
    return failure();
  auto model = codegen::ModelDescriptor::read(*copy);
  if (failed(model))
    return failure();
  for (const ScratchBlock &block : scratchBlocks(*model))
    if (block.entry == "train_step")
      memory.total =
          model->stateBytes +
          codegen::scratchBytes(block.bytes, options.batch, /*workers=*/1);
  return memory;
}

LogicalResult fitMemory(ModuleOp module, int64_t budget,
                        StageOptions &options) {
  options.liveBytes = std::numeric_limits<int64_t>::max();
  auto memory = measure(module, options);
  if (failed(memory))
    return failure();
  int64_t least = memory->total;
  constexpr unsigned kMostTries = 8;
  for (unsigned tries = 0; memory->total > budget; ++tries) {
    int64_t allowed = std::min(options.liveBytes, memory->live);
    // Nothing more can be freed.
    if (memory->live > options.liveBytes || tries == kMostTries) {
      printError("--memory-budget=" + llvm::Twine(budget) +
                 ": a training step of " + llvm::Twine(options.batch) +
                 " samples takes at least " + grouped(least) +
                 " bytes; a smaller --batch takes less");
      return failure();
    }
    options.liveBytes =
        std::max<int64_t>(1, allowed - (memory->total - budget));
    memory = measure(module, options);
    if (failed(memory))
      return failure();
    least = std::min(least, memory->total);
  }
  return success();
}

} // namespace cornu::tools
