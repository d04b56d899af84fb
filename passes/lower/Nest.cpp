//===- Nest.cpp - Building a linalg.generic by reading values -------------===//
//
// Site::read decides for each nn value whether it is read from a tensor or
// computed on the spot; Nest collects what the body reads as operands:
//
//   nest.read(transpose(x), {d0, d1})   ins(%x) map (d0, d1) -> (d1, d0)
//   nest.read(add(x, bias), {d0, d1})   ins(%x, %bias), arith.addf in the body
//
//===----------------------------------------------------------------------===//

#include "passes/lower/KernelLowering.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/SmallBitVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace cornu::nn;

namespace cornu::lower {

//===----------------------------------------------------------------------===//
// Site
//===----------------------------------------------------------------------===//

Value Site::read(Value value, ArrayRef<AffineExpr> index) {
  if (tensorType(value).getRank() == 0)
    return kernel.scalarOf(value);
  for (auto &[known, scalar] : computed[value])
    if (ArrayRef<AffineExpr>(known) == index)
      return scalar;

  Value scalar;
  auto found = kernel.stored.find(value);
  if (found != kernel.stored.end()) {
    scalar = kernel.readStored(*this, found->second, index);
  } else if (kernel.isRoot(value)) {
    kernel.lowerRoot(value.getDefiningOp());
    scalar = kernel.readStored(*this, kernel.stored.find(value)->second, index);
  } else {
    // Formulas that cost more than a load are computed once per element.
    bool shared = repeats(index) || kernel.hasDestination(value);
    if (shared && !kernel.storing.contains(value) && kernel.isExpensive(value))
      scalar = readTensor(kernel.tensorOf(value), index);
    else
      scalar = compute(value, index);
  }
  computed[value].emplace_back(Index(index), scalar);
  return scalar;
}

static Value readConstant(Site &site, KernelLowering &kernel, ConstantOp op,
                          ArrayRef<AffineExpr> index) {
  auto splat = dyn_cast<SplatElementsAttr>(op.getValue());
  if (!splat)
    return site.readTensor(kernel.tensorOf(op), index);
  Type type = loweredType(elementType(op));
  TypedAttr number;
  if (isa<FloatType>(type))
    number = FloatAttr::get(type, splat.getSplatValue<APFloat>());
  else
    number = IntegerAttr::get(type, splat.getSplatValue<APInt>());
  return arith::ConstantOp::create(site.body(), op.getLoc(), number);
}

/// `value` of type index as a number of `type`.
static Value numberOf(OpBuilder &builder, Location loc, Value index,
                      Type type) {
  Value wide =
      arith::IndexCastOp::create(builder, loc, builder.getI64Type(), index);
  if (isa<FloatType>(type))
    return arith::SIToFPOp::create(builder, loc, type, wide);
  unsigned width = cast<IntegerType>(type).getWidth();
  if (width == 64)
    return wide;
  return arith::TruncIOp::create(builder, loc, type, wide);
}

Value Site::compute(Value value, ArrayRef<AffineExpr> index) {
  Operation *op = value.getDefiningOp();
  RankedTensorType type = tensorType(value);
  Type element = loweredType(type.getElementType());
  Location loc = op->getLoc();
  MLIRContext *context = op->getContext();

  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case(
          [&](ConstantOp op) { return readConstant(*this, kernel, op, index); })
      .Case([&](IotaOp op) {
        return numberOf(body(), loc, position(index[op.getAxis()]), element);
      })
      .Case([&](BatchSizeOp op) {
        OpBuilder &builder = kernel.builder();
        OpFoldResult size = kernel.sizeOf(op.getInput(), 0);
        Value number = getValueOrCreateConstantIndexOp(builder, loc, size);
        return numberOf(builder, loc, number, element);
      })
      .Case([&](TransposeOp op) {
        Index moved(index.size());
        for (auto [i, axis] : llvm::enumerate(op.getPermutation()))
          moved[axis] = index[i];
        return read(op.getInput(), moved);
      })
      .Case([&](SliceOp op) {
        Index moved;
        for (auto [i, expr] : llvm::enumerate(index))
          moved.push_back(expr * op.getStrides()[i] + op.getStarts()[i]);
        return read(op.getInput(), moved);
      })
      .Case([&](ReverseOp op) {
        Index moved(index);
        for (int64_t axis : op.getAxes())
          moved[axis] =
              getAffineConstantExpr(type.getDimSize(axis) - 1, context) -
              index[axis];
        return read(op.getInput(), moved);
      })
      .Case([&](BroadcastOp op) {
        Value input = op.getInput();
        return read(input, alignIndex(index, type, tensorType(input)));
      })
      .Case([&](ReshapeOp op) {
        return kernel.readReshape(*this, op.getInput(), type, index);
      })
      .Case([&](StopGradientOp op) { return read(op.getInput(), index); })
      .Case([&](ReduceOp op) { return kernel.readReduce(*this, op, index); })
      .Case([&](GatherOp op) { return readGather(*this, op, index); })
      .Case([&](RandomUniformOp op) {
        return readRandomUniform(*this, op, index);
      })
      .Default([&](Operation *op) {
        assert(isElementwise(op) && "a lazy op without a formula");
        SmallVector<Value> operands;
        for (Value operand : op->getOperands())
          operands.push_back(
              read(operand, alignIndex(index, type, tensorType(operand))));
        return emitElementwise(body(), op, operands);
      });
}

//===----------------------------------------------------------------------===//
// Nest
//===----------------------------------------------------------------------===//

Nest::Nest(KernelLowering &kernel, Location loc, Sizes sizes)
    : Site(kernel), loc(loc), sizes(std::move(sizes)),
      block(std::make_unique<Block>()), bodyBuilder(kernel.context()) {
  bodyBuilder.setInsertionPointToEnd(block.get());
}

Nest::~Nest() = default;

AffineExpr Nest::dim(unsigned i) {
  return getAffineDimExpr(i, kernel.context());
}
AffineExpr Nest::constant(int64_t value) {
  return getAffineConstantExpr(value, kernel.context());
}

Index Nest::dims(unsigned first, unsigned count) {
  Index index;
  for (unsigned i = first; i < first + count; ++i)
    index.push_back(dim(i));
  return index;
}

Value Nest::readTensor(Value tensor, ArrayRef<AffineExpr> index) {
  auto map = AffineMap::get(numLoops(), 0, index, kernel.context());
  for (auto [i, input] : llvm::enumerate(inputs))
    if (input == tensor && maps[i] == map)
      return block->getArgument(i);
  inputs.push_back(tensor);
  maps.push_back(map);
  return block->addArgument(elementType(tensor), loc);
}

Value Nest::position(AffineExpr expr) {
  SmallVector<Value> loops(numLoops());
  for (unsigned i = 0; i < numLoops(); ++i)
    if (expr.isFunctionOfDim(i))
      loops[i] = linalg::IndexOp::create(bodyBuilder, loc, i);
  return affine::expandAffineExpr(bodyBuilder, loc, expr, loops, {});
}

bool Nest::repeats(ArrayRef<AffineExpr> index) {
  for (unsigned i = 0; i < numLoops(); ++i) {
    bool used = llvm::any_of(
        index, [&](AffineExpr expr) { return expr.isFunctionOfDim(i); });
    if (!used && getConstantIntValue(sizes[i]) != 1)
      return true;
  }
  return false;
}

/// The part of a tensor that loops of the given sizes reach, where an index is
/// a loop alone: linalg reads the loop's trip count off such an operand, and a
/// slice from the start of a dimension would lend it the whole dimension's.
static Value reached(OpBuilder &b, Location loc, Value tensor, AffineMap map,
                     ArrayRef<OpFoldResult> loops) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, tensor);
  bool whole = true;
  for (auto [axis, expr] : llvm::enumerate(map.getResults())) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim || type.isDynamicDim(axis))
      continue;
    std::optional<int64_t> count =
        getConstantIntValue(loops[dim.getPosition()]);
    if (!count || *count == type.getDimSize(axis))
      continue;
    sizes[axis] = b.getIndexAttr(*count);
    whole = false;
  }
  if (whole)
    return tensor;
  SmallVector<OpFoldResult> starts(sizes.size(), b.getIndexAttr(0));
  SmallVector<OpFoldResult> steps(sizes.size(), b.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(b, loc, tensor, starts, sizes, steps);
}

SmallVector<Value> Nest::finish(
    ValueRange destinations, ArrayRef<Index> outputIndices,
    ArrayRef<IteratorType> iterators,
    llvm::function_ref<SmallVector<Value>(OpBuilder &, ValueRange)> yield) {
  SmallVector<AffineMap> outputMaps;
  for (const Index &index : outputIndices)
    outputMaps.push_back(
        AffineMap::get(numLoops(), 0, index, kernel.context()));

  // A loop's trip count is read off an operand that it indexes alone.
  llvm::SmallBitVector shown(numLoops());
  for (AffineMap map : llvm::concat<AffineMap>(maps, outputMaps))
    for (AffineExpr expr : map.getResults())
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        shown.set(dim.getPosition());
  if (!shown.all()) {
    Sizes missing;
    Index index;
    for (unsigned i = 0; i < numLoops(); ++i)
      if (!shown.test(i)) {
        missing.push_back(sizes[i]);
        index.push_back(dim(i));
      }
    readTensor(kernel.emptyTensor(loc, missing, kernel.builder().getF32Type()),
               index);
  }

  for (auto [input, map] : llvm::zip(inputs, maps))
    input = reached(kernel.builder(), loc, input, map, sizes);
  maps.append(outputMaps);
  SmallVector<Value> present;
  for (Value destination : destinations)
    present.push_back(block->addArgument(elementType(destination), loc));
  SmallVector<Value> results = yield(bodyBuilder, present);
  linalg::YieldOp::create(bodyBuilder, loc, results);

  auto generic =
      linalg::GenericOp::create(kernel.builder(), loc, TypeRange(destinations),
                                inputs, destinations, maps, iterators);
  generic.getRegion().push_back(block.release());
  return SmallVector<Value>(generic.getResults());
}

} // namespace cornu::lower
