//===- Bufferize.cpp - Tensors to memrefs ---------------------------------===//
//
// MLIR's one-shot bufferization, with what this compiler knows beforehand:
// buffers have the identity layout, except where a call passes a slice; there
// the kernel takes any distance between the leading elements. Afterwards
// kernels write to their last arguments and return nothing:
//
//   %0 = call @k(%x, %out) : (...) -> memref<?x4xf32>      use of %0
//   call @k(%x, %out) : (...) -> ()                        use of %out
//
//===----------------------------------------------------------------------===//

#include "passes/buffer/Buffer.h"
#include "passes/buffer/Views.h"
#include "passes/lower/Lower.h"

#include "mlir/Dialect/Arith/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/FuncBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;
using bufferization::BufferizationDialect;

namespace cornu::buffer {

void registerBufferInterfaces(DialectRegistry &registry) {
  arith::registerBufferizableOpInterfaceExternalModels(registry);
  bufferization::func_ext::registerBufferizableOpInterfaceExternalModels(
      registry);
  linalg::registerBufferizableOpInterfaceExternalModels(registry);
  scf::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerBufferizableOpInterfaceExternalModels(registry);
}

static bool isKernel(func::FuncOp function) {
  return function->hasAttr(lower::kKernelAttr);
}

/// The layout of a slice along the second dimension: only the distance between
/// leading elements is unknown.
static StridedLayoutAttr sliceLayout(RankedTensorType type) {
  SmallVector<int64_t> strides(type.getRank(), 1);
  for (int64_t d = type.getRank() - 2; d >= 0; --d)
    strides[d] = strides[d + 1] * type.getDimSize(d + 1);
  if (!strides.empty())
    strides[0] = ShapedType::kDynamic;
  return StridedLayoutAttr::get(type.getContext(), ShapedType::kDynamic,
                                strides);
}

/// True if the buffer of `value` will be a slice of another: it is one, or a
/// call writes it to one.
static bool isSlice(Value value) {
  if (value.getDefiningOp<tensor::ExtractSliceOp>())
    return true;
  auto call = value.getDefiningOp<func::CallOp>();
  if (!call)
    return false;
  unsigned firstOutput = call.getNumOperands() - call.getNumResults();
  return isSlice(
      call.getOperand(firstOutput + cast<OpResult>(value).getResultNumber()));
}

/// Gives the arguments of all functions their layouts: the identity, but for
/// those of kernels that some call feeds with a slice.
static void markLayouts(ModuleOp module) {
  SymbolTable symbols(module);
  for (auto function : module.getOps<func::FuncOp>())
    for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
      if (auto tensor = dyn_cast<RankedTensorType>(type))
        function.setArgAttr(
            i, BufferizationDialect::kBufferLayoutAttrName,
            AffineMapAttr::get(AffineMap::getMultiDimIdentityMap(
                tensor.getRank(), module.getContext())));
  module.walk([&](func::CallOp call) {
    auto kernel = symbols.lookup<func::FuncOp>(call.getCallee());
    for (auto [i, operand] : llvm::enumerate(call.getOperands()))
      if (isSlice(operand))
        kernel.setArgAttr(
            i, BufferizationDialect::kBufferLayoutAttrName,
            sliceLayout(cast<RankedTensorType>(operand.getType())));
  });
}

static LogicalResult bufferize(ModuleOp module) {
  // Inputs and variables stay as they are until the end of an entry: what is
  // to change in place is found afterwards, where whole kernels are known.
  for (auto function : module.getOps<func::FuncOp>())
    if (!isKernel(function))
      for (unsigned i = 0; i < function.getNumArguments(); ++i)
        function.setArgAttr(i, BufferizationDialect::kWritableAttrName,
                            BoolAttr::get(module.getContext(), false));

  bufferization::OneShotBufferizationOptions options;
  options.setFunctionBoundaryTypeConversion(
      bufferization::LayoutMapOption::InferLayoutMap);
  options.bufferizeFunctionBoundaries = true;
  options.unknownTypeConverterFn =
      [](TensorType type, Attribute space,
         const bufferization::BufferizationOptions &) {
        return bufferization::getMemRefTypeWithStaticIdentityLayout(type,
                                                                    space);
      };
  // Variables are no tensors.
  options.opFilter.denyDialect("nn");
  bufferization::BufferizationState state;
  if (failed(bufferization::runOneShotModuleBufferize(module, options, state)))
    return failure();
  for (auto function : module.getOps<func::FuncOp>())
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      function.removeArgAttr(i, BufferizationDialect::kWritableAttrName);
      function.removeArgAttr(i, BufferizationDialect::kBufferLayoutAttrName);
    }
  return success();
}

/// Kernels write each result to the corresponding last argument.
static void dropResults(func::FuncOp kernel) {
  unsigned count = kernel.getNumResults();
  auto end = cast<func::ReturnOp>(kernel.getBody().front().getTerminator());
  OpBuilder builder(end);
  for (auto [result, output] : llvm::zip_equal(
           end.getOperands(), kernel.getArguments().take_back(count)))
    if (rootOf(result) != output)
      memref::CopyOp::create(builder, end.getLoc(), result, output);
  for (unsigned i = kernel.getNumArguments() - count;
       i < kernel.getNumArguments(); ++i)
    kernel.setArgAttr(i, kOutputAttr, builder.getUnitAttr());
  end->setOperands({});
  kernel.removeResAttrsAttr();
  kernel.setFunctionType(
      builder.getFunctionType(kernel.getArgumentTypes(), {}));
}

static void dropResults(func::CallOp call) {
  OpBuilder builder(call);
  unsigned count = call.getNumResults();
  auto outputs = call.getOperands().take_back(count);
  for (auto [result, output] : llvm::zip_equal(call.getResults(), outputs)) {
    // Uses expect the type that was inferred for the result.
    Value replacement = output;
    if (Value uncast = output;
        auto cast = uncast.getDefiningOp<memref::CastOp>())
      replacement = cast.getSource();
    if (replacement.getType() != result.getType()) {
      OpBuilder::InsertionGuard guard(builder);
      replacement = memref::CastOp::create(builder, call.getLoc(),
                                           result.getType(), replacement);
    }
    result.replaceAllUsesWith(replacement);
  }
  func::CallOp::create(builder, call.getLoc(), call.getCallee(), TypeRange(),
                       call.getOperands());
  call.erase();
}

namespace {
struct Bufferize : PassWrapper<Bufferize, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(Bufferize)

  StringRef getArgument() const override { return "buffer-bufferize"; }
  StringRef getDescription() const override {
    return "Turn tensors into memrefs and results of kernels into arguments";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<BufferizationDialect, memref::MemRefDialect>();
    registerBufferInterfaces(registry);
  }

  void runOnOperation() override {
    markLayouts(getOperation());
    if (failed(bufferize(getOperation())))
      return signalPassFailure();
    SmallVector<func::CallOp> calls;
    getOperation().walk([&](func::CallOp call) { calls.push_back(call); });
    for (func::CallOp call : calls)
      dropResults(call);
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (isKernel(function))
        dropResults(function);
  }
};
} // namespace

std::unique_ptr<Pass> createBufferizePass() {
  return std::make_unique<Bufferize>();
}

} // namespace cornu::buffer
