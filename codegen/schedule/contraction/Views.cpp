//===- Views.cpp - Linear addresses of a contraction's operands -----------===//
//
//   %flat = memref.reinterpret_cast %x to offset: [0], sizes: [%n],
//             strides: [1] : memref<?x9x9x16xf32> to memref<?xf32>
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/contraction/Views.h"

using namespace mlir;

namespace cornu::codegen {

LinearView LinearView::of(OpBuilder &builder, Location loc, Value memref,
                          AffineMap map) {
  IndexMath math{builder, loc};
  auto type = cast<MemRefType>(memref.getType());
  SmallVector<int64_t> staticStrides;
  int64_t staticOffset;
  LogicalResult strided = type.getStridesAndOffset(staticStrides, staticOffset);
  assert(succeeded(strided) && "operands are strided memrefs");
  (void)strided;

  SmallVector<OpFoldResult> dimStrides;
  OpFoldResult offset = builder.getIndexAttr(staticOffset);
  bool dynamic = ShapedType::isDynamic(staticOffset) ||
                 llvm::any_of(staticStrides, ShapedType::isDynamic);
  memref::ExtractStridedMetadataOp metadata;
  if (dynamic)
    metadata = memref::ExtractStridedMetadataOp::create(builder, loc, memref);
  if (ShapedType::isDynamic(staticOffset))
    offset = metadata.getOffset();
  for (auto [dim, stride] : llvm::enumerate(staticStrides))
    dimStrides.push_back(ShapedType::isDynamic(stride)
                             ? OpFoldResult(metadata.getStrides()[dim])
                             : OpFoldResult(builder.getIndexAttr(stride)));

  LinearView view;
  // The size is not used by any access; the largest index is as good as any.
  Value size = math.constant(std::numeric_limits<int64_t>::max() / 16);
  view.buffer = memref::ReinterpretCastOp::create(
      builder, loc,
      MemRefType::get({ShapedType::kDynamic}, type.getElementType()), memref,
      /*offset=*/OpFoldResult(builder.getIndexAttr(0)),
      ArrayRef<OpFoldResult>{size},
      ArrayRef<OpFoldResult>{builder.getIndexAttr(1)});
  Value base = math.value(offset);
  SmallVector<Value> strides(map.getNumDims());
  std::optional<SmallVector<LinearExpr>> results = linearResults(map);
  assert(results && "checked by ContractionForm");
  for (auto [dim, expr] : llvm::enumerate(*results)) {
    base =
        math.add(base, math.mul(math.constant(expr.constant), dimStrides[dim]));
    for (unsigned loop = 0, e = map.getNumDims(); loop < e; ++loop) {
      if (!expr.moves(loop))
        continue;
      Value term =
          math.mul(math.constant(expr.coefficients[loop]), dimStrides[dim]);
      strides[loop] = strides[loop] ? math.add(strides[loop], term) : term;
    }
  }
  view.base = base;
  for (Value stride : strides) {
    std::optional<int64_t> known =
        stride ? constantOf(stride) : std::optional<int64_t>(0);
    view.strides.push_back(known ? OpFoldResult(builder.getIndexAttr(*known))
                                 : OpFoldResult(stride));
  }
  return view;
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

SmallVector<NestLoop>
mergeLoops(IndexMath &math, ArrayRef<unsigned> loops, ArrayRef<Value> extents,
           ArrayRef<KnownStrides> operands, int64_t limit,
           llvm::function_ref<bool(unsigned, const NestLoop &)> allowed) {
  SmallVector<NestLoop> result; // inner to outer
  for (unsigned loop : llvm::reverse(loops)) {
    std::optional<int64_t> extent = constantOf(extents[loop]);
    if (!result.empty()) {
      NestLoop &inside = result.back();
      std::optional<int64_t> size = inside.staticExtent();
      bool fits =
          size && extent && *size * *extent <= limit && allowed(loop, inside);
      for (const KnownStrides &strides : operands) {
        auto outer = strides[loop], inner = strides[inside.inner()];
        fits = fits && outer && inner && *outer == *inner * *size;
      }
      if (fits) {
        inside.loops.insert(inside.loops.begin(), loop);
        inside.extent = math.constant(*size * *extent);
        continue;
      }
    }
    result.push_back({{loop}, extents[loop], 1});
  }
  std::reverse(result.begin(), result.end());
  return result;
}

bool staysDense(MemRefType type, AffineMap map, unsigned outer,
                const NestLoop &inside) {
  bool between = false;
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    if (expr.isFunctionOfDim(outer)) {
      if (between)
        return false;
      between = true;
      continue;
    }
    if (!between)
      continue;
    auto loop = dyn_cast<AffineDimExpr>(expr);
    if (!loop || !llvm::is_contained(inside.loops, loop.getPosition()))
      return false;
    if (loop.getPosition() == inside.inner())
      return true;
  }
  return !between;
}

void blockLoops(MutableArrayRef<NestLoop> loops, int64_t size) {
  int64_t left = std::max<int64_t>(size, 1);
  for (NestLoop &loop : llvm::reverse(loops)) {
    std::optional<int64_t> extent = loop.staticExtent();
    loop.step = extent ? std::min(*extent, left) : left;
    loop.step = std::max<int64_t>(loop.step, 1);
    // Equal blocks need one version of the code; a little smaller is fine.
    for (int64_t step = loop.step; extent && 3 * step >= 2 * loop.step; --step)
      if (*extent % step == 0) {
        loop.step = step;
        break;
      }
    left = extent && *extent <= loop.step ? left / loop.step : 1;
  }
}

} // namespace cornu::codegen
