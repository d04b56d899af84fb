//===- Winograd.cpp - A convolution as products of transforms -------------===//
//
// The version of a contraction nest for convolutions by minimal filtering (see
// WinogradForm.h):
//
//   codegen.parallel over blocks of channels
//     U[point][part][c][lanes] = G k G^T                 shared by all tasks
//   codegen.parallel over blocks of squares
//     for each patch:  V[point][patch][c] = B^T d B      zero where padded
//     for each point:  M = sum over parts of V * U       the register tile
//     for each square: A^T M A, epilogue, store
//
// Squares are numbered through all images, so that a task has its full number
// of rows whatever the size of an image. The border costs a copy of the patch.
// WinogradKernel.cpp has U, WinogradSquares.cpp V and the outputs.
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/contraction/Winograd.h"
#include "codegen/schedule/Elementwise.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace cornu::codegen {

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
  auto transform = WinogradTransform::of(strategy.getWinograd(), window->taps,
                                         strategy.getWinogradTaps());
  if (!transform)
    return std::nullopt;
  plan.form = *window;
  plan.transform = *transform;
  plan.side = transform->side;
  plan.points = transform->patch * transform->patch;
  plan.parts = transform->parts.size();
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
    plan.squaresOf[i] = llvm::divideCeil(axis.outputs, plan.side);
    plan.total = math.mul(plan.total, plan.squaresOf[i]);
    plan.hasBorder |=
        axis.outputs % plan.side != 0 ||
        operand.getDimSize(axis.dim) != source.getDimSize(axis.dim);
  }
  // A task's squares touch so many rows and images beyond their first, and skip
  // the patches at the end of each.
  plan.squares = llvm::alignTo(strategy.getSquares(), strategy.getMr());
  int64_t further = plan.squares - 1;
  int64_t rows = llvm::divideCeil(further, plan.squaresOf[1]);
  int64_t images =
      llvm::divideCeil(further, plan.squaresOf[0] * plan.squaresOf[1]);
  plan.patches = 1 + further +
                 (plan.parts - 1) * (rows + images * plan.patchesOf(1)) +
                 plan.reach();
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
    plan.patchStep = pointStep(plan.patches * window.channels, width);
    plan.productStep = pointStep(plan.squares * window.lanes, width);
    plan.transformed = allocate(plan.points * plan.patchStep);
    plan.products = allocate(plan.points * plan.productStep);
    plan.square = allocate(plan.side * plan.side * width);
    if (plan.hasBorder || fusion.inputs[form.left].computed)
      plan.border = allocate(plan.points * window.channels);
    plan.firstSquare = math.mul(index, plan.squares);
    Value count = blockRange(plan.total, plan.firstSquare, plan.squares).size;
    plan.firstPatch = patchOf(plan, plan.firstSquare);
    Value lastSquare = math.add(math.add(plan.firstSquare, count), -1);
    Value patches = math.add(
        math.sub(patchOf(plan, lastSquare), plan.firstPatch), 1 + plan.reach());
    forRange(math.constant(0), patches, 1,
             [&](Value patch) { transformPatch(plan, patch); });
    forRange(math.constant(0), math.constant(plan.points), 1,
             [&](Value point) { multiplyPoint(plan, point, count); });
    forRange(math.constant(0), count, 1,
             [&](Value square) { finishSquare(plan, square); });
  };
  if (constantOf(tasks) == 1)
    return task(math.constant(0), math.constant(0));
  ParallelOp::create(builder, loc, tasks, Value(),
                     [&](OpBuilder &, Location, Value index, Value worker) {
                       task(index, worker);
                     });
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// The products of one point: `count` squares by all lanes, in register tiles.
/// Rows beyond `count` are computed from what the workspace holds, and unread.
void ContractionNest::multiplyPoint(const Winograd &plan, Value point,
                                    Value count) {
  int64_t lanes = plan.form.lanes, mr = strategy.getMr(), nr = strategy.getNr();
  Value right = math.mul(point, plan.pointWeights());
  Value out = math.mul(point, plan.productStep);
  auto panel = [&](Value start, int64_t columns) {
    Value weights = math.add(right, math.mul(start, plan.terms()));
    forRange(math.constant(0), count, mr, [&](Value row) {
      SmallVector<Value> sums =
          multiplyTile(plan, point, row, weights, columns / width);
      Value target = math.add(math.add(out, math.mul(row, lanes)), start);
      for (auto [i, sum] : llvm::enumerate(sums)) {
        int64_t vectors = columns / width, r = i / vectors, v = i % vectors;
        vector::StoreOp::create(builder, loc, sum, plan.products,
                                ValueRange{addConstant(builder, loc, target,
                                                       r * lanes + v * width)});
      }
    });
  };
  int64_t full = lanes / nr * nr;
  forRange(math.constant(0), math.constant(full), nr,
           [&](Value start) { panel(start, nr); });
  if (full < lanes)
    panel(math.constant(full), lanes - full);
}

/// The sums of a point for mr squares from `row` on and so many vectors of
/// lanes, whose panel of U begins at `panel`.
SmallVector<Value> ContractionNest::multiplyTile(const Winograd &plan,
                                                 Value point, Value row,
                                                 Value panel,
                                                 unsigned vectors) {
  int64_t channels = plan.form.channels, columns = vectors * width;
  auto vectorType = VectorType::get({width}, element);
  SmallVector<Value> sums(
      strategy.getMr() * vectors,
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(vectorType)));

  // Where the patches of the tile's squares stand in V.
  SmallVector<Value> squares;
  Value base = math.mul(point, plan.patchStep);
  for (int64_t r = 0; r < strategy.getMr(); ++r) {
    Value square = math.add(math.add(plan.firstSquare, row), r);
    Value patch = math.sub(patchOf(plan, square), plan.firstPatch);
    squares.push_back(math.add(base, math.mul(patch, channels)));
  }
  // Neighbouring parts of a row of the window read neighbouring patches with
  // neighbouring weights: one run of terms.
  auto addRun = [&](Value left, Value right, Value terms,
                    ValueRange initial) -> SmallVector<Value> {
    auto loop = scf::ForOp::create(
        builder, loc, math.constant(0), terms, math.constant(1), initial,
        [&](OpBuilder &, Location, Value term, ValueRange accumulators) {
          SmallVector<Value> weights, next;
          Value at = math.add(right, math.mul(term, columns));
          for (unsigned v = 0; v < vectors; ++v)
            weights.push_back(vector::LoadOp::create(
                builder, loc, vectorType, plan.kernel,
                ValueRange{addConstant(builder, loc, at, v * width)}));
          for (auto [r, square] : llvm::enumerate(squares)) {
            Value value = memref::LoadOp::create(
                builder, loc, plan.transformed,
                ValueRange{math.add(math.add(square, left), term)});
            value = splat(builder, loc, value, width);
            for (unsigned v = 0; v < vectors; ++v)
              next.push_back(
                  vector::FMAOp::create(builder, loc, value, weights[v],
                                        accumulators[r * vectors + v]));
          }
          scf::YieldOp::create(builder, loc, next);
        });
    return loop.getResults();
  };
  if (plan.parts == 1)
    return addRun(math.constant(0), panel, math.constant(channels), sums);

  // All parts but the last are zero in the last point of an axis.
  const int64_t patch = plan.transform.patch;
  auto firstPart = [&](Value point) -> Value {
    Value isLast = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                         point, math.constant(patch - 1));
    return arith::SelectOp::create(
        builder, loc, isLast, math.constant(plan.parts - 1), math.constant(0));
  };
  Value firstDown = firstPart(math.div(point, math.constant(patch)));
  Value firstAcross = firstPart(math.rem(point, math.constant(patch)));
  Value terms =
      math.mul(math.sub(math.constant(plan.parts), firstAcross), channels);
  auto loop = scf::ForOp::create(
      builder, loc, firstDown, math.constant(plan.parts), math.constant(1),
      sums, [&](OpBuilder &, Location, Value down, ValueRange accumulators) {
        Value patches =
            math.add(math.mul(down, plan.patchesOf(1)), firstAcross);
        Value part = math.add(math.mul(down, plan.parts), firstAcross);
        scf::YieldOp::create(
            builder, loc,
            addRun(math.mul(patches, channels),
                   math.add(panel, math.mul(part, channels * columns)), terms,
                   accumulators));
      });
  return loop.getResults();
}

} // namespace cornu::codegen
