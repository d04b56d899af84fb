//===- PanelValues.cpp - The elements of weights in panels ----------------===//

#include "codegen/strategy/PanelValues.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include <cstring>

using namespace mlir;

namespace cornu::codegen {

/// The bytes of a value in memory; none where it has none.
static ArrayRef<char> bytesOf(ElementsAttr value) {
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    return blob ? blob->getData() : ArrayRef<char>();
  }
  auto dense = dyn_cast<DenseElementsAttr>(value);
  return dense ? dense.getRawData() : ArrayRef<char>();
}

static int64_t elementBytes(ElementsAttr value) {
  return value.getElementType().getIntOrFloatBitWidth() / 8;
}

bool canMove(ElementsAttr value) {
  if (!value)
    return true;
  if (!value.getElementType().isIntOrFloat())
    return false;
  return value.isSplat() || int64_t(bytesOf(value).size()) ==
                                value.getNumElements() * elementBytes(value);
}

std::vector<float> floatsOf(ElementsAttr value) {
  if (value.isSplat())
    return std::vector<float>(value.getNumElements(),
                              value.getSplatValue<float>());
  ArrayRef<char> bytes = bytesOf(value);
  std::vector<float> floats(value.getNumElements());
  std::memcpy(floats.data(), bytes.data(), bytes.size());
  return floats;
}

ElementsAttr inPanels(StringRef name, ElementsAttr value, int64_t columns,
                      int64_t panels) {
  if (value.isSplat())
    return value;
  auto type = cast<RankedTensorType>(value.getType());
  ArrayRef<char> from = bytesOf(value);
  std::vector<char> moved(from.size());
  char *to = moved.data();
  int64_t bytes = elementBytes(value);
  int64_t rows = type.getNumElements() / columns;
  for (int64_t start = 0; start < columns; start += panels) {
    int64_t width = std::min(panels, columns - start) * bytes;
    for (int64_t row = 0; row < rows; ++row, to += width)
      std::memcpy(to, from.data() + (row * columns + start) * bytes, width);
  }
  if (isa<DenseElementsAttr>(value))
    return DenseElementsAttr::getFromRawBuffer(type, moved);
  return DenseResourceElementsAttr::get(
      type, name,
      HeapAsmResourceBlob::allocateAndCopyWithAlign(moved, /*align=*/64));
}

/// The place in panels of the element with the row-major number `element`.
static Value placeOf(OpBuilder &b, Location loc, Value element,
                     int64_t elements, int64_t columns, int64_t panels) {
  auto number = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, loc, value);
  };
  auto divide = [&](Value value, int64_t by) -> std::pair<Value, Value> {
    return {arith::DivUIOp::create(b, loc, value, number(by)),
            arith::RemUIOp::create(b, loc, value, number(by))};
  };
  auto multiply = [&](Value x, Value y) -> Value {
    return arith::MulIOp::create(b, loc, x, y);
  };
  auto add = [&](Value x, Value y) -> Value {
    return arith::AddIOp::create(b, loc, x, y);
  };
  auto [row, column] = divide(element, columns);
  auto [panel, inside] = divide(column, panels);
  // The last panel has what is left of the columns.
  Value start = multiply(panel, number(panels));
  Value width = arith::MinUIOp::create(
      b, loc, number(panels),
      arith::SubIOp::create(b, loc, number(columns), start));
  return add(multiply(start, number(elements / columns)),
             add(multiply(row, width), inside));
}

template <typename Access>
static void move(Access access, int64_t elements, int64_t columns,
                 int64_t panels) {
  OpBuilder b(access);
  Value place = placeOf(b, access.getLoc(), access.getIndices().front(),
                        elements, columns, panels);
  access.getIndicesMutable().assign(place);
}

void moveAccess(Operation *access, int64_t elements, int64_t columns,
                int64_t panels) {
  if (auto load = dyn_cast<memref::LoadOp>(access))
    move(load, elements, columns, panels);
  else
    move(cast<memref::StoreOp>(access), elements, columns, panels);
}

} // namespace cornu::codegen
