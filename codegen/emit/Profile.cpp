//===- Profile.cpp - Entries that say which kernel comes next -------------===//

#include "codegen/emit/Profile.h"
#include "codegen/emit/KernelCalls.h"
#include "codegen/strategy/Decisions.h"
#include "codegen/target/Target.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace cornu::codegen {

/// The widest float of a kernel's arguments, in bits; 32 if it has none.
static unsigned floatBits(ArrayRef<KernelCall> calls) {
  unsigned bits = 0;
  for (const KernelCall &call : calls)
    for (Type type : call.call->getOperandTypes())
      if (Type element = getElementTypeOrSelf(type); isa<FloatType>(element))
        bits = std::max(bits, element.getIntOrFloatBitWidth());
  return bits ? bits : 32;
}

static void addHook(ModuleOp module) {
  OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
  Location loc = module.getLoc();
  auto pointer = LLVM::LLVMPointerType::get(module.getContext());
  auto hook = LLVM::GlobalOp::create(b, loc, pointer, /*isConstant=*/false,
                                     LLVM::Linkage::Internal, profileHookName,
                                     Attribute());
  b.createBlock(&hook.getInitializerRegion());
  Value null = LLVM::ZeroOp::create(b, loc, pointer);
  LLVM::ReturnOp::create(b, loc, null);
}

/// if (hook) hook(row);
static void addMark(Operation *before, size_t row) {
  OpBuilder b(before);
  Location loc = before->getLoc();
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  Value address = LLVM::AddressOfOp::create(b, loc, pointer, profileHookName);
  Value hook = LLVM::LoadOp::create(b, loc, pointer, address);
  Value null = LLVM::ZeroOp::create(b, loc, pointer);
  Value isSet =
      LLVM::ICmpOp::create(b, loc, LLVM::ICmpPredicate::ne, hook, null);
  auto marked = scf::IfOp::create(b, loc, isSet, /*withElseRegion=*/false);
  b.setInsertionPointToStart(marked.thenBlock());
  Type i32 = b.getI32Type();
  Value number =
      LLVM::ConstantOp::create(b, loc, i32, b.getI32IntegerAttr(row));
  auto type = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(b.getContext()), {i32});
  LLVM::CallOp::create(b, loc, type, ValueRange{hook, number});
}

ProfileTable addProfileHook(ModuleOp module) {
  std::vector<KernelCall> calls = kernelCalls(module);
  ProfileTable table;
  table.flopsPerCycle = Target::of(module).flopsPerCycle(floatBits(calls));
  addHook(module);
  llvm::DenseMap<Operation *, size_t> rows;
  for (KernelCall &call : calls) {
    auto [row, isNew] = rows.try_emplace(call.kernel, table.kernels.size());
    if (isNew)
      table.kernels.push_back({call.name().str(), strategyText(call.kernel),
                               llvm::join(layersOf(call.kernel), ", ")});
    addMark(call.call, table.calls.size());
    table.calls.push_back({row->second, call.entry.getName().str(),
                           call.work.value_or(buffer::Work{})});
  }
  return table;
}

} // namespace cornu::codegen
