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
// WinogradKernel.cpp has U, where it is no constant, WinogradSquares.cpp V and
// the outputs.
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/contraction/Winograd.h"
#include "codegen/schedule/Elementwise.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace cornu::codegen {

/// The input of which a convolution's patches, or the squares of the outputs'
/// gradient, are read.
WinogradSource ContractionNest::squaresIn(const Winograd &plan,
                                          unsigned number) {
  WinogradSource source;
  bool patches = number == form.left;
  const WinogradForm &window = plan.form;
  const ContractionInput &input = fusion.inputs[number];
  auto type = cast<MemRefType>(input.source.getType());
  auto operand = cast<MemRefType>(input.operand.getType());
  source.input = number;
  source.side = patches ? plan.transform.patch : plan.side;
  source.channels = !window.forKernel ? window.channels
                    : patches         ? plan.strategy.getChannels()
                                      : plan.strategy.getLanes();
  source.firstChannel = math.constant(0);
  for (unsigned i = 0; i < 2; ++i) {
    const WinogradForm::Axis &axis = window.axes[i];
    source.dims[i] = axis.dim;
    if (!patches)
      source.dims[i] =
          *maps[number].getResultPosition(builder.getAffineDimExpr(axis.place));
    source.first[i] = patches ? axis.first : 0;
    unsigned dim = source.dims[i];
    source.hasBorder |= axis.outputs % plan.side != 0 ||
                        operand.getDimSize(dim) != type.getDimSize(dim);
  }
  return source;
}

std::optional<ContractionNest::Winograd> ContractionNest::planWinograd() {
  Winograd plan;
  plan.strategy = strategy.getWinograd();
  std::optional<WinogradForm> window = WinogradForm::of(root, form);
  if (!plan.strategy || !window || !fusion.startsAtZero)
    return std::nullopt;
  auto transform = WinogradTransform::of(plan.strategy.getSide(), window->taps,
                                         plan.strategy.getTaps());
  if (!transform)
    return std::nullopt;
  if (!window->forKernel && copies[form.right])
    return std::nullopt;
  if (window->forKernel) {
    // Blocks are equal, and of full vectors where there are several.
    int64_t channels = plan.strategy.getChannels(),
            lanes = plan.strategy.getLanes();
    if (channels <= 0 || lanes <= 0 || window->channels % channels ||
        window->lanes % lanes || (lanes < window->lanes && lanes % width))
      return std::nullopt;
  }
  plan.form = *window;
  plan.transform = *transform;
  plan.side = transform->side;
  plan.lanes = llvm::alignTo(window->lanes, width);
  plan.nr = llvm::alignTo(strategy.getNr(), width);
  plan.row = window->forKernel ? llvm::alignTo(plan.strategy.getLanes(), width)
                               : plan.lanes;
  plan.points = transform->patch * transform->patch;
  plan.parts = transform->parts.size();
  plan.total = math.constant(1);
  for (unsigned loop : window->outer)
    plan.total = math.mul(plan.total, extents[loop]);
  for (unsigned i = 0; i < 2; ++i) {
    plan.squaresOf[i] = llvm::divideCeil(window->axes[i].outputs, plan.side);
    plan.total = math.mul(plan.total, plan.squaresOf[i]);
  }
  auto isStatic = [&](const WinogradSource &source) {
    auto type = cast<MemRefType>(fusion.inputs[source.input].source.getType());
    return !type.isDynamicDim(source.dims[0]) &&
           !type.isDynamicDim(source.dims[1]);
  };
  plan.patchSource = squaresIn(plan, form.left);
  if (window->forKernel)
    plan.squareSource = squaresIn(plan, form.right);
  if (!isStatic(plan.patchSource) ||
      (window->forKernel && !isStatic(plan.squareSource)))
    return std::nullopt;
  // Rows of squares stay whole where their patches are further apart.
  plan.squares = plan.strategy.getSquares();
  plan.squares =
      llvm::alignTo(plan.squares, !window->forKernel ? strategy.getMr()
                                  : plan.parts > 1   ? plan.squaresOf[1]
                                                     : 1);
  // A block's squares touch so many rows and images beyond their first, and
  // skip the patches at the end of each.
  int64_t further = plan.squares - 1;
  int64_t rows = llvm::divideCeil(further, plan.squaresOf[1]);
  int64_t images =
      llvm::divideCeil(further, plan.squaresOf[0] * plan.squaresOf[1]);
  plan.patches = 1 + further +
                 (plan.parts - 1) * (rows + images * plan.patchesOf(1)) +
                 plan.reach();
  return plan;
}

FailureOr<bool>
ContractionNest::emitWinogradVersion(llvm::function_ref<void()> otherwise) {
  std::optional<Winograd> plan = planWinograd();
  WinogradAttr winograd = strategy.getWinograd();
  if (!plan && winograd && winograd.getTransformed())
    return root.emitError("has a transformed kernel, which only a convolution "
                          "by minimal filtering can read");
  if (!plan)
    return false;
  int64_t least = plan->strategy.getFrom();
  Value many;
  std::optional<int64_t> total = constantOf(plan->total);
  if (total || least == 0)
    many = arith::ConstantOp::create(
        builder, loc, builder.getBoolAttr(least == 0 || *total >= least));
  else
    many = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge,
                                 plan->total, math.constant(least));
  ifElse(
      many,
      [&] {
        startWinograd();
        if (plan->form.forKernel)
          emitWinogradGradient(*plan);
        else
          emitWinograd(*plan);
      },
      otherwise);
  return true;
}

/// Tasks that a small problem is cut into, if its squares fill their tiles.
static constexpr int64_t kFewTasks = 8;

/// Results are finished one by one, without blocks of a reduction.
void ContractionNest::startWinograd() {
  rowLoops.clear();
  for (unsigned loop : form.rows)
    rowLoops.push_back(NestLoop{{loop}, extents[loop], 1});
  reductionLoops.clear();
  reductionBlocked = sumsInWorkspace = false;
  ranges.assign(root.getNumLoops(), LoopRange());
}

void ContractionNest::emitWinograd(Winograd &plan) {
  if (plan.strategy.getTransformed())
    plan.kernel = views[form.right].buffer;
  else
    transformKernel(plan);
  Value step, parts = math.constant(1);
  cutSquares(plan, step, parts);
  Value tasks = math.mul(math.ceilDiv(plan.total, step), parts);
  forTasks(tasks, [&](Value index) {
    allocatePoints(plan);
    takeLanes(plan, math.rem(index, parts), parts);
    Value first = math.mul(math.div(index, parts), step);
    Value count = startSquares(plan, first, step);
    forRange(math.constant(0), math.constant(plan.points), 1,
             [&](Value point) { multiplyPoint(plan, point, count); });
    forRange(math.constant(0), count, 1,
             [&](Value square) { finishSquare(plan, square); });
  });
}

/// How many squares a task has, and in how many parts their lanes are tasks of
/// their own. A square's result is the same in any task.
void ContractionNest::cutSquares(const Winograd &plan, Value &squares,
                                 Value &parts) {
  // Few squares are a few tasks, too.
  Value step = math.mul(
      math.ceilDiv(math.ceilDiv(plan.total, kFewTasks), strategy.getMr()),
      strategy.getMr());
  squares =
      math.min(math.max(step, math.constant(1)), math.constant(plan.squares));
  if (!plan.cutsLanes())
    return;
  // Each of them would read all of a large kernel. As many as one task may
  // have are tasks for parts of it instead, which all transform the patches.
  Value few = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sle,
                                    plan.total, math.constant(plan.squares));
  int64_t most = llvm::divideCeil(plan.form.lanes, plan.strategy.getLanes());
  auto inFew = [&](int64_t value, Value otherwise) -> Value {
    return arith::SelectOp::create(builder, loc, few, math.constant(value),
                                   otherwise);
  };
  squares = inFew(plan.squares, squares);
  parts = inFew(most, parts);
}

/// The lanes of part `number` of so many.
void ContractionNest::takeLanes(Winograd &plan, Value number, Value parts) {
  plan.firstLane = math.constant(0);
  plan.lastLane = math.constant(plan.lanes);
  if (!plan.cutsLanes())
    return;
  Value lanes = math.constant(plan.strategy.getLanes());
  Value isWhole = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                        parts, math.constant(1));
  plan.firstLane = math.mul(number, lanes);
  Value end = math.min(math.add(plan.firstLane, lanes), plan.lastLane);
  plan.lastLane =
      arith::SelectOp::create(builder, loc, isWhole, plan.lastLane, end);
}

/// Runs `body` for each task, with its worker's workspace.
void ContractionNest::forTasks(Value tasks,
                               llvm::function_ref<void(Value)> body) {
  auto task = [&](Value index, Value worker) {
    startWorkspace(worker);
    body(index);
  };
  if (constantOf(tasks) == 1)
    return task(math.constant(0), math.constant(0));
  ParallelOp::create(builder, loc, tasks, Value(),
                     [&](OpBuilder &, Location, Value index, Value worker) {
                       task(index, worker);
                     });
}

/// Workspace for V, for M or its counterpart, and for the squares at hand.
void ContractionNest::allocatePoints(Winograd &plan) {
  plan.patchStep =
      Winograd::pointStep(plan.patches * plan.patchSource.channels, width);
  plan.productStep = Winograd::pointStep(plan.squares * plan.row, width);
  plan.transformed = allocate(plan.points * plan.patchStep);
  plan.products = allocate(plan.points * plan.productStep);
  int64_t results = plan.form.forKernel ? plan.form.taps : plan.side;
  plan.square = allocate(results * results * width);
  for (WinogradSource *source : {&plan.patchSource, &plan.squareSource})
    if (source->side > 0 &&
        (source->hasBorder || fusion.inputs[source->input].computed))
      source->copy = allocate(source->side * source->side * source->channels);
}

/// V for the block of at most `most` squares from `first` on, and how many it
/// has.
Value ContractionNest::startSquares(Winograd &plan, Value first, Value most) {
  plan.firstSquare = first;
  Value count = math.min(most, math.sub(plan.total, first));
  plan.firstPatch = patchOf(plan, first);
  Value last = math.add(math.add(first, count), -1);
  Value patches = math.add(math.sub(patchOf(plan, last), plan.firstPatch),
                           1 + plan.reach());
  forRange(math.constant(0), patches, 1, [&](Value patch) {
    SmallVector<Value> loops =
        squareIndices(plan, math.add(plan.firstPatch, patch),
                      {plan.patchesOf(0), plan.patchesOf(1)});
    transformInto(plan, plan.patchSource, loops, plan.transform.input,
                  plan.transformed, patch, plan.patchSource.channels,
                  plan.patchStep);
  });
  return count;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// The products of one point: `count` squares by all lanes, in register tiles.
/// Rows beyond `count` are computed from what the workspace holds, and unread.
void ContractionNest::multiplyPoint(const Winograd &plan, Value point,
                                    Value count) {
  int64_t mr = strategy.getMr();
  Value right = math.mul(point, plan.pointWeights());
  Value out = math.mul(point, plan.productStep);
  forPanels(plan, [&](Value start, int64_t columns) {
    Value weights = math.add(right, math.mul(start, plan.terms()));
    forRange(math.constant(0), count, mr, [&](Value row) {
      SmallVector<Value> sums =
          multiplyTile(plan, point, row, weights, columns / width);
      Value target = math.add(math.add(out, math.mul(row, plan.row)), start);
      for (auto [i, sum] : llvm::enumerate(sums)) {
        int64_t vectors = columns / width, r = i / vectors, v = i % vectors;
        vector::StoreOp::create(
            builder, loc, sum, plan.products,
            ValueRange{
                addConstant(builder, loc, target, r * plan.row + v * width)});
      }
    });
  });
}

/// Covers the lanes of a task with tiles: full ones in a loop, then the rest.
void ContractionNest::forPanels(const Winograd &plan,
                                llvm::function_ref<void(Value, int64_t)> body) {
  if (plan.cutsLanes())
    return forRange(plan.firstLane, plan.lastLane, plan.nr,
                    [&](Value start) { body(start, plan.nr); });
  int64_t full = plan.row / plan.nr * plan.nr;
  forRange(math.constant(0), math.constant(full), plan.nr,
           [&](Value start) { body(start, plan.nr); });
  if (full < plan.row)
    body(math.constant(full), plan.row - full);
}

/// A tile's `sums` and the products of so many terms: row r of V has a term's
/// element at leftAt(term, r), `right` its vectors from rightAt(term) on.
SmallVector<Value> ContractionNest::addTerms(
    const Winograd &plan, int64_t rows, Value right, Value terms,
    llvm::function_ref<Value(Value, int64_t)> leftAt,
    llvm::function_ref<Value(Value)> rightAt, ValueRange sums) {
  int64_t vectors = sums.size() / rows;
  auto vectorType = VectorType::get({width}, element);
  auto loop = scf::ForOp::create(
      builder, loc, math.constant(0), terms, math.constant(1), sums,
      [&](OpBuilder &, Location, Value term, ValueRange accumulators) {
        SmallVector<Value> weights, next;
        Value at = rightAt(term);
        for (int64_t v = 0; v < vectors; ++v)
          weights.push_back(vector::LoadOp::create(
              builder, loc, vectorType, right,
              ValueRange{addConstant(builder, loc, at, v * width)}));
        for (int64_t r = 0; r < rows; ++r) {
          Value value = memref::LoadOp::create(builder, loc, plan.transformed,
                                               ValueRange{leftAt(term, r)});
          value = splat(builder, loc, value, width);
          for (int64_t v = 0; v < vectors; ++v)
            next.push_back(
                vector::FMAOp::create(builder, loc, value, weights[v],
                                      accumulators[r * vectors + v]));
        }
        scf::YieldOp::create(builder, loc, next);
      });
  return loop.getResults();
}

/// The first part of the window with a product for the point, down and across:
/// all but the last are zero in the last point of an axis.
std::pair<Value, Value> ContractionNest::firstParts(const Winograd &plan,
                                                    Value point) {
  const int64_t patch = plan.transform.patch;
  auto first = [&](Value point) -> Value {
    Value isLast = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                         point, math.constant(patch - 1));
    return arith::SelectOp::create(
        builder, loc, isLast, math.constant(plan.parts - 1), math.constant(0));
  };
  return {first(math.div(point, math.constant(patch))),
          first(math.rem(point, math.constant(patch)))};
}

/// The sums of a point for mr squares from `row` on and so many vectors of
/// lanes, whose panel of U begins at `panel`.
SmallVector<Value> ContractionNest::multiplyTile(const Winograd &plan,
                                                 Value point, Value row,
                                                 Value panel,
                                                 unsigned vectors) {
  int64_t channels = plan.form.channels, columns = vectors * width;
  SmallVector<Value> sums(strategy.getMr() * vectors, zeroOf(width));

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
  auto addRun = [&](Value left, Value right, Value terms, ValueRange initial) {
    return addTerms(
        plan, strategy.getMr(), plan.kernel, terms,
        [&](Value term, int64_t r) {
          return math.add(math.add(squares[r], left), term);
        },
        [&](Value term) { return math.add(right, math.mul(term, columns)); },
        initial);
  };
  if (plan.parts == 1)
    return addRun(math.constant(0), panel, math.constant(channels), sums);

  Value firstDown, firstAcross;
  std::tie(firstDown, firstAcross) = firstParts(plan, point);
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
