//===- NestGuards.cpp - Windows that reach over the border ----------------===//
//
// Loop bounds from guards:
//
//   0 <= 2*oh + kh - 1 < H   ->   kh in [max(0, 1 - 2*oh), min(KH, H + 1 -
//   2*oh))
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/NestGuards.h"

#include "codegen/schedule/Elementwise.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace cornu::codegen {

SmallVector<Guard> guardsOf(linalg::GenericOp op) {
  SmallVector<Guard> guards;
  auto attr = op->getAttrOfType<DenseI64ArrayAttr>(kGuardsAttr);
  if (!attr)
    return guards;
  ArrayRef<int64_t> triples = attr.asArrayRef();
  for (size_t i = 0; i + 2 < triples.size(); i += 3) {
    Guard guard;
    guard.operand = triples[i];
    guard.dim = triples[i + 1];
    guard.extent = triples[i + 2];
    AffineMap map = op.getIndexingMapsArray()[guard.operand];
    auto index = LinearExpr::of(map.getResult(guard.dim), op.getNumLoops());
    assert(index && "guarded indices are linear");
    guard.coefficients = index->coefficients;
    guard.constant = index->constant;
    guards.push_back(guard);
  }
  return guards;
}

static Value constant(OpBuilder &builder, Location loc, int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

/// value / divisor, rounded up or down; index arithmetic is signed here.
static Value divide(OpBuilder &builder, Location loc, Value value,
                    int64_t divisor, bool up) {
  if (divisor == 1)
    return value;
  Value by = constant(builder, loc, divisor);
  if (up)
    return arith::CeilDivSIOp::create(builder, loc, value, by);
  return arith::FloorDivSIOp::create(builder, loc, value, by);
}

NestRange guardedRange(OpBuilder &builder, Location loc, ArrayRef<Guard> guards,
                       unsigned loop, NestRange range,
                       ArrayRef<Value> indices) {
  for (const Guard &guard : guards) {
    int64_t factor = guard.coefficients[loop];
    if (factor == 0)
      continue;
    bool known = true;
    for (auto [i, coefficient] : llvm::enumerate(guard.coefficients))
      known &= coefficient == 0 || i == loop || indices[i];
    if (!known)
      continue;
    // base + factor * index must lie in [0, extent).
    Value base;
    for (auto [i, coefficient] : llvm::enumerate(guard.coefficients)) {
      if (coefficient == 0 || i == loop)
        continue;
      Value term = indices[i];
      if (coefficient != 1)
        term = arith::MulIOp::create(builder, loc, term,
                                     constant(builder, loc, coefficient));
      base = base ? arith::AddIOp::create(builder, loc, base, term).getResult()
                  : term;
    }
    base = base ? addConstant(builder, loc, base, guard.constant)
                : constant(builder, loc, guard.constant);
    int64_t step = std::abs(factor);
    Value low, high; // inclusive, exclusive
    if (factor > 0) {
      Value minus =
          arith::SubIOp::create(builder, loc, constant(builder, loc, 0), base);
      low = divide(builder, loc, minus, step, /*up=*/true);
      high = addConstant(
          builder, loc,
          divide(builder, loc,
                 arith::SubIOp::create(builder, loc,
                                       constant(builder, loc, guard.extent - 1),
                                       base),
                 step, /*up=*/false),
          1);
    } else {
      low = divide(builder, loc,
                   addConstant(builder, loc, base, 1 - guard.extent), step,
                   /*up=*/true);
      high = addConstant(builder, loc,
                         divide(builder, loc, base, step, /*up=*/false), 1);
    }
    range.lower = arith::MaxSIOp::create(builder, loc, range.lower, low);
    range.upper = arith::MinSIOp::create(builder, loc, range.upper, high);
  }
  return range;
}

std::pair<int64_t, int64_t> interior(ArrayRef<Guard> guards, unsigned loop,
                                     ArrayRef<int64_t> sizes) {
  int64_t low = 0, high = sizes[loop];
  if (ShapedType::isDynamic(high))
    return {0, 0};
  for (const Guard &guard : guards) {
    int64_t factor = guard.coefficients[loop];
    if (factor == 0)
      continue;
    if (factor < 0)
      return {0, 0};
    int64_t least = guard.constant, most = guard.constant;
    for (auto [i, coefficient] : llvm::enumerate(guard.coefficients)) {
      if (coefficient == 0 || i == loop)
        continue;
      if (ShapedType::isDynamic(sizes[i]))
        return {0, 0};
      int64_t reach = coefficient * (sizes[i] - 1);
      (reach < 0 ? least : most) += reach;
    }
    low = std::max(low, llvm::divideCeilSigned(-least, factor));
    high = std::min(
        high, llvm::divideFloorSigned(guard.extent - 1 - most, factor) + 1);
  }
  low = std::min(low, sizes[loop]);
  return {low, std::max(low, high)};
}

SmallVector<LoopPiece> cutAtBorders(int64_t size,
                                    std::pair<int64_t, int64_t> interior,
                                    int64_t width) {
  SmallVector<LoopPiece> pieces;
  int64_t first = 0;
  auto addBorder = [&](int64_t end) {
    while (first < end) {
      pieces.push_back({first, std::min(width, end - first), false});
      first += pieces.back().count;
    }
  };
  if (interior.first > 0)
    addBorder(std::min<int64_t>(size, llvm::alignTo(interior.first, width)));
  int64_t steps = (interior.second - first) / width;
  if (steps > 0) {
    pieces.push_back({first, steps * width, true});
    first += steps * width;
  }
  addBorder(size);
  return pieces;
}

} // namespace cornu::codegen
