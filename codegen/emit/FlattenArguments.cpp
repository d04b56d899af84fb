//===- FlattenArguments.cpp - Kernels take pointers, not descriptors ------===//
//
//   func.func private @kernel(%x: memref<?x8xf32>)
//   call @kernel(%a)
//
// becomes
//
//   func.func private @kernel(%pointer: !llvm.ptr, %size: i64)
//   call @kernel(%a's pointer, %a's first size)
//
// As a descriptor, a memref of four dimensions is eleven arguments: most of the
// code of a training step was to put them on the stack.
//
//===----------------------------------------------------------------------===//

#include "codegen/emit/Passes.h"
#include "codegen/emit/Scalars.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace cornu::codegen {

namespace {

struct FlattenArguments
    : PassWrapper<FlattenArguments, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(FlattenArguments)
  llvm::StringRef getArgument() const override {
    return "codegen-flatten-arguments";
  }
  llvm::StringRef getDescription() const override {
    return "Hand memrefs to private functions as pointers and dynamic sizes";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<LLVM::LLVMDialect>();
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    LLVMTypeConverter converter(&getContext());
    // Who names a function, in one walk; the walk of MLIR's own map over all
    // attributes takes as long as the rest of the pass.
    llvm::DenseMap<StringAttr, SmallVector<func::CallOp>> calls;
    llvm::DenseSet<StringAttr> named;
    module.walk([&](SymbolUserOpInterface op) {
      if (auto call = dyn_cast<func::CallOp>(op.getOperation()))
        calls[call.getCalleeAttr().getAttr()].push_back(call);
      else
        op->getAttrDictionary().walk(
            [&](FlatSymbolRefAttr name) { named.insert(name.getAttr()); });
    });
    for (auto function : module.getOps<func::FuncOp>()) {
      if (!function.isPrivate() || function.isExternal() ||
          named.contains(function.getSymNameAttr()))
        continue;
      SmallVector<ValueScalars> arguments;
      for (Type type : function.getArgumentTypes())
        if (ValueScalars::isSupported(type, converter))
          arguments.emplace_back(type, converter);
      if (arguments.size() != function.getNumArguments())
        continue;
      for (func::CallOp call : calls.lookup(function.getSymNameAttr()))
        flattenCall(call, arguments);
      flatten(function, arguments);
    }
  }

  static void flattenCall(func::CallOp call, ArrayRef<ValueScalars> arguments) {
    OpBuilder b(call);
    SmallVector<Value> scalars;
    for (auto [argument, value] :
         llvm::zip_equal(arguments, call.getOperands()))
      llvm::append_range(scalars, argument.take(b, call.getLoc(), value));
    call.getOperandsMutable().assign(scalars);
  }

  static void flatten(func::FuncOp function, ArrayRef<ValueScalars> arguments) {
    Block &block = function.getBody().front();
    Location loc = function.getLoc();
    OpBuilder b = OpBuilder::atBlockBegin(&block);
    SmallVector<Type> types;
    for (const ValueScalars &argument : arguments) {
      SmallVector<Value> scalars;
      for (Type type : argument.types()) {
        types.push_back(type);
        scalars.push_back(block.addArgument(type, loc));
      }
      block.getArgument(&argument - arguments.data())
          .replaceAllUsesWith(argument.join(b, loc, scalars));
    }
    block.eraseArguments(0, arguments.size());
    function.setType(
        b.getFunctionType(types, function.getFunctionType().getResults()));
    function.removeArgAttrsAttr();
  }
};

} // namespace

std::unique_ptr<Pass> createFlattenArgumentsPass() {
  return std::make_unique<FlattenArguments>();
}

} // namespace cornu::codegen
