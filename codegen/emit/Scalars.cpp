//===- Scalars.cpp - A value as the scalars that tell it ------------------===//

#include "codegen/emit/Scalars.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace cornu::codegen {

/// What the type does not know, in the order of the scalars.
static void forEachDynamic(MemRefType memref,
                           llvm::function_ref<void()> offsetField,
                           llvm::function_ref<void(unsigned)> sizeField,
                           llvm::function_ref<void(unsigned)> strideField) {
  auto [strides, offset] = memref.getStridesAndOffset();
  if (ShapedType::isDynamic(offset))
    offsetField();
  for (unsigned i = 0, e = memref.getRank(); i < e; ++i) {
    if (memref.isDynamicDim(i))
      sizeField(i);
    if (ShapedType::isDynamic(strides[i]))
      strideField(i);
  }
}

bool ValueScalars::isSupported(Type type, const LLVMTypeConverter &converter) {
  return bool(converter.convertType(type)) && !isa<UnrankedMemRefType>(type);
}

SmallVector<Type> ValueScalars::types() const {
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref)
    return {converter.convertType(type)};
  SmallVector<Type> result = {LLVM::LLVMPointerType::get(memref.getContext())};
  auto add = [&] { result.push_back(converter.getIndexType()); };
  forEachDynamic(
      memref, add, [&](unsigned) { add(); }, [&](unsigned) { add(); });
  return result;
}

SmallVector<Value> ValueScalars::take(OpBuilder &b, Location loc,
                                      Value value) const {
  auto cast = UnrealizedConversionCastOp::create(
      b, loc, converter.convertType(type), value);
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref)
    return {cast.getResult(0)};
  MemRefDescriptor descriptor(cast.getResult(0));
  SmallVector<Value> scalars = {descriptor.alignedPtr(b, loc)};
  forEachDynamic(
      memref, [&] { scalars.push_back(descriptor.offset(b, loc)); },
      [&](unsigned i) { scalars.push_back(descriptor.size(b, loc, i)); },
      [&](unsigned i) { scalars.push_back(descriptor.stride(b, loc, i)); });
  return scalars;
}

Value ValueScalars::join(OpBuilder &b, Location loc, ValueRange scalars) const {
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref)
    return UnrealizedConversionCastOp::create(b, loc, type, scalars.front())
        .getResult(0);
  auto [strides, offset] = memref.getStridesAndOffset();
  auto descriptor =
      MemRefDescriptor::poison(b, loc, converter.convertType(memref));
  descriptor.setAllocatedPtr(b, loc, scalars.front());
  descriptor.setAlignedPtr(b, loc, scalars.front());
  if (ShapedType::isStatic(offset))
    descriptor.setConstantOffset(b, loc, offset);
  for (unsigned i = 0, e = memref.getRank(); i < e; ++i) {
    if (!memref.isDynamicDim(i))
      descriptor.setConstantSize(b, loc, i, memref.getDimSize(i));
    if (ShapedType::isStatic(strides[i]))
      descriptor.setConstantStride(b, loc, i, strides[i]);
  }
  unsigned next = 1;
  forEachDynamic(
      memref, [&] { descriptor.setOffset(b, loc, scalars[next++]); },
      [&](unsigned i) { descriptor.setSize(b, loc, i, scalars[next++]); },
      [&](unsigned i) { descriptor.setStride(b, loc, i, scalars[next++]); });
  return UnrealizedConversionCastOp::create(b, loc, type, Value(descriptor))
      .getResult(0);
}

} // namespace cornu::codegen
