//===- SerialRuntime.cpp - An object links alone --------------------------===//

#include "codegen/emit/SerialRuntime.h"
#include "codegen/emit/CpuCheck.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;

namespace cornu::codegen {

void addSerialRuntime(ModuleOp module, const Target &target) {
  OpBuilder b(module.getContext());
  Location loc = module.getLoc();
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  Type none = LLVM::LLVMVoidType::get(b.getContext()), i64 = b.getI64Type();
  auto define = [&](StringRef name, Type result, ArrayRef<Type> arguments) {
    if (auto declared = module.lookupSymbol<LLVM::LLVMFuncOp>(name))
      declared.erase();
    b.setInsertionPointToEnd(module.getBody());
    auto function = LLVM::LLVMFuncOp::create(
        b, loc, name, LLVM::LLVMFunctionType::get(result, arguments),
        LLVM::Linkage::Weak);
    setBaselineCpu(function, target);
    Block *block = function.addEntryBlock(b);
    b.setInsertionPointToStart(block);
    return block;
  };
  auto constant = [&](int64_t value) -> Value {
    return LLVM::ConstantOp::create(b, loc, i64, b.getI64IntegerAttr(value));
  };
  Block *block = define("cornu_parallel_for", none, {pointer, pointer, i64});
  Value task = block->getArgument(0), context = block->getArgument(1);
  Value worker = constant(0);
  auto type = LLVM::LLVMFunctionType::get(none, {pointer, i64, i64});
  scf::ForOp::create(b, loc, worker, block->getArgument(2), constant(1),
                     ValueRange{},
                     [&](OpBuilder &b, Location loc, Value i, ValueRange) {
                       LLVM::CallOp::create(
                           b, loc, type, ValueRange{task, context, i, worker});
                       scf::YieldOp::create(b, loc);
                     });
  LLVM::ReturnOp::create(b, loc, ValueRange{});
  define("cornu_worker_count", i64, {});
  LLVM::ReturnOp::create(b, loc, constant(1));
}

} // namespace cornu::codegen
