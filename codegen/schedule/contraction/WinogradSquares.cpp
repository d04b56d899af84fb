//===- WinogradSquares.cpp - Patches into points, points into outputs -----===//

#include "codegen/schedule/Elementwise.h"
#include "codegen/schedule/contraction/Winograd.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace cornu::codegen {

/// The number of the patch that the first part of the window reads for a
/// square: a row of patches has parts - 1 more, and an image so many rows.
Value ContractionNest::patchOf(const Winograd &plan, Value square) {
  if (plan.parts == 1)
    return square;
  int64_t perRow = plan.squaresOf[1], perImage = perRow * plan.squaresOf[0];
  Value skipped = math.add(
      math.div(square, math.constant(perRow)),
      math.mul(math.div(square, math.constant(perImage)), plan.patchesOf(1)));
  return math.add(square, math.mul(skipped, plan.parts - 1));
}

/// The index of each row loop at the first output of a square, or for the first
/// output whose patch it is, by its number in a grid of so many for an image.
SmallVector<Value> ContractionNest::squareIndices(const Winograd &plan,
                                                  Value number,
                                                  ArrayRef<int64_t> perAxis) {
  SmallVector<Value> indices(root.getNumLoops());
  for (unsigned a = 2; a-- > 0;) {
    Value index = math.rem(number, math.constant(perAxis[a]));
    number = math.div(number, math.constant(perAxis[a]));
    indices[plan.form.axes[a].row] = math.mul(index, plan.side);
  }
  for (unsigned i = plan.outer.size(); i-- > 0;) {
    Value extent = extents[plan.outer[i]];
    indices[plan.outer[i]] = i == 0 ? number : math.rem(number, extent);
    if (i > 0)
      number = math.div(number, extent);
  }
  return indices;
}

/// V for one patch of the task: it is read where it is, or from a copy with
/// zeros where it leaves the source.
void ContractionNest::transformPatch(Winograd &plan, Value place) {
  const WinogradForm &window = plan.form;
  const ContractionInput &input = fusion.inputs[form.left];
  auto type = cast<MemRefType>(input.source.getType());
  unsigned rank = type.getRank();
  int64_t side = plan.transform.patch, channels = window.channels;
  SmallVector<Value> loops =
      squareIndices(plan, math.add(plan.firstPatch, place),
                    {plan.patchesOf(0), plan.patchesOf(1)});

  // The patch's first element in the source.
  SmallVector<Value> origin(rank, math.constant(0));
  for (unsigned loop : plan.outer)
    for (auto [dim, expr] : llvm::enumerate(maps[form.left].getResults()))
      if (expr == builder.getAffineDimExpr(loop))
        origin[dim] = math.add(loops[loop], -input.low[dim]);
  for (const WinogradForm::Axis &axis : window.axes)
    origin[axis.dim] =
        math.add(loops[axis.row], axis.first - input.low[axis.dim]);

  auto less = [&](Value a, int64_t b) -> Value {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult, a,
                                 math.constant(std::max<int64_t>(b, 0)));
  };
  auto direct = [&]() -> SmallVector<Value> {
    LinearView flat = LinearView::of(builder, loc, input.source,
                                     builder.getMultiDimIdentityMap(rank));
    Value offset = flat.base;
    for (unsigned dim = 0; dim < rank; ++dim)
      offset = math.add(offset, math.mul(origin[dim], flat.strides[dim]));
    return {flat.buffer, offset, math.value(flat.strides[window.axes[0].dim]),
            math.value(flat.strides[window.axes[1].dim])};
  };
  auto copied = [&]() -> SmallVector<Value> {
    Value zero = arith::ConstantOp::create(
        builder, loc, builder.getZeroAttr(VectorType::get({width}, element)));
    Value last = math.constant(side), none = math.constant(0);
    forRange(none, last, 1, [&](Value i) {
      forRange(none, last, 1, [&](Value j) {
        SmallVector<Value> indices = origin;
        Value inside;
        for (auto [axis, step] : llvm::zip(window.axes, ArrayRef{i, j})) {
          indices[axis.dim] = math.add(origin[axis.dim], step);
          Value here = less(indices[axis.dim], type.getDimSize(axis.dim));
          inside =
              inside ? arith::AndIOp::create(builder, loc, inside, here) : here;
        }
        Value target = math.mul(math.add(math.mul(i, side), j), channels);
        auto fill = [&](bool zeros) {
          forRange(none, math.constant(channels), width, [&](Value c) {
            indices[rank - 1] = c;
            Value vector = zeros ? zero
                                 : fusion.evaluate(builder, loc, input.source,
                                                   indices, rank - 1, width);
            vector::StoreOp::create(builder, loc, vector, plan.border,
                                    ValueRange{math.add(target, c)});
          });
        };
        ifElse(inside, [&] { fill(false); }, [&] { fill(true); });
      });
    });
    Value any = memref::CastOp::create(
        builder, loc, MemRefType::get({ShapedType::kDynamic}, element),
        plan.border);
    return {any, none, math.constant(side * channels), math.constant(channels)};
  };
  SmallVector<Value> where;
  if (input.computed) {
    where = copied();
  } else if (!plan.hasBorder) {
    where = direct();
  } else {
    Value inside;
    for (const WinogradForm::Axis &axis : window.axes) {
      Value here = less(origin[axis.dim], type.getDimSize(axis.dim) - side + 1);
      inside =
          inside ? arith::AndIOp::create(builder, loc, inside, here) : here;
    }
    auto index = builder.getIndexType();
    auto branch = scf::IfOp::create(
        builder, loc,
        TypeRange{MemRefType::get({ShapedType::kDynamic}, element), index,
                  index, index},
        inside, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(builder, loc, direct());
    builder.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(builder, loc, copied());
    where.assign(branch.getResults().begin(), branch.getResults().end());
  }
  Value rowStart = math.mul(place, channels);
  forRange(math.constant(0), math.constant(channels), width, [&](Value c) {
    SmallVector<Value> patch;
    for (int64_t i = 0; i < side; ++i)
      for (int64_t j = 0; j < side; ++j) {
        Value at = math.add(where[1], c);
        at = math.add(at, math.mul(math.constant(i), where[2]));
        at = math.add(at, math.mul(math.constant(j), where[3]));
        patch.push_back(vector::LoadOp::create(
            builder, loc, VectorType::get({width}, element), where[0],
            ValueRange{at}));
      }
    Value target = math.add(rowStart, c);
    for (auto [point, value] : llvm::enumerate(transformSquare(
             builder, loc, plan.transform.input, plan.transform.input, patch)))
      vector::StoreOp::create(builder, loc, value, plan.transformed,
                              ValueRange{addConstant(builder, loc, target,
                                                     point * plan.patchStep)});
  });
}

/// The outputs of one square of the task, as far as they are outputs.
void ContractionNest::finishSquare(const Winograd &plan, Value place) {
  const WinogradForm &window = plan.form;
  auto vectorType = VectorType::get({width}, element);
  SmallVector<Value> first =
      squareIndices(plan, math.add(plan.firstSquare, place), plan.squaresOf);
  Value high[2];
  for (unsigned a = 0; a < 2; ++a) {
    const WinogradForm::Axis &axis = window.axes[a];
    high[a] = axis.outputs % plan.side == 0
                  ? math.constant(plan.side)
                  : math.min(math.constant(plan.side),
                             math.sub(extents[axis.row], first[axis.row]));
  }
  Value start = math.mul(place, window.lanes);
  forRange(
      math.constant(0), math.constant(window.lanes), width, [&](Value lane) {
        SmallVector<Value> products;
        Value from = math.add(start, lane);
        for (int64_t point = 0; point < plan.points; ++point)
          products.push_back(vector::LoadOp::create(
              builder, loc, vectorType, plan.products,
              ValueRange{
                  addConstant(builder, loc, from, point * plan.productStep)}));
        SmallVector<Value> outputs =
            transformSquare(builder, loc, plan.transform.output,
                            plan.transform.output, products);
        for (auto [i, output] : llvm::enumerate(outputs))
          vector::StoreOp::create(builder, loc, output, plan.square,
                                  ValueRange{math.constant(i * width)});
        forRange(math.constant(0), high[0], 1, [&](Value i) {
          forRange(math.constant(0), high[1], 1, [&](Value j) {
            Value slot = math.add(math.mul(i, plan.side), j);
            Value sum =
                vector::LoadOp::create(builder, loc, vectorType, plan.square,
                                       ValueRange{math.mul(slot, width)});
            SmallVector<Value> point = first;
            point[window.axes[0].row] = math.add(first[window.axes[0].row], i);
            point[window.axes[1].row] = math.add(first[window.axes[1].row], j);
            RowPoint row;
            row.slot = math.constant(0);
            for (NestLoop &loop : rowLoops)
              row.indices.push_back(point[loop.inner()]);
            finishTile({{row}, false}, {lane, {width}}, {sum});
          });
        });
      });
}

} // namespace cornu::codegen
