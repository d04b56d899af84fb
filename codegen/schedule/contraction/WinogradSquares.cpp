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
    indices[plan.form.axes[a].place] = math.mul(index, plan.side);
  }
  for (unsigned i = plan.form.outer.size(); i-- > 0;) {
    Value extent = extents[plan.form.outer[i]];
    indices[plan.form.outer[i]] = i == 0 ? number : math.rem(number, extent);
    if (i > 0)
      number = math.div(number, extent);
  }
  return indices;
}

/// The first element of a square, in the dimensions of its source.
SmallVector<Value> ContractionNest::squareOrigin(const Winograd &plan,
                                                 const WinogradSource &source,
                                                 ArrayRef<Value> loops) {
  const ContractionInput &input = fusion.inputs[source.input];
  SmallVector<Value> origin(input.low.size());
  origin.back() = source.firstChannel;
  for (unsigned loop : plan.form.outer)
    if (std::optional<unsigned> dim = maps[source.input].getResultPosition(
            builder.getAffineDimExpr(loop)))
      origin[*dim] = math.add(loops[loop], -input.low[*dim]);
  for (unsigned i = 0; i < 2; ++i) {
    unsigned dim = source.dims[i];
    origin[dim] = math.add(loops[plan.form.axes[i].place],
                           source.first[i] - input.low[dim]);
  }
  return origin;
}

/// Covers [0, extent) with vectors of one width, of which the last may reach
/// back into the one before it: for what may be computed twice.
void ContractionNest::forOverlapping(
    int64_t extent, llvm::function_ref<void(Value, unsigned)> body) {
  unsigned lanes = std::min<int64_t>(width, llvm::bit_floor(uint64_t(extent)));
  forRange(math.constant(0), math.constant(extent), lanes, [&](Value at) {
    if (extent % lanes != 0)
      at = math.min(at, math.constant(extent - lanes));
    body(at, lanes);
  });
}

/// The square at `origin`, copied with zeros where it leaves the source.
WinogradSquare ContractionNest::copySquare(const WinogradSource &source,
                                           ArrayRef<Value> origin) {
  const ContractionInput &input = fusion.inputs[source.input];
  auto type = cast<MemRefType>(input.source.getType());
  unsigned last = type.getRank() - 1;
  Value none = math.constant(0), side = math.constant(source.side);
  forRange(none, side, 1, [&](Value i) {
    forRange(none, side, 1, [&](Value j) {
      SmallVector<Value> indices(origin);
      Value inside, steps[] = {i, j};
      for (auto [dim, step] : llvm::zip(source.dims, steps)) {
        indices[dim] = math.add(origin[dim], step);
        Value here = isBelow(indices[dim], type.getDimSize(dim));
        inside =
            inside ? arith::AndIOp::create(builder, loc, inside, here) : here;
      }
      Value target =
          math.mul(math.add(math.mul(i, source.side), j), source.channels);
      auto fill = [&](bool zeros) {
        forOverlapping(source.channels, [&](Value c, unsigned piece) {
          indices[last] = math.add(origin[last], c);
          Value vector = zeros ? zeroOf(piece)
                               : fusion.evaluate(builder, loc, input.source,
                                                 indices, last, piece);
          if (!isa<VectorType>(vector.getType()))
            vector = vector::BroadcastOp::create(
                builder, loc, VectorType::get({1}, element), vector);
          vector::StoreOp::create(builder, loc, vector, source.copy,
                                  ValueRange{math.add(target, c)});
        });
      };
      ifElse(inside, [&] { fill(false); }, [&] { fill(true); });
    });
  });
  Value any = memref::CastOp::create(
      builder, loc, MemRefType::get({ShapedType::kDynamic}, element),
      source.copy);
  return {any, none, math.constant(source.side * source.channels),
          math.constant(source.channels)};
}

/// The square at `origin`: where it is, or its copy.
WinogradSquare ContractionNest::findSquare(const WinogradSource &source,
                                           ArrayRef<Value> origin) {
  const ContractionInput &input = fusion.inputs[source.input];
  auto type = cast<MemRefType>(input.source.getType());
  if (input.computed)
    return copySquare(source, origin);
  auto inPlace = [&]() -> WinogradSquare {
    unsigned rank = type.getRank();
    LinearView flat = LinearView::of(builder, loc, input.source,
                                     builder.getMultiDimIdentityMap(rank));
    Value offset = flat.base;
    for (unsigned dim = 0; dim < rank; ++dim)
      offset = math.add(offset, math.mul(origin[dim], flat.strides[dim]));
    return {flat.buffer, offset, math.value(flat.strides[source.dims[0]]),
            math.value(flat.strides[source.dims[1]])};
  };
  if (!source.hasBorder)
    return inPlace();
  Value inside;
  for (unsigned dim : source.dims) {
    Value here = isBelow(origin[dim], type.getDimSize(dim) - source.side + 1);
    inside = inside ? arith::AndIOp::create(builder, loc, inside, here) : here;
  }
  auto index = builder.getIndexType();
  auto branch = scf::IfOp::create(
      builder, loc,
      TypeRange{MemRefType::get({ShapedType::kDynamic}, element), index, index,
                index},
      inside, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  auto yield = [&](Block *block, auto square) {
    builder.setInsertionPointToStart(block);
    WinogradSquare found = square();
    scf::YieldOp::create(
        builder, loc,
        ValueRange{found.buffer, found.offset, found.down, found.across});
  };
  yield(branch.thenBlock(), inPlace);
  yield(branch.elseBlock(), [&] { return copySquare(source, origin); });
  return {branch.getResult(0), branch.getResult(1), branch.getResult(2),
          branch.getResult(3)};
}

/// matrix * square * matrix^T for the square of the output at `loops`, and all
/// channels of the task: to row `number` of `target`, which has `row` elements,
/// zeros at its end; points are `step` apart.
void ContractionNest::transformInto(const Winograd &plan,
                                    const WinogradSource &source,
                                    ArrayRef<Value> loops,
                                    const TransformMatrix &matrix, Value target,
                                    Value number, int64_t row, int64_t step) {
  WinogradSquare square = findSquare(source, squareOrigin(plan, source, loops));
  Value at = math.mul(number, row), channels = math.constant(source.channels);
  forOverlapping(source.channels, [&](Value c, unsigned piece) {
    auto type = VectorType::get({piece}, element);
    SmallVector<Value> vectors;
    for (int64_t i = 0; i < source.side; ++i)
      for (int64_t j = 0; j < source.side; ++j) {
        Value from = math.add(square.offset, c);
        from = math.add(from, math.mul(math.constant(i), square.down));
        from = math.add(from, math.mul(math.constant(j), square.across));
        vectors.push_back(vector::LoadOp::create(
            builder, loc, type, square.buffer, ValueRange{from}));
      }
    Value to = math.add(at, c);
    for (auto [point, value] : llvm::enumerate(
             transformSquare(builder, loc, matrix, matrix, vectors)))
      vector::StoreOp::create(
          builder, loc, value, target,
          ValueRange{addConstant(builder, loc, to, point * step)});
  });
  forSpan(channels, math.constant(row), [&](Value c, unsigned piece) {
    for (int64_t point = 0; point < plan.points; ++point)
      vector::StoreOp::create(
          builder, loc, zeroOf(piece), target,
          ValueRange{addConstant(builder, loc, math.add(at, c), point * step)});
  });
}

Value ContractionNest::zeroOf(unsigned lanes) {
  return arith::ConstantOp::create(
      builder, loc, builder.getZeroAttr(VectorType::get({lanes}, element)));
}

Value ContractionNest::isBelow(Value index, int64_t bound) {
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult, index,
                               math.constant(std::max<int64_t>(bound, 0)));
}

/// Finishes a square of full vectors of sums, `high` of them along each side:
/// the one at (i, j) is the output at `first` moved by i and j in the loops
/// `moved`.
void ContractionNest::finishSums(const Winograd &plan, ArrayRef<Value> sums,
                                 int64_t side, ArrayRef<Value> high,
                                 ArrayRef<Value> first,
                                 ArrayRef<unsigned> moved, Value lane) {
  for (auto [i, sum] : llvm::enumerate(sums))
    vector::StoreOp::create(builder, loc, sum, plan.square,
                            ValueRange{math.constant(i * width)});
  auto finish = [&](ArrayRef<unsigned> widths) {
    forRange(math.constant(0), high[0], 1, [&](Value i) {
      forRange(math.constant(0), high[1], 1, [&](Value j) {
        SmallVector<Value> vectors, point(first);
        Value at = math.mul(math.add(math.mul(i, side), j), width);
        for (unsigned piece : widths) {
          vectors.push_back(vector::LoadOp::create(
              builder, loc, VectorType::get({piece}, element), plan.square,
              ValueRange{at}));
          at = math.add(at, piece);
        }
        Value steps[] = {i, j};
        for (auto [loop, step] : llvm::zip(moved, steps))
          point[loop] = point[loop] ? math.add(point[loop], step) : step;
        RowPoint row;
        row.slot = math.constant(0);
        for (NestLoop &loop : rowLoops)
          row.indices.push_back(point[loop.inner()]);
        finishTile({{row}, false}, {lane, SmallVector<unsigned>(widths)},
                   vectors);
      });
    });
  };
  // The last vector may have fewer lanes.
  int64_t lanes = plan.form.lanes, full = lanes / width * width;
  auto rest = [&] { finish(lanePieces(lanes - full, width)); };
  if (full == 0)
    rest();
  else if (full == lanes)
    finish({width});
  else
    ifElse(isBelow(lane, full), [&] { finish({width}); }, rest);
}

/// The outputs of one square of the task, as far as they are outputs.
void ContractionNest::finishSquare(const Winograd &plan, Value place) {
  const WinogradForm &window = plan.form;
  SmallVector<Value> first =
      squareIndices(plan, math.add(plan.firstSquare, place), plan.squaresOf);
  Value high[2];
  for (unsigned a = 0; a < 2; ++a) {
    const WinogradForm::Axis &axis = window.axes[a];
    high[a] = axis.outputs % plan.side == 0
                  ? math.constant(plan.side)
                  : math.min(math.constant(plan.side),
                             math.sub(extents[axis.place], first[axis.place]));
  }
  Value start = math.mul(place, plan.row);
  auto vectorType = VectorType::get({width}, element);
  forRange(plan.firstLane, plan.lastLane, width, [&](Value lane) {
    SmallVector<Value> products;
    Value from = math.add(start, lane);
    for (int64_t point = 0; point < plan.points; ++point)
      products.push_back(vector::LoadOp::create(
          builder, loc, vectorType, plan.products,
          ValueRange{
              addConstant(builder, loc, from, point * plan.productStep)}));
    finishSums(plan,
               transformSquare(builder, loc, plan.transform.output,
                               plan.transform.output, products),
               plan.side, high, first,
               {window.axes[0].place, window.axes[1].place}, lane);
  });
}

} // namespace cornu::codegen
