//===- Pooling.cpp - Reductions of windows and their gradients ------------===//
//
// A pool is a reduction of windows of a padded operand; an operand that is
// never read gives the window its size:
//
//   %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] { -inf }
//   %y = linalg.generic {(n, oh, ow, kh, kw, c)
//          -> (n, oh * s + kh, ow * s + kw, c)            // %p
//          -> (kh, kw)                                    // the window
//          -> (n, oh, ow, c), reduction in kh, kw} { arith.maximumf }
//
// The gradient is a sum over taps for each phase of positions (Phases.h). Where
// windows do not overlap, all taps of a window are written at once, a map
// whose output is indexed as %p is above. The gradient of max_pool first finds
// the number of the tap where each window has its first maximum.
//
//===----------------------------------------------------------------------===//

#include "passes/lower/KernelLowering.h"
#include "passes/lower/Phases.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace cornu::nn;

namespace cornu::lower {

static constexpr double kLowest = -std::numeric_limits<double>::infinity();

namespace {

/// The windows of a pool: loops (n, o..., t..., c).
class Windows {
public:
  template <typename Op>
  Windows(KernelLowering &kernel, Op op, RankedTensorType input,
          RankedTensorType output, OpFoldResult batch)
      : kernel(kernel), loc(op.getLoc()), window(op.getWindow()),
        strides(op.getStrides()), input(input) {
    OpBuilder &b = kernel.builder();
    sizes.push_back(batch);
    for (unsigned d = 0; d < rank(); ++d) {
      int64_t outputs = output.getDimSize(d + 1);
      sizes.push_back(b.getIndexAttr(outputs));
      low.push_back(op.getPadding()[2 * d]);
      high.push_back(std::max<int64_t>(0, (outputs - 1) * strides[d] +
                                              window[d] - low[d] -
                                              input.getDimSize(d + 1)));
    }
    for (int64_t size : window)
      sizes.push_back(b.getIndexAttr(size));
    sizes.push_back(b.getIndexAttr(input.getShape().back()));
  }

  unsigned rank() const { return window.size(); }
  unsigned firstTap() const { return 1 + rank(); }
  unsigned channel() const { return 1 + 2 * rank(); }

  Value pad(Value tensor, double value) {
    return kernel.padSpatial(loc, tensor, low, high, value);
  }
  Index positions(Nest &nest) {
    Index index{nest.dim(0)};
    for (unsigned d = 0; d < rank(); ++d)
      index.push_back(nest.dim(1 + d) * strides[d] + nest.dim(firstTap() + d));
    index.push_back(nest.dim(channel()));
    return index;
  }
  Index outputs(Nest &nest) {
    Index index = nest.dims(0, 1 + rank());
    index.push_back(nest.dim(channel()));
    return index;
  }
  /// The number of the tap, row-major.
  AffineExpr tapNumber(Nest &nest) {
    AffineExpr number = nest.constant(0);
    for (unsigned d = 0; d < rank(); ++d)
      number = number * window[d] + nest.dim(firstTap() + d);
    return number;
  }
  /// Taps reduce.
  SmallVector<IteratorType> gathering() {
    SmallVector<IteratorType> kinds(sizes.size(), IteratorType::parallel);
    for (unsigned d = 0; d < rank(); ++d)
      kinds[firstTap() + d] = IteratorType::reduction;
    return kinds;
  }
  /// True if all windows lie within the input, and no position in two.
  bool areDisjoint() {
    for (unsigned d = 0; d < rank(); ++d)
      if (window[d] > strides[d] || low[d] != 0 || high[d] != 0)
        return false;
    return true;
  }
  /// True if every position of the input lies in exactly one window.
  bool areTiles() {
    for (unsigned d = 0; d < rank(); ++d)
      if (window[d] != strides[d] || input.getDimSize(d + 1) % window[d] != 0)
        return false;
    return areDisjoint();
  }
  Sizes outputShape() {
    Sizes shape(sizes.begin(), sizes.begin() + 1 + rank());
    shape.push_back(sizes.back());
    return shape;
  }

  /// A tensor of the outputs, and what lies around it for taps that no window
  /// has.
  struct Operand {
    Value tensor;
    double around;
  };
  /// Computes what a window's elements give to its tap of a number.
  using Term = llvm::function_ref<Value(Nest &, ValueRange, AffineExpr)>;

  /// Adds up, at every position of the input, the terms of the windows that it
  /// lies in, into `target`.
  Value giveBack(Value target, ArrayRef<Operand> operands, Term term) {
    if (areDisjoint())
      return giveToWindows(target, operands, term);
    SmallVector<WindowAxis> axes;
    for (unsigned d = 0; d < rank(); ++d)
      axes.push_back(
          {strides[d], 1, low[d], input.getDimSize(d + 1), window[d]});
    return inPhases(kernel, loc, axes, target,
                    [&](ArrayRef<Phase> phases, Value part) {
                      return givePhase(part, phases, operands, term);
                    });
  }

  /// Windows that share no position write to all of theirs; what lies in none
  /// is zero.
  Value giveToWindows(Value target, ArrayRef<Operand> operands, Term term) {
    const bool isWhole = areTiles();
    if (!isWhole) {
      Value zero = kernel.constant(loc, elementType(target), 0);
      target = kernel.fill(loc, zero, target);
    }
    Nest nest(kernel, loc, sizes);
    SmallVector<Value> elements;
    for (const Operand &operand : operands)
      elements.push_back(nest.readTensor(operand.tensor, outputs(nest)));
    Value value = term(nest, elements, tapNumber(nest));
    SmallVector<IteratorType> kinds(sizes.size(), IteratorType::parallel);
    return nest.finish(
        target, positions(nest), kinds,
        [&](OpBuilder &body, ValueRange present) -> SmallVector<Value> {
          if (isWhole)
            return {value};
          return {arith::AddFOp::create(body, loc, present[0], value)};
        })[0];
  }

  Value givePhase(Value part, ArrayRef<Phase> phases,
                  ArrayRef<Operand> operands, Term term) {
    SmallVector<Value> padded;
    for (auto [tensor, around] : operands)
      padded.push_back(padForPhases(kernel, loc, tensor, phases, around));
    if (llvm::is_contained(padded, Value()))
      return part;
    OpBuilder &b = kernel.builder();
    Sizes loops{sizes.front()};
    for (const Phase &phase : phases)
      loops.push_back(b.getIndexAttr(phase.count));
    for (const Phase &phase : phases)
      loops.push_back(b.getIndexAttr(phase.taps));
    loops.push_back(sizes.back());

    Nest nest(kernel, loc, loops);
    Index index{nest.dim(0)};
    llvm::append_range(index, readPositions(nest, phases, firstTap()));
    index.push_back(nest.dim(channel()));
    SmallVector<Value> elements;
    for (Value tensor : padded)
      elements.push_back(nest.readTensor(tensor, index));
    AffineExpr number = nest.constant(0);
    for (auto [d, phase] : llvm::enumerate(phases))
      number = number * window[d] + nest.dim(firstTap() + d) * phase.tapStep +
               phase.firstTap;
    Value addend = term(nest, elements, number);
    return nest.finish(part, outputs(nest), gathering(),
                       [&](OpBuilder &body, ValueRange present) {
                         return SmallVector<Value>{arith::AddFOp::create(
                             body, loc, present[0], addend)};
                       })[0];
  }

  KernelLowering &kernel;
  Location loc;
  ArrayRef<int64_t> window, strides;
  RankedTensorType input;
  Sizes sizes;
  Shape low, high;
};

} // namespace

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

void KernelLowering::lowerSumPool(SumPoolOp op) {
  Location loc = op.getLoc();
  Windows windows(*this, op, tensorType(op.getInput()), tensorType(op),
                  sizeOf(op.getInput(), 0));
  Value x = windows.pad(tensorOf(op.getInput()), 0);
  Nest nest(*this, loc, windows.sizes);
  Value element = nest.readTensor(x, windows.positions(nest));
  Value tensor = fill(loc, constant(loc, elementType(op), 0), destination(op));
  store(op, nest.finish(tensor, windows.outputs(nest), windows.gathering(),
                        [&](OpBuilder &body, ValueRange present) {
                          return SmallVector<Value>{arith::AddFOp::create(
                              body, loc, present[0], element)};
                        })[0]);
}

void KernelLowering::lowerSumPoolGradient(SumPoolGradientOp op) {
  Windows windows(*this, op, tensorType(op), tensorType(op.getOutput()),
                  sizeOf(op.getOutput(), 0));
  store(op, windows.giveBack(destination(op), {{tensorOf(op.getOutput()), 0}},
                             [](Nest &, ValueRange elements,
                                AffineExpr) -> Value { return elements[0]; }));
}

//===----------------------------------------------------------------------===//
// Maxima
//===----------------------------------------------------------------------===//

void KernelLowering::lowerMaxPool(MaxPoolOp op) {
  Location loc = op.getLoc();
  Windows windows(*this, op, tensorType(op.getInput()), tensorType(op),
                  sizeOf(op.getInput(), 0));
  Value x = windows.pad(tensorOf(op.getInput()), kLowest);
  Nest nest(*this, loc, windows.sizes);
  Value element = nest.readTensor(x, windows.positions(nest));
  Value tensor =
      fill(loc, constant(loc, elementType(op), kLowest), destination(op));
  store(op, nest.finish(tensor, windows.outputs(nest), windows.gathering(),
                        [&](OpBuilder &body, ValueRange present) {
                          return SmallVector<Value>{arith::MaximumFOp::create(
                              body, loc, present[0], element)};
                        })[0]);
}

/// The best element of each window so far and what goes with it: the
/// candidate's companion where the candidate is larger.
static SmallVector<Value> keepLarger(Location loc, OpBuilder &body,
                                     Value candidate, Value companion,
                                     ValueRange present) {
  Value larger = arith::CmpFOp::create(body, loc, arith::CmpFPredicate::OGT,
                                       candidate, present[0]);
  return {arith::SelectOp::create(body, loc, larger, candidate, present[0]),
          arith::SelectOp::create(body, loc, larger, companion, present[1])};
}

void KernelLowering::lowerMaxPoolScatter(MaxPoolScatterOp op) {
  Location loc = op.getLoc();
  Windows windows(*this, op, tensorType(op), tensorType(op.getOutput()),
                  sizeOf(op.getInput(), 0));
  Type element = elementType(op), i32 = builder().getI32Type();
  Value x = windows.pad(tensorOf(op.getInput()), kLowest);
  Value dy = tensorOf(op.getOutput());

  Value best = fill(loc, constant(loc, element, kLowest),
                    emptyTensor(loc, windows.outputShape(), element));
  Value first = fill(loc, constant(loc, i32, 0),
                     emptyTensor(loc, windows.outputShape(), i32));
  Nest search(*this, loc, windows.sizes);
  Value candidate = search.readTensor(x, windows.positions(search));
  Value tap = arith::IndexCastOp::create(
      search.body(), loc, i32, search.position(windows.tapNumber(search)));
  Index outputs = windows.outputs(search);
  first = search.finish({best, first}, {outputs, outputs}, windows.gathering(),
                        [&](OpBuilder &body, ValueRange present) {
                          return keepLarger(loc, body, candidate, tap, present);
                        })[1];

  store(op, windows.giveBack(
                destination(op), {{first, -1}, {dy, 0}},
                [&](Nest &nest, ValueRange elements, AffineExpr tap) -> Value {
                  OpBuilder &body = nest.body();
                  Value here = arith::IndexCastOp::create(body, loc, i32,
                                                          nest.position(tap));
                  Value equal = arith::CmpIOp::create(
                      body, loc, arith::CmpIPredicate::eq, elements[0], here);
                  Value zero = arith::ConstantOp::create(
                      body, loc, body.getFloatAttr(element, 0));
                  return arith::SelectOp::create(body, loc, equal, elements[1],
                                                 zero);
                }));
}

void KernelLowering::lowerMaxPoolGather(MaxPoolGatherOp op) {
  Location loc = op.getLoc();
  Windows windows(*this, op, tensorType(op.getInput()), tensorType(op),
                  sizeOf(op.getInput(), 0));
  Type element = elementType(op);
  Value x = windows.pad(tensorOf(op.getInput()), kLowest);
  Value values = windows.pad(tensorOf(op.getValues()), 0);
  Value best = fill(loc, constant(loc, element, kLowest),
                    emptyTensor(loc, windows.outputShape(), element));
  Value tensor = fill(loc, constant(loc, element, 0), destination(op));
  Nest nest(*this, loc, windows.sizes);
  Value candidate = nest.readTensor(x, windows.positions(nest));
  Value companion = nest.readTensor(values, windows.positions(nest));
  Index outputs = windows.outputs(nest);
  store(op, nest.finish({best, tensor}, {outputs, outputs}, windows.gathering(),
                        [&](OpBuilder &body, ValueRange present) {
                          return keepLarger(loc, body, candidate, companion,
                                            present);
                        })[1]);
}

} // namespace cornu::lower
