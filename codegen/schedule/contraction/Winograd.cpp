//===- Winograd.cpp - A convolution as products of transforms -------------===//
//
// The version of a contraction nest for convolutions by minimal filtering (see
// WinogradForm.h):
//
//   codegen.parallel over blocks of channels
//     U[point][c][lanes] = G k G^T                       shared by all tasks
//   codegen.parallel over blocks of squares
//     for each square: V[point][square][c] = B^T d B     zero where padded
//     for each point:  M = V * U                         the register tile
//     for each square: A^T M A, epilogue, store
//
// Squares are numbered through all images, so that a task has its full number
// of rows whatever the size of an image. The border costs a copy of the patch.
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/Elementwise.h"
#include "codegen/schedule/contraction/Nest.h"
#include "codegen/schedule/contraction/WinogradTransform.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace cornu::codegen {

struct ContractionNest::Winograd {
  WinogradForm form;
  WinogradTransform transform;
  SmallVector<unsigned> outer; ///< row loops that are no axis: images
  int64_t side = 0, points = 0, squares = 0; ///< of a square; of a task
  Value perAxis[2];                          ///< squares of an image
  Value total;                               ///< squares of all images
  bool hasBorder = false;

  Value kernel;                           ///< U
  Value patches, products;                ///< V and M, of a task
  int64_t patchStep = 0, productStep = 0; ///< of V and M, from point to point
  Value border; ///< the patch at hand, where it crosses the border
  Value square; ///< the outputs at hand
};

/// One vector more between the points' blocks keeps them from falling into the
/// same cache sets.
static int64_t pointStep(int64_t elements, unsigned width) {
  return elements + width;
}

std::optional<ContractionNest::Winograd> ContractionNest::planWinograd() {
  Winograd plan;
  std::optional<WinogradForm> window = WinogradForm::of(root, form);
  if (strategy.getWinograd() == 0 || !window || !fusion.startsAtZero ||
      copies[form.right] || window->channels % width || window->lanes % width ||
      strategy.getNr() % width)
    return std::nullopt;
  const LinearView &weights = views[form.right];
  if (weights.stride(form.lane) != 1 && weights.stride(window->channel) != 1)
    return std::nullopt;
  auto transform = WinogradTransform::of(strategy.getWinograd(), window->taps);
  if (!transform)
    return std::nullopt;
  plan.form = *window;
  plan.transform = *transform;
  plan.side = transform->side;
  plan.points = transform->patch * transform->patch;
  plan.squares = llvm::alignTo(strategy.getSquares(), strategy.getMr());
  const ContractionInput &input = fusion.inputs[form.left];
  auto source = cast<MemRefType>(input.source.getType());
  auto operand = cast<MemRefType>(input.operand.getType());
  plan.total = math.constant(1);
  for (unsigned loop : form.rows)
    if (loop != window->axes[0].row && loop != window->axes[1].row) {
      plan.outer.push_back(loop);
      plan.total = math.mul(plan.total, extents[loop]);
    }
  for (unsigned i = 0; i < 2; ++i) {
    const WinogradForm::Axis &axis = window->axes[i];
    if (source.isDynamicDim(axis.dim))
      return std::nullopt;
    plan.perAxis[i] = math.ceilDiv(extents[axis.row], plan.side);
    plan.total = math.mul(plan.total, plan.perAxis[i]);
    plan.hasBorder |=
        axis.outputs % plan.side != 0 ||
        operand.getDimSize(axis.dim) != source.getDimSize(axis.dim);
  }
  return plan;
}

bool ContractionNest::emitWinogradVersion(
    llvm::function_ref<void()> otherwise) {
  std::optional<Winograd> plan = planWinograd();
  if (!plan)
    return false;
  int64_t least = strategy.getWinogradFrom();
  Value many;
  if (std::optional<int64_t> total = constantOf(plan->total))
    many = arith::ConstantOp::create(builder, loc,
                                     builder.getBoolAttr(*total >= least));
  else
    many = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge,
                                 plan->total, math.constant(least));
  ifElse(many, [&] { emitWinograd(*plan); }, otherwise);
  return true;
}

void ContractionNest::emitWinograd(Winograd &plan) {
  rowLoops.clear();
  for (unsigned loop : form.rows)
    rowLoops.push_back(NestLoop{{loop}, extents[loop], 1});
  reductionLoops.clear();
  reductionBlocked = sumsInWorkspace = false;
  ranges.assign(root.getNumLoops(), LoopRange());

  transformKernel(plan);
  Value tasks = math.ceilDiv(plan.total, plan.squares);
  auto task = [&](Value index, Value worker) {
    startWorkspace(worker);
    const WinogradForm &window = plan.form;
    plan.patchStep = pointStep(plan.squares * window.channels, width);
    plan.productStep = pointStep(plan.squares * window.lanes, width);
    plan.patches = allocate(plan.points * plan.patchStep);
    plan.products = allocate(plan.points * plan.productStep);
    plan.square = allocate(plan.side * plan.side * width);
    if (plan.hasBorder || fusion.inputs[form.left].computed)
      plan.border = allocate(plan.points * window.channels);
    Value first = math.mul(index, plan.squares);
    Value count = blockRange(plan.total, first, plan.squares).size;
    forRange(math.constant(0), count, 1, [&](Value square) {
      transformPatch(plan, math.add(first, square), square);
    });
    forRange(math.constant(0), math.constant(plan.points), 1,
             [&](Value point) { multiplyPoint(plan, point, count); });
    forRange(math.constant(0), count, 1, [&](Value square) {
      finishSquare(plan, math.add(first, square), square);
    });
  };
  if (constantOf(tasks) == 1)
    return task(math.constant(0), math.constant(0));
  ParallelOp::create(builder, loc, tasks, Value(),
                     [&](OpBuilder &, Location, Value index, Value worker) {
                       task(index, worker);
                     });
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

/// U as the register tile reads it: [point][panel of nr lanes][c][lanes].
void ContractionNest::transformKernel(Winograd &plan) {
  const WinogradForm &window = plan.form;
  const LinearView &weights = views[form.right];
  int64_t channels = window.channels, lanes = window.lanes;
  int64_t perPoint = channels * lanes;
  auto kernel = root->getParentOfType<func::FuncOp>();
  int64_t start =
      takeSharedWorkspace(kernel, plan.points * perPoint * sizeof(float));
  Value bytes = KernelWorkspaceOp::create(
      builder, loc,
      MemRefType::get({ShapedType::kDynamic}, builder.getI8Type()));
  plan.kernel = memref::ViewOp::create(
      builder, loc, MemRefType::get({plan.points * perPoint}, element), bytes,
      math.constant(start), ValueRange());

  auto vectorType = VectorType::get({width}, element);
  // The transform of the window at `offset`, of neighbouring channels or lanes.
  auto transformAt = [&](Value offset) {
    SmallVector<Value> square;
    for (int64_t i = 0; i < window.taps * window.taps; ++i) {
      Value at = offset;
      int64_t taps[2] = {i / window.taps, i % window.taps};
      for (unsigned a = 0; a < 2; ++a) {
        const WinogradForm::Axis &axis = window.axes[a];
        int64_t tap = axis.backwards ? window.taps - 1 - taps[a] : taps[a];
        at = math.add(at,
                      math.mul(math.constant(tap), weights.strides[axis.tap]));
      }
      square.push_back(vector::LoadOp::create(builder, loc, vectorType,
                                              weights.buffer, ValueRange{at}));
    }
    return transformSquare(builder, loc, plan.transform.kernel, square);
  };
  // Where lanes [lane, lane + width) of a channel stand within a point.
  auto place = [&](Value channel, Value lane) {
    Value nr = math.constant(strategy.getNr());
    Value panel = math.mul(math.div(lane, nr), nr);
    Value columns = math.min(nr, math.sub(math.constant(lanes), panel));
    return math.add(
        math.add(math.mul(panel, channels), math.mul(channel, columns)),
        math.sub(lane, panel));
  };
  auto store = [&](Value vector, Value point, Value at) {
    vector::StoreOp::create(
        builder, loc, vector, plan.kernel,
        ValueRange{math.add(math.mul(point, perPoint), at)});
  };
  bool alongLanes = weights.stride(form.lane) == 1;
  auto task = [&](Value index, Value worker) {
    startWorkspace(worker);
    Value first = math.mul(index, width);
    Value base = math.add(weights.base,
                          math.mul(first, weights.strides[window.channel]));
    forRange(math.constant(0), math.constant(lanes), width, [&](Value lane) {
      if (alongLanes)
        return forRange(
            math.constant(0), math.constant(width), 1, [&](Value c) {
              Value offset =
                  math.add(math.add(base, lane),
                           math.mul(c, weights.strides[window.channel]));
              Value at = place(math.add(first, c), lane);
              for (auto [point, value] : llvm::enumerate(transformAt(offset)))
                store(value, math.constant(point), at);
            });
      // Vectors along the channels: a square of them is transposed.
      workspaceUsed = 0;
      Value block = allocate(plan.points * width * width);
      auto inBlock = [&](Value point, Value l) {
        return math.add(math.mul(point, width * width), math.mul(l, width));
      };
      forRange(math.constant(0), math.constant(width), 1, [&](Value l) {
        Value offset = math.add(
            base, math.mul(math.add(lane, l), weights.strides[form.lane]));
        for (auto [point, value] : llvm::enumerate(transformAt(offset)))
          vector::StoreOp::create(builder, loc, value, block,
                                  ValueRange{inBlock(math.constant(point), l)});
      });
      forRange(math.constant(0), math.constant(plan.points), 1,
               [&](Value point) {
                 SmallVector<Value> rows;
                 for (unsigned l = 0; l < width; ++l)
                   rows.push_back(vector::LoadOp::create(
                       builder, loc, vectorType, block,
                       ValueRange{inBlock(point, math.constant(l))}));
                 rows = transpose(builder, loc, rows);
                 for (auto [c, row] : llvm::enumerate(rows))
                   store(row, point, place(math.add(first, c), lane));
               });
    });
  };
  Value tasks = math.constant(channels / width);
  if (channels == width)
    return task(math.constant(0), math.constant(0));
  ParallelOp::create(builder, loc, tasks, Value(),
                     [&](OpBuilder &, Location, Value index, Value worker) {
                       task(index, worker);
                     });
}

//===----------------------------------------------------------------------===//
// Squares
//===----------------------------------------------------------------------===//

/// The index of each row loop for the first output of square `number`.
SmallVector<Value> ContractionNest::squareIndices(const Winograd &plan,
                                                  Value number) {
  SmallVector<Value> indices(root.getNumLoops());
  for (unsigned a = 2; a-- > 0;) {
    Value index = math.rem(number, plan.perAxis[a]);
    number = math.div(number, plan.perAxis[a]);
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

/// V for one square: the patch is read where it is, or from a copy with zeros
/// where it leaves the source.
void ContractionNest::transformPatch(Winograd &plan, Value number,
                                     Value place) {
  const WinogradForm &window = plan.form;
  const ContractionInput &input = fusion.inputs[form.left];
  auto type = cast<MemRefType>(input.source.getType());
  unsigned rank = type.getRank();
  int64_t side = plan.transform.patch, channels = window.channels;
  SmallVector<Value> loops = squareIndices(plan, number);

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
    for (auto [point, value] : llvm::enumerate(
             transformSquare(builder, loc, plan.transform.input, patch)))
      vector::StoreOp::create(builder, loc, value, plan.patches,
                              ValueRange{addConstant(builder, loc, target,
                                                     point * plan.patchStep)});
  });
}

/// The products of one point: `count` squares by all lanes, in register tiles.
/// Rows beyond `count` are computed from what the workspace holds, and unread.
void ContractionNest::multiplyPoint(const Winograd &plan, Value point,
                                    Value count) {
  const WinogradForm &window = plan.form;
  int64_t channels = window.channels, lanes = window.lanes;
  int64_t mr = strategy.getMr();
  Value left = math.mul(point, plan.patchStep);
  Value right = math.mul(point, channels * lanes);
  Value out = math.mul(point, plan.productStep);
  auto vectorType = VectorType::get({width}, element);
  auto tile = [&](Value start, int64_t columns) {
    unsigned vectors = columns / width;
    Value panel = math.add(right, math.mul(start, channels));
    forRange(math.constant(0), count, mr, [&](Value row) {
      Value from = math.add(left, math.mul(row, channels));
      SmallVector<Value> zeros(
          mr * vectors, arith::ConstantOp::create(
                            builder, loc, builder.getZeroAttr(vectorType)));
      auto loop = scf::ForOp::create(
          builder, loc, math.constant(0), math.constant(channels),
          math.constant(1), zeros,
          [&](OpBuilder &, Location, Value c, ValueRange accumulators) {
            SmallVector<Value> weights, sums;
            Value at = math.add(panel, math.mul(c, columns));
            for (unsigned v = 0; v < vectors; ++v)
              weights.push_back(vector::LoadOp::create(
                  builder, loc, vectorType, plan.kernel,
                  ValueRange{addConstant(builder, loc, at, v * width)}));
            Value element = math.add(from, c);
            for (int64_t r = 0; r < mr; ++r) {
              Value value = memref::LoadOp::create(
                  builder, loc, plan.patches,
                  ValueRange{addConstant(builder, loc, element, r * channels)});
              value = splat(builder, loc, value, width);
              for (unsigned v = 0; v < vectors; ++v)
                sums.push_back(
                    vector::FMAOp::create(builder, loc, value, weights[v],
                                          accumulators[r * vectors + v]));
            }
            scf::YieldOp::create(builder, loc, sums);
          });
      Value target = math.add(math.add(out, math.mul(row, lanes)), start);
      for (int64_t r = 0; r < mr; ++r)
        for (unsigned v = 0; v < vectors; ++v)
          vector::StoreOp::create(
              builder, loc, loop.getResult(r * vectors + v), plan.products,
              ValueRange{
                  addConstant(builder, loc, target, r * lanes + v * width)});
    });
  };
  int64_t nr = strategy.getNr(), full = lanes / nr * nr;
  forRange(math.constant(0), math.constant(full), nr,
           [&](Value start) { tile(start, nr); });
  if (full < lanes)
    tile(math.constant(full), lanes - full);
}

/// The outputs of one square, as far as they are outputs.
void ContractionNest::finishSquare(const Winograd &plan, Value number,
                                   Value place) {
  const WinogradForm &window = plan.form;
  auto vectorType = VectorType::get({width}, element);
  SmallVector<Value> first = squareIndices(plan, number);
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
            transformSquare(builder, loc, plan.transform.output, products);
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
