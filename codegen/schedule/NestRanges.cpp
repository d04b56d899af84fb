//===- NestRanges.cpp - Loops over ranges in steps ------------------------===//
//
// scf.for %i = %lower to %full step %c8 iter_args(...) { ... }
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/NestRanges.h"

#include "codegen/schedule/Elementwise.h"
#include "codegen/schedule/IndexMath.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace cornu::codegen {

SmallVector<NestRange> fullRanges(OpBuilder &builder, linalg::GenericOp op) {
  Location loc = op.getLoc();
  SmallVector<NestRange> ranges;
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  for (unsigned loop = 0; loop < sizes.size(); ++loop) {
    Value size;
    if (!ShapedType::isDynamic(sizes[loop]))
      size = arith::ConstantIndexOp::create(builder, loc, sizes[loop]);
    for (unsigned i = 0; !size && i < maps.size(); ++i)
      for (auto [dim, expr] : llvm::enumerate(maps[i].getResults()))
        if (auto d = dyn_cast<AffineDimExpr>(expr))
          if (!size && d.getPosition() == loop)
            size = builder.createOrFold<memref::DimOp>(loc, op->getOperand(i),
                                                       dim);
    assert(size && "every loop runs over a dimension of an operand");
    ranges.push_back({zero, size});
  }
  return ranges;
}

std::optional<int64_t> staticExtent(const NestRange &range) {
  auto lower = constantOf(range.lower), upper = constantOf(range.upper);
  if (lower && upper)
    return std::max<int64_t>(0, *upper - *lower);
  // upper = lower + constant, as for the tasks of an even cut.
  auto add = range.upper.getDefiningOp<arith::AddIOp>();
  if (add && add.getLhs() == range.lower)
    return constantOf(add.getRhs());
  return std::nullopt;
}

static Carried
forLoop(OpBuilder &builder, Location loc, Value lower, Value upper,
        int64_t step, ValueRange carried,
        llvm::function_ref<Carried(OpBuilder &, Value, ValueRange)> body) {
  Value by = arith::ConstantIndexOp::create(builder, loc, step);
  // The body is built inside the finished loop: it may look at the loop.
  auto loop = scf::ForOp::create(builder, loc, lower, upper, by, carried);
  OpBuilder inner = OpBuilder::atBlockBegin(loop.getBody());
  Carried results =
      body(inner, loop.getInductionVar(), loop.getRegionIterArgs());
  if (!carried.empty())
    scf::YieldOp::create(inner, loc, results);
  return Carried(loop.getResults());
}

Carried stepThrough(OpBuilder &builder, Location loc, NestRange range,
                    ArrayRef<unsigned> steps, unsigned unroll,
                    ValueRange initial, LoopBody body) {
  Carried carried(initial);
  std::optional<int64_t> extent = staticExtent(range);
  Value lower = range.lower;
  for (size_t i = 0; i < steps.size(); ++i) {
    unsigned step = steps[i];
    bool last = i + 1 == steps.size();
    if (extent) {
      int64_t count = *extent / step;
      *extent -= count * step;
      if (count == 0)
        continue;
      if (count <= static_cast<int64_t>(std::max(1u, unroll))) {
        for (int64_t k = 0; k < count; ++k)
          carried = body(builder, addConstant(builder, loc, lower, k * step),
                         step, carried);
      } else {
        Value upper = addConstant(builder, loc, lower, count * step);
        carried = forLoop(builder, loc, lower, upper, step, carried,
                          [&](OpBuilder &inner, Value index, ValueRange args) {
                            return body(inner, index, step, args);
                          });
      }
      lower = addConstant(builder, loc, lower, count * step);
      if (*extent == 0)
        break;
      continue;
    }
    Value upper = range.upper;
    if (!last || step > 1) {
      // lower + (upper - lower) / step * step
      Value by = arith::ConstantIndexOp::create(builder, loc, step);
      Value rest = arith::SubIOp::create(builder, loc, range.upper, lower);
      rest = arith::RemUIOp::create(builder, loc, rest, by);
      upper = arith::SubIOp::create(builder, loc, range.upper, rest);
    }
    carried = forLoop(builder, loc, lower, upper, step, carried,
                      [&](OpBuilder &inner, Value index, ValueRange args) {
                        return body(inner, index, step, args);
                      });
    lower = upper;
  }
  return carried;
}

SmallVector<unsigned> laneSteps(unsigned width, unsigned vectors,
                                const NestRange &range) {
  SmallVector<unsigned> steps;
  std::optional<int64_t> extent = staticExtent(range);
  if (!extent) {
    if (vectors > 1)
      steps.push_back(width * vectors);
    if (width > 1)
      steps.push_back(width);
    steps.push_back(1);
    return steps;
  }
  int64_t rest = *extent;
  auto add = [&](int64_t step) {
    if (step == 0 || rest < step)
      return;
    steps.push_back(step);
    rest %= step;
  };
  add(int64_t(width) * vectors);
  add(rest / width * width); // the vectors that are left, all at once
  add(rest);
  return steps;
}

} // namespace cornu::codegen
