//===- Stages.cpp - The way of a model through the compiler ---------------===//
//
// The compiler's table of contents: buildStage.
//
//===----------------------------------------------------------------------===//

#include "tools/cornu/Stages.h"
#include "codegen/Pipeline.h"
#include "codegen/emit/ModelDescriptor.h"
#include "codegen/emit/Passes.h"
#include "codegen/strategy/UseStrategies.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "passes/buffer/Buffer.h"
#include "passes/graph/Passes.h"
#include "passes/lower/Lower.h"
#include "llvm/Support/CommandLine.h"

using namespace mlir;

namespace cornu::tools {

namespace {

/// The verifier between passes takes a fifth of the time of a compilation, and
/// finds bugs of the compiler only: -mllvm --cornu-verify-each asks for it.
llvm::cl::opt<bool> verifyEach("cornu-verify-each", llvm::cl::Hidden,
#ifdef NDEBUG
                               llvm::cl::init(false),
#else
                               llvm::cl::init(true),
#endif
                               llvm::cl::desc("Verify the IR after each pass"));

constexpr llvm::StringLiteral stageAttrName = "cornu.stage";
constexpr llvm::StringLiteral stageNames[] = {"nn",      "graph",   "linalg",
                                              "buffers", "kernels", "llvm"};

/// The passes that lead to `stage` from the one before.
void buildStage(OpPassManager &pm, Stage stage, const StageOptions &options) {
  switch (stage) {
  case Stage::NN:
    // archive → nn.variable @..., @forward, @loss, @metrics: the importer
    break;
  case Stage::Graph: {
    // → @predict, @evaluate_step, @train_step, @initialize: lists of kernels
    if (options.batch)
      pm.addPass(lower::createFixBatchPass(options.batch));
    graph::GraphOptions graph;
    graph.inferenceOnly = options.inferenceOnly;
    // Programs take whole steps; halves are for callers on several machines.
    graph.wholeStepsOnly = options.program;
    graph.liveBytes = options.liveBytes;
    graph::buildGraphPipeline(pm, graph);
    break;
  }
  case Stage::Linalg:
    // kernels of nn ops → linalg on tensors, in destination style
    lower::buildLowerPipeline(pm);
    break;
  case Stage::Buffers:
    // tensors → memrefs in the state and scratch blocks
    buffer::buildBufferPipeline(pm);
    break;
  case Stage::Kernels:
    // what a tuner found → codegen.given on kernels
    if (!options.strategies.empty())
      pm.addPass(codegen::createUseStrategiesPass(options.strategies));
    // linalg on memrefs → grids of loops over vectors
    codegen::buildKernelsPipeline(pm);
    // what they still allocate → scratch
    pm.addPass(buffer::createPlaceKernelBuffersPass());
    pm.addPass(buffer::createDescribeModelPass());
    break;
  case Stage::LLVM: {
    // grids, loops and vectors → LLVM, with the C interface
    codegen::ToLLVMOptions emit;
    emit.profile = options.profile;
    codegen::buildToLLVMPipeline(pm, emit);
    break;
  }
  }
}

} // namespace

llvm::StringRef nameOf(Stage stage) { return stageNames[unsigned(stage)]; }

std::optional<Stage> stageNamed(llvm::StringRef name) {
  for (auto [i, known] : llvm::enumerate(stageNames))
    if (name == known)
      return Stage(i);
  return std::nullopt;
}

Stage stageOf(ModuleOp module) {
  if (auto name = module->getAttrOfType<StringAttr>(stageAttrName))
    if (auto stage = stageNamed(name.getValue()))
      return *stage;
  // Entries on memrefs, written by hand.
  auto predict =
      dyn_cast_or_null<FunctionOpInterface>(module.lookupSymbol("predict"));
  if (predict &&
      llvm::any_of(predict.getArgumentTypes(), llvm::IsaPred<MemRefType>))
    return Stage::Buffers;
  return Stage::NN;
}

LogicalResult runStages(ModuleOp module, Stage last,
                        const StageOptions &options) {
  options.target.attachTo(module);
  // What the importer made, or a user wrote.
  if (failed(verify(module)))
    return failure();
  for (unsigned next = unsigned(stageOf(module)) + 1; next <= unsigned(last);
       ++next) {
    PassManager pm(module.getContext());
    if (failed(applyPassManagerCLOptions(pm)))
      return failure();
    applyDefaultTimingPassManagerCLOptions(pm);
    pm.enableVerifier(verifyEach);
    buildStage(pm, Stage(next), options);
    if (failed(pm.run(module)))
      return failure();
    module->setAttr(stageAttrName,
                    StringAttr::get(module.getContext(), nameOf(Stage(next))));
  }
  return success();
}

} // namespace cornu::tools
