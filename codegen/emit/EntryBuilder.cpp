//===- EntryBuilder.cpp - What the C functions of a module are made of ----===//

#include "codegen/emit/EntryBuilder.h"

#include "codegen/emit/CpuCheck.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"

using namespace mlir;

namespace cornu::codegen {

LLVM::LLVMFuncOp EntryBuilder::begin(StringRef suffix, ArrayRef<Type> arguments,
                                     int batch) {
  b.setInsertionPointToEnd(module.getBody());
  auto function =
      LLVM::LLVMFuncOp::create(b, loc(), model.name + "_" + suffix.str(),
                               LLVM::LLVMFunctionType::get(i32, arguments));
  setBaselineCpu(function, target);
  Block *block = function.addEntryBlock(b);
  b.setInsertionPointToStart(block);

  Value status =
      LLVM::ConstantOp::create(b, loc(), i32, b.getI32IntegerAttr(CORNU_OK));
  auto refuse = [&](Value ok, int code) {
    Value refusal =
        LLVM::ConstantOp::create(b, loc(), i32, b.getI32IntegerAttr(code));
    status = LLVM::SelectOp::create(b, loc(), ok, status, refusal);
  };
  if (batch >= 0) {
    Value given = block->getArgument(batch);
    Value expected = constant(model.fixedBatch ? model.fixedBatch : 1);
    refuse(LLVM::ICmpOp::create(b, loc(),
                                model.fixedBatch ? LLVM::ICmpPredicate::eq
                                                 : LLVM::ICmpPredicate::sge,
                                given, expected),
           CORNU_BAD_BATCH);
  }
  if (cpuCheck)
    refuse(LLVM::CallOp::create(b, loc(), cpuCheck, ValueRange{}).getResult(),
           CORNU_UNSUPPORTED_CPU);
  Value zero = LLVM::ConstantOp::create(b, loc(), i32, b.getI32IntegerAttr(0));
  Value ok =
      LLVM::ICmpOp::create(b, loc(), LLVM::ICmpPredicate::eq, status, zero);
  checked = scf::IfOp::create(b, loc(), ok, /*withElseRegion=*/false);
  LLVM::ReturnOp::create(b, loc(), status);
  b.setInsertionPointToStart(checked.thenBlock());
  return function;
}

void EntryBuilder::end(LLVM::LLVMFuncOp function) { symbols.insert(function); }

Value EntryBuilder::toMemRef(MemRefType type, Value address, Value size) {
  auto descriptor =
      MemRefDescriptor::poison(b, loc(), converter.convertType(type));
  descriptor.setAllocatedPtr(b, loc(), address);
  descriptor.setAlignedPtr(b, loc(), address);
  descriptor.setConstantOffset(b, loc(), 0);
  int64_t stride = 1;
  for (int i = type.getRank() - 1; i >= 0; --i) {
    descriptor.setConstantStride(b, loc(), i, stride);
    if (type.isDynamicDim(i)) {
      descriptor.setSize(b, loc(), i, size);
    } else {
      descriptor.setConstantSize(b, loc(), i, type.getDimSize(i));
      stride *= type.getDimSize(i);
    }
  }
  return UnrealizedConversionCastOp::create(b, loc(), type, Value(descriptor))
      .getResult(0);
}

LogicalResult EntryBuilder::call(func::FuncOp entry, ArrayRef<Value> pointers,
                                 ArrayRef<Value> sizes) {
  if (entry.getNumArguments() != pointers.size() || entry.getNumResults() != 0)
    return entry.emitError("entry '")
           << entry.getName() << "' has " << entry.getNumArguments()
           << " arguments and " << entry.getNumResults()
           << " results, cornu.model asks for " << pointers.size()
           << " arguments and none";
  SmallVector<Value> arguments;
  for (auto [i, address, size] : llvm::enumerate(pointers, sizes)) {
    Type type = entry.getArgument(i).getType();
    if (auto memref = dyn_cast<MemRefType>(type)) {
      bool leadingOnly =
          llvm::none_of(memref.getShape().drop_front(memref.getRank() ? 1 : 0),
                        ShapedType::isDynamic);
      if (!memref.getLayout().isIdentity() || !leadingOnly)
        return entry.emitError("entry '")
               << entry.getName() << "' has argument #" << i << " of type "
               << type << "; only the batch may be dynamic";
      arguments.push_back(toMemRef(memref, address, size));
    } else if (type == address.getType()) {
      arguments.push_back(address);
    } else {
      return entry.emitError("entry '")
             << entry.getName() << "' has argument #" << i << " of type "
             << type << ", a memref expected";
    }
  }
  func::CallOp::create(b, loc(), entry, arguments);
  entry.setPrivate();
  return success();
}

Value EntryBuilder::element(Value array, int64_t i) {
  Value address = LLVM::GEPOp::create(b, loc(), pointer, pointer, array,
                                      ArrayRef<LLVM::GEPArg>{int32_t(i)});
  return LLVM::LoadOp::create(b, loc(), pointer, address);
}

/// The size of the scratch block as the entry's memref has it. The workers'
/// part counts once: no kernel asks for its size.
Value EntryBuilder::scratchSize(const cornu_scratch &scratch, Value batch) {
  Value bytes =
      LLVM::MulOp::create(b, loc(), batch, constant(scratch.per_sample));
  return LLVM::AddOp::create(b, loc(), bytes,
                             constant(scratch.fixed + scratch.per_worker));
}

} // namespace cornu::codegen
