//===- Convolution.cpp - Convolutions and their two gradients -------------===//
//
// Contractions over windows. Padding is a tensor.pad in front of the operand,
// which the schedule turns into the border of a packed block:
//
//   %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] { zero }
//   %y = linalg.generic {(n, oh, ow, f, kh, kw, c)
//          -> (n, oh * s + kh * d, ow * s + kw * d, c)    // %p
//          -> (kh, kw, c, f)                              // %w
//          -> (n, oh, ow, f)} ...
//
// Groups split the channels by an expand_shape into (..., G, C / G), and g is
// a loop of its own; in a depthwise convolution nothing is left to sum over
// but the window. Loops of size 1 for groups or channels are left out.
//
//===----------------------------------------------------------------------===//

#include "passes/lower/KernelLowering.h"
#include "passes/lower/Phases.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace cornu::nn;

namespace cornu::lower {

namespace {

/// The geometry that the three ops share. Channel loops are named as in
/// x[n, i..., g, c], w[t..., c, g, f], y[n, o..., g, f].
struct Geometry {
  template <typename Op>
  Geometry(Op op, RankedTensorType input, RankedTensorType kernel,
           RankedTensorType output)
      : strides(op.getStrides()), dilations(op.getDilations()),
        groups(op.getGroups()), channels(kernel.getShape().end()[-2]),
        filters(kernel.getShape().back() / op.getGroups()) {
    unsigned rank = strides.size();
    for (unsigned d = 0; d < rank; ++d) {
      inputSizes.push_back(input.getDimSize(d + 1));
      window.push_back(kernel.getDimSize(d));
      outputSizes.push_back(output.getDimSize(d + 1));
      low.push_back(op.getPadding()[2 * d]);
    }
  }

  unsigned rank() const { return strides.size(); }

  /// The amount of padding behind, so that the last window fits.
  Shape high() const {
    Shape amounts;
    for (unsigned d = 0; d < rank(); ++d)
      amounts.push_back(std::max<int64_t>(
          0, (outputSizes[d] - 1) * strides[d] +
                 (window[d] - 1) * dilations[d] + 1 - low[d] - inputSizes[d]));
    return amounts;
  }

  /// A type with its channels split into groups: (..., G * C) to (..., G, C),
  /// where sizes of 1 for G or C are left out (not both).
  RankedTensorType split(RankedTensorType type, int64_t inner) const {
    Shape shape(type.getShape().drop_back());
    if (groups != 1)
      shape.push_back(groups);
    if (inner != 1 || groups == 1)
      shape.push_back(inner);
    return RankedTensorType::get(shape, loweredType(type.getElementType()));
  }

  /// A kernel (t..., C, G * F) as (t..., [C], [G], [F]), without sizes of 1
  /// as in `split`.
  RankedTensorType splitKernel(RankedTensorType type) const {
    Shape shape(type.getShape().drop_back(2));
    if (channels != 1 || groups == 1)
      shape.push_back(channels);
    auto rest =
        RankedTensorType::get({type.getShape().back()}, type.getElementType());
    Shape tail(split(rest, filters).getShape());
    shape.append(tail);
    return RankedTensorType::get(shape, loweredType(type.getElementType()));
  }

  bool hasGroup() const { return groups != 1; }
  bool hasChannel() const { return channels != 1 || groups == 1; }
  bool hasFilter() const { return filters != 1 || groups == 1; }

  ArrayRef<int64_t> strides, dilations;
  int64_t groups, channels, filters;
  Shape inputSizes, window, outputSizes, low;
};

/// Named loops: collects sizes and kinds, then gives each its dimension.
class Loops {
public:
  unsigned add(OpFoldResult size, IteratorType kind) {
    sizes.push_back(size);
    iterators.push_back(kind);
    return sizes.size() - 1;
  }
  unsigned add(OpBuilder &builder, int64_t size, IteratorType kind) {
    return add(builder.getIndexAttr(size), kind);
  }
  Sizes sizes;
  SmallVector<IteratorType> iterators;
};

/// The channel loops that exist, in the order of one operand.
struct Channels {
  std::optional<unsigned> g, c, f;

  Index of(Nest &nest, ArrayRef<std::optional<unsigned>> loops) const {
    Index index;
    for (std::optional<unsigned> loop : loops)
      if (loop)
        index.push_back(nest.dim(*loop));
    return index;
  }
  Index input(Nest &nest) const { return of(nest, {g, c}); }
  Index kernel(Nest &nest) const { return of(nest, {c, g, f}); }
  Index output(Nest &nest) const { return of(nest, {g, f}); }
};

} // namespace

static constexpr IteratorType parallel = IteratorType::parallel;
static constexpr IteratorType reduction = IteratorType::reduction;

static Index join(std::initializer_list<Index> parts) {
  Index index;
  for (const Index &part : parts)
    index.append(part);
  return index;
}

static SmallVector<Value> productSum(Location loc, OpBuilder &body, Value sum,
                                     Value a, Value b) {
  Value product = arith::MulFOp::create(body, loc, a, b);
  return {arith::AddFOp::create(body, loc, sum, product)};
}

/// The operand of a root as a tensor, seen with the shape of `type`.
static Value operandTensor(KernelLowering &kernel, Value value,
                           RankedTensorType type) {
  Location loc = value.getLoc();
  Value tensor = kernel.tensorOf(value);
  return reshapeTensor(kernel.builder(), loc, tensor, type);
}

/// The input of a convolution, padded. A zero pad in front joins in.
static Value paddedInput(KernelLowering &kernel, Value input,
                         const Geometry &geometry) {
  Shape low = geometry.low, high = geometry.high();
  if (auto pad = input.getDefiningOp<PadOp>()) {
    bool joins = !kernel.isStored(pad) && !kernel.hasDestination(pad) &&
                 pad.getValueAttr().getValueAsDouble() == 0 &&
                 pad.getLow().front() == 0 && pad.getHigh().front() == 0 &&
                 pad.getLow().back() == 0 && pad.getHigh().back() == 0 &&
                 llvm::all_of(pad.getInterior(),
                              [](int64_t between) { return between == 0; });
    if (joins) {
      for (unsigned d = 0; d < geometry.rank(); ++d) {
        low[d] += pad.getLow()[d + 1];
        high[d] += pad.getHigh()[d + 1];
      }
      input = pad.getInput();
    }
  }
  Value tensor = operandTensor(
      kernel, input, geometry.split(tensorType(input), geometry.channels));
  return kernel.padSpatial(input.getLoc(), tensor, low, high, 0);
}

//===----------------------------------------------------------------------===//
// Forward
//===----------------------------------------------------------------------===//

void KernelLowering::lowerConvolution(ConvolutionOp op) {
  Location loc = op.getLoc();
  Geometry geometry(op, tensorType(op.getInput()), tensorType(op.getKernel()),
                    tensorType(op));
  unsigned rank = geometry.rank();
  Value x = paddedInput(*this, op.getInput(), geometry);
  Value w = operandTensor(*this, op.getKernel(),
                          geometry.splitKernel(tensorType(op.getKernel())));

  Loops loops;
  OpBuilder &b = builder();
  loops.add(tensorSize(b, loc, x, 0), parallel);
  for (int64_t size : geometry.outputSizes)
    loops.add(b, size, parallel);
  Channels channels;
  if (geometry.hasGroup())
    channels.g = loops.add(b, geometry.groups, parallel);
  if (geometry.hasFilter())
    channels.f = loops.add(b, geometry.filters, parallel);
  unsigned tap = loops.sizes.size();
  for (int64_t size : geometry.window)
    loops.add(b, size, reduction);
  if (geometry.hasChannel())
    channels.c = loops.add(b, geometry.channels, reduction);

  Nest nest(*this, loc, loops.sizes);
  Index positions{nest.dim(0)};
  for (unsigned d = 0; d < rank; ++d)
    positions.push_back(nest.dim(1 + d) * geometry.strides[d] +
                        nest.dim(tap + d) * geometry.dilations[d]);
  Value a = nest.readTensor(x, join({positions, channels.input(nest)}));
  Value v =
      nest.readTensor(w, join({nest.dims(tap, rank), channels.kernel(nest)}));
  Value tensor =
      reshapeTensor(b, loc, destination(op),
                    geometry.split(tensorType(op), geometry.filters));
  tensor = fill(loc, constant(loc, elementType(op), 0), tensor);
  Value result =
      nest.finish(tensor, join({nest.dims(0, 1 + rank), channels.output(nest)}),
                  loops.iterators, [&](OpBuilder &body, ValueRange present) {
                    return productSum(loc, body, present[0], a, v);
                  })[0];
  store(op, reshapeTensor(b, loc, result,
                          cast<RankedTensorType>(loweredType(op.getType()))));
}

//===----------------------------------------------------------------------===//
// Gradient for the kernel
//===----------------------------------------------------------------------===//

void KernelLowering::lowerKernelGradient(ConvolutionKernelGradientOp op) {
  Location loc = op.getLoc();
  Geometry geometry(op, tensorType(op.getInput()), tensorType(op),
                    tensorType(op.getOutput()));
  unsigned rank = geometry.rank();
  Value x = paddedInput(*this, op.getInput(), geometry);
  Value y = operandTensor(
      *this, op.getOutput(),
      geometry.split(tensorType(op.getOutput()), geometry.filters));

  Loops loops;
  OpBuilder &b = builder();
  for (int64_t size : geometry.window)
    loops.add(b, size, parallel);
  Channels channels;
  if (geometry.hasChannel())
    channels.c = loops.add(b, geometry.channels, parallel);
  if (geometry.hasGroup())
    channels.g = loops.add(b, geometry.groups, parallel);
  if (geometry.hasFilter())
    channels.f = loops.add(b, geometry.filters, parallel);
  unsigned n = loops.add(tensorSize(b, loc, x, 0), reduction);
  for (int64_t size : geometry.outputSizes)
    loops.add(b, size, reduction);

  Nest nest(*this, loc, loops.sizes);
  Index positions{nest.dim(n)};
  for (unsigned d = 0; d < rank; ++d)
    positions.push_back(nest.dim(n + 1 + d) * geometry.strides[d] +
                        nest.dim(d) * geometry.dilations[d]);
  Value a = nest.readTensor(x, join({positions, channels.input(nest)}));
  Value v =
      nest.readTensor(y, join({nest.dims(n, 1 + rank), channels.output(nest)}));
  Value tensor = reshapeTensor(b, loc, destination(op),
                               geometry.splitKernel(tensorType(op)));
  tensor = fill(loc, constant(loc, elementType(op), 0), tensor);
  Value result =
      nest.finish(tensor, join({nest.dims(0, rank), channels.kernel(nest)}),
                  loops.iterators, [&](OpBuilder &body, ValueRange present) {
                    return productSum(loc, body, present[0], a, v);
                  })[0];
  store(op, reshapeTensor(b, loc, result,
                          cast<RankedTensorType>(loweredType(op.getType()))));
}

//===----------------------------------------------------------------------===//
// Gradient for the input
//===----------------------------------------------------------------------===//

/// Adds the positions of one phase in each dimension into `tensor`, whose
/// elements there are zero.
static Value lowerPhase(KernelLowering &kernel, Location loc,
                        const Geometry &geometry, ArrayRef<Phase> phases,
                        Value y, Value w, Value tensor) {
  OpBuilder &b = kernel.builder();
  unsigned rank = geometry.rank();
  y = padForPhases(kernel, loc, y, phases, 0);
  if (!y)
    return tensor;
  // Only the taps of this phase.
  RankedTensorType type = tensorType(w);
  Sizes offsets, sizes, strides;
  Shape shape(type.getShape());
  for (int64_t d = 0; d < type.getRank(); ++d) {
    bool spatial = d < static_cast<int64_t>(rank);
    if (spatial)
      shape[d] = phases[d].taps;
    offsets.push_back(b.getIndexAttr(spatial ? phases[d].firstTap : 0));
    sizes.push_back(b.getIndexAttr(shape[d]));
    strides.push_back(b.getIndexAttr(spatial ? phases[d].tapStep : 1));
  }
  if (shape != Shape(type.getShape()))
    w = tensor::ExtractSliceOp::create(b, loc, w, offsets, sizes, strides);

  Loops loops;
  loops.add(tensorSize(b, loc, y, 0), parallel);
  for (const Phase &phase : phases)
    loops.add(b, phase.count, parallel);
  Channels channels;
  if (geometry.hasGroup())
    channels.g = loops.add(b, geometry.groups, parallel);
  if (geometry.hasChannel())
    channels.c = loops.add(b, geometry.channels, parallel);
  unsigned tap = loops.sizes.size();
  for (const Phase &phase : phases)
    loops.add(b, phase.taps, reduction);
  if (geometry.hasFilter())
    channels.f = loops.add(b, geometry.filters, reduction);

  Nest nest(kernel, loc, loops.sizes);
  Value a = nest.readTensor(y, join({{nest.dim(0)},
                                     readPositions(nest, phases, tap),
                                     channels.output(nest)}));
  Value v =
      nest.readTensor(w, join({nest.dims(tap, rank), channels.kernel(nest)}));
  return nest.finish(tensor,
                     join({nest.dims(0, 1 + rank), channels.input(nest)}),
                     loops.iterators, [&](OpBuilder &body, ValueRange present) {
                       return productSum(loc, body, present[0], a, v);
                     })[0];
}

void KernelLowering::lowerInputGradient(ConvolutionInputGradientOp op) {
  Location loc = op.getLoc();
  OpBuilder &b = builder();
  Geometry geometry(op, tensorType(op), tensorType(op.getKernel()),
                    tensorType(op.getOutput()));
  Value y = operandTensor(
      *this, op.getOutput(),
      geometry.split(tensorType(op.getOutput()), geometry.filters));
  Value w = operandTensor(*this, op.getKernel(),
                          geometry.splitKernel(tensorType(op.getKernel())));
  Value tensor =
      reshapeTensor(b, loc, destination(op),
                    geometry.split(tensorType(op), geometry.channels));
  SmallVector<WindowAxis> axes;
  for (unsigned d = 0; d < geometry.rank(); ++d)
    axes.push_back({geometry.strides[d], geometry.dilations[d], geometry.low[d],
                    geometry.inputSizes[d], geometry.window[d]});
  tensor = inPhases(
      *this, loc, axes, tensor, [&](ArrayRef<Phase> phases, Value part) {
        return lowerPhase(*this, loc, geometry, phases, y, w, part);
      });
  store(op, reshapeTensor(b, loc, tensor,
                          cast<RankedTensorType>(loweredType(op.getType()))));
}

} // namespace cornu::lower
