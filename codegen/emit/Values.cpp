//===- Values.cpp - The initial values of the variables -------------------===//
//
//   func.func private @initial_values(%state: memref<?xi8>) {
//     memcpy(%state + 0, @cornu_values_0, 25856)      // adjacent variables
//     for i: (%state + 25856)[i] = 1.0                // a splat
//   }
//
// Weights go through the compiler as bytes: as floats, LLVM would print them
// one by one.
//
//===----------------------------------------------------------------------===//

#include "codegen/emit/Values.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;

namespace cornu::codegen {

namespace {

/// Appends the elements as they lie in memory (little endian).
void appendBytes(ElementsAttr value, std::vector<char> &bytes) {
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    if (AsmResourceBlob *blob = resource.getRawHandle().getBlob()) {
      ArrayRef<char> data = blob->getData();
      bytes.insert(bytes.end(), data.begin(), data.end());
    }
    return;
  }
  auto dense = cast<DenseElementsAttr>(value);
  Type element = dense.getElementType();
  if (element.isInteger(1)) { // packed as bits in the attribute
    for (bool bit : dense.getValues<bool>())
      bytes.push_back(bit);
    return;
  }
  ArrayRef<char> data = dense.getRawData();
  int64_t count = dense.isSplat() ? dense.getNumElements() : 1;
  for (int64_t i = 0; i < count; ++i)
    bytes.insert(bytes.end(), data.begin(), data.end());
}

bool isZero(ElementsAttr value) {
  auto dense = dyn_cast<DenseElementsAttr>(value);
  return dense && dense.isSplat() &&
         llvm::all_of(dense.getRawData(), [](char byte) { return byte == 0; });
}

class ValueWriter {
public:
  ValueWriter(ModuleOp module, const ModelDescriptor &model)
      : module(module), model(model), b(module.getContext()),
        loc(module.getLoc()),
        pointer(LLVM::LLVMPointerType::get(module.getContext())) {}

  func::FuncOp write() {
    b.setInsertionPointToEnd(module.getBody());
    auto bytes = MemRefType::get({ShapedType::kDynamic}, b.getI8Type());
    auto function = func::FuncOp::create(b, loc, "initial_values",
                                         b.getFunctionType({bytes}, {}));
    function.setPrivate();
    Block *block = function.addEntryBlock();
    b.setInsertionPointToStart(block);
    state = block->getArgument(0);
    for (const ModelVariable &variable : model.variables) {
      if (!variable.value || isZero(variable.value))
        continue;
      auto dense = dyn_cast<DenseElementsAttr>(variable.value);
      if (dense && dense.isSplat() && dense.getNumElements() > 64)
        fill(variable, dense);
      else
        append(variable);
    }
    flush();
    func::ReturnOp::create(b, loc);
    return function;
  }

private:
  /// Stores the one value of a splat in a loop.
  void fill(const ModelVariable &variable, DenseElementsAttr value) {
    int64_t count = value.getNumElements();
    Type element = value.getElementType();
    if (element.isInteger(1))
      element = b.getI8Type();
    auto type = MemRefType::get({count}, element);
    Value offset = arith::ConstantIndexOp::create(b, loc, variable.offset);
    Value view =
        memref::ViewOp::create(b, loc, type, state, offset, ValueRange{});
    TypedAttr splat = cast<TypedAttr>(
        value.getElementType().isInteger(1)
            ? Attribute(b.getI8IntegerAttr(value.getSplatValue<bool>()))
            : value.getSplatValue<Attribute>());
    if (auto integer = dyn_cast<IntegerAttr>(splat))
      splat =
          b.getIntegerAttr(b.getIntegerType(element.getIntOrFloatBitWidth()),
                           integer.getValue());
    if (splat.getType() != element) { // ui8 as i8
      type = MemRefType::get({count}, splat.getType());
      view = memref::ViewOp::create(b, loc, type, state, offset, ValueRange{});
    }
    Value constant = arith::ConstantOp::create(b, loc, splat);
    scf::ForOp::create(b, loc, arith::ConstantIndexOp::create(b, loc, 0),
                       arith::ConstantIndexOp::create(b, loc, count),
                       arith::ConstantIndexOp::create(b, loc, 1), ValueRange{},
                       [&](OpBuilder &b, Location loc, Value i, ValueRange) {
                         memref::StoreOp::create(b, loc, constant, view, i);
                         scf::YieldOp::create(b, loc);
                       });
  }

  /// Collects adjacent variables into one constant.
  void append(const ModelVariable &variable) {
    uint64_t end = start + collected.size();
    if (collected.empty() || variable.offset < end ||
        variable.offset > end + 64) {
      flush();
      start = end = variable.offset;
    }
    collected.resize(variable.offset - start);
    appendBytes(variable.value, collected);
    collected.resize(variable.offset - start + variable.bytes());
  }

  void flush() {
    if (collected.empty())
      return;
    std::string name = "cornu_values_" + std::to_string(counter++);
    int64_t size = collected.size();
    auto tensor = RankedTensorType::get({size}, b.getI8Type());
    auto blob = HeapAsmResourceBlob::allocateAndCopyInferAlign(
        ArrayRef<char>(collected), /*dataIsMutable=*/false);
    auto value = DenseResourceElementsAttr::get(tensor, name, std::move(blob));
    OpBuilder global = OpBuilder::atBlockEnd(module.getBody());
    auto op = LLVM::GlobalOp::create(
        global, loc, LLVM::LLVMArrayType::get(b.getI8Type(), size),
        /*isConstant=*/true, LLVM::Linkage::Internal, name, value,
        CORNU_ALIGNMENT);
    op.setUnnamedAddr(LLVM::UnnamedAddr::Global);

    LLVMTypeConverter converter(b.getContext());
    Value descriptor =
        UnrealizedConversionCastOp::create(
            b, loc, converter.convertType(state.getType()), state)
            .getResult(0);
    Value base = MemRefDescriptor(descriptor).alignedPtr(b, loc);
    Value target = LLVM::GEPOp::create(
        b, loc, pointer, b.getI8Type(), base,
        ArrayRef<LLVM::GEPArg>{Value(LLVM::ConstantOp::create(
            b, loc, b.getI64Type(), b.getI64IntegerAttr(start)))});
    Value source = LLVM::AddressOfOp::create(b, loc, pointer, name);
    Value bytes = LLVM::ConstantOp::create(b, loc, b.getI64Type(),
                                           b.getI64IntegerAttr(size));
    LLVM::MemcpyOp::create(b, loc, target, source, bytes,
                           /*isVolatile=*/false);
    collected.clear();
  }

  ModuleOp module;
  const ModelDescriptor &model;
  OpBuilder b;
  Location loc;
  Type pointer;
  Value state;
  std::vector<char> collected;
  uint64_t start = 0;
  unsigned counter = 0;
};

} // namespace

func::FuncOp addInitialValues(ModuleOp module, const ModelDescriptor &model) {
  return ValueWriter(module, model).write();
}

} // namespace cornu::codegen
