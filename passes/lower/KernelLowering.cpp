//===- KernelLowering.cpp - One kernel on its way to linalg ---------------===//
//
// What is stored where, and the order of a kernel's results: roots first,
// each straight into its `%out`; then the lazy results, one generic for all of
// the same shape.
//
//===----------------------------------------------------------------------===//

#include "passes/lower/KernelLowering.h"
#include "passes/lower/Lower.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace cornu::nn;

namespace cornu::lower {

Type loweredType(Type type) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    return RankedTensorType::get(tensor.getShape(),
                                 loweredType(tensor.getElementType()));
  if (auto integer = dyn_cast<IntegerType>(type))
    return IntegerType::get(type.getContext(), integer.getWidth());
  return type;
}

//===----------------------------------------------------------------------===//
// Stored values
//===----------------------------------------------------------------------===//

void KernelLowering::store(Value value, Value tensor) {
  SmallVector<unsigned> dims;
  for (int64_t i = 0; i < tensorType(value).getRank(); ++i)
    dims.push_back(i);
  store(value, tensor, dims);
}

void KernelLowering::store(Value value, Value tensor,
                           SmallVector<unsigned> dims) {
  assert(!isStored(value) && "a value is stored once");
  stored[value] = {tensor, std::move(dims)};
}

Value KernelLowering::readStored(Site &site, const Stored &value,
                                 ArrayRef<AffineExpr> index) {
  Index present;
  for (unsigned dim : value.dims)
    present.push_back(index[dim]);
  return site.readTensor(value.tensor, present);
}

bool KernelLowering::isRoot(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return true;
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return reduce.getKind() != ReductionKind::mean;
  return isa<ContractOp, ConvolutionOp, ConvolutionInputGradientOp,
             ConvolutionKernelGradientOp, SumPoolOp, SumPoolGradientOp,
             MaxPoolOp, MaxPoolScatterOp, MaxPoolGatherOp, ArgmaxOp, SoftmaxOp,
             LogSoftmaxOp, ConcatenateOp, PadOp, ScatterAddOp>(op);
}

bool KernelLowering::isExpensive(Value value) {
  SmallVector<Value> pending{value};
  DenseSet<Value> visited;
  while (!pending.empty()) {
    Value next = pending.pop_back_val();
    if (!visited.insert(next).second || isStored(next) || isRoot(next) ||
        tensorType(next).getRank() == 0)
      continue;
    Operation *op = next.getDefiningOp();
    if (isa<ExpOp, Expm1Op, LogOp, Log1pOp, SqrtOp, RsqrtOp, SinOp, CosOp,
            TanhOp, SigmoidOp, ErfOp, SoftplusOp, DivideOp, PowerOp,
            RemainderOp, ReduceOp, RandomUniformOp>(op))
      return true;
    pending.append(op->operand_begin(), op->operand_end());
  }
  return false;
}

Value KernelLowering::tensorOf(Value value) {
  auto found = stored.find(value);
  if (found != stored.end()) {
    auto type = cast<RankedTensorType>(loweredType(value.getType()));
    return reshapeTensor(builder(), value.getLoc(), found->second.tensor, type);
  }
  if (isRoot(value)) {
    lowerRoot(value.getDefiningOp());
    return tensorOf(value);
  }
  if (!hasDestination(value)) {
    // A reshape of a stored value is a view of it.
    auto reshape = value.getDefiningOp<ReshapeOp>();
    if (reshape &&
        (isStored(reshape.getInput()) || isRoot(reshape.getInput()))) {
      auto type = cast<RankedTensorType>(loweredType(value.getType()));
      Value view = reshapeTensor(builder(), value.getLoc(),
                                 tensorOf(reshape.getInput()), type);
      store(value, view);
      return view;
    }
    auto constant = value.getDefiningOp<ConstantOp>();
    if (constant && !isa<SplatElementsAttr>(constant.getValue())) {
      auto type = cast<RankedTensorType>(loweredType(value.getType()));
      ElementsAttr elements = constant.getValue();
      if (type != elements.getType())
        elements =
            cast<DenseElementsAttr>(elements).bitcast(type.getElementType());
      store(value, arith::ConstantOp::create(builder(), value.getLoc(), type,
                                             elements));
      return tensorOf(value);
    }
  }
  storeLazy(value);
  return tensorOf(value);
}

void KernelLowering::storeLazy(ArrayRef<Value> values) {
  RankedTensorType type = tensorType(values.front());
  if (type.getRank() == 0) {
    for (Value value : values) {
      Value scalar = scalarOf(value);
      store(value, fill(value.getLoc(), scalar, destination(value)));
    }
    return;
  }
  Nest nest(*this, values.back().getLoc(), sizesOf(values.front()));
  Index index = nest.dims(0, type.getRank());
  storing.insert(values.begin(), values.end());
  SmallVector<Value> tensors, elements;
  for (Value value : values) {
    elements.push_back(nest.read(value, index));
    tensors.push_back(destination(value));
  }
  for (Value value : values)
    storing.erase(value);
  SmallVector<Index> indices(values.size(), index);
  SmallVector<IteratorType> iterators(type.getRank(), IteratorType::parallel);
  SmallVector<Value> results =
      nest.finish(tensors, indices, iterators,
                  [&](OpBuilder &, ValueRange) { return elements; });
  for (auto [value, result] : llvm::zip_equal(values, results))
    store(value, result);
}

void KernelLowering::lowerRoot(Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](ReduceOp op) { lowerReduce(op); })
      .Case([&](ArgmaxOp op) { lowerArgmax(op); })
      .Case([&](SoftmaxOp op) {
        lowerSoftmax(op, op.getInput(), op.getAxis(), /*logarithm=*/false);
      })
      .Case([&](LogSoftmaxOp op) {
        lowerSoftmax(op, op.getInput(), op.getAxis(), /*logarithm=*/true);
      })
      .Case([&](ContractOp op) { lowerContract(op); })
      .Case([&](ConvolutionOp op) { lowerConvolution(op); })
      .Case([&](ConvolutionInputGradientOp op) { lowerInputGradient(op); })
      .Case([&](ConvolutionKernelGradientOp op) { lowerKernelGradient(op); })
      .Case([&](SumPoolOp op) { lowerSumPool(op); })
      .Case([&](SumPoolGradientOp op) { lowerSumPoolGradient(op); })
      .Case([&](MaxPoolOp op) { lowerMaxPool(op); })
      .Case([&](MaxPoolScatterOp op) { lowerMaxPoolScatter(op); })
      .Case([&](MaxPoolGatherOp op) { lowerMaxPoolGather(op); })
      .Case([&](ConcatenateOp op) { lowerConcatenate(op); })
      .Case([&](PadOp op) { lowerPad(op); })
      .Case([&](ScatterAddOp op) { lowerScatterAdd(op); });
}

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

namespace {
/// The kernel itself, where values of rank 0 are computed once.
class ScalarSite : public Site {
public:
  using Site::Site;

  Value readTensor(Value tensor, ArrayRef<AffineExpr> index) override {
    SmallVector<Value> indices;
    for (AffineExpr expr : index)
      indices.push_back(position(expr));
    return tensor::ExtractOp::create(body(), tensor.getLoc(), tensor, indices);
  }
  Value position(AffineExpr expr) override {
    return arith::ConstantIndexOp::create(
        body(), body().getUnknownLoc(),
        cast<AffineConstantExpr>(expr).getValue());
  }
  OpBuilder &body() override { return kernel.builder(); }
  bool repeats(ArrayRef<AffineExpr>) override { return false; }
};
} // namespace

Value KernelLowering::scalarOf(Value value) {
  if (Value known = scalars.lookup(value))
    return known;
  ScalarSite site(*this);
  Value scalar;
  if (isStored(value) || isRoot(value))
    scalar = site.readTensor(tensorOf(value), {});
  else
    scalar = site.compute(value, {});
  scalars[value] = scalar;
  return scalar;
}

//===----------------------------------------------------------------------===//
// Destinations
//===----------------------------------------------------------------------===//

Value KernelLowering::constant(Location loc, Type element, double value) {
  Type type = loweredType(element);
  TypedAttr attr;
  if (isa<FloatType>(type))
    attr = builder().getFloatAttr(type, value);
  else
    attr = builder().getIntegerAttr(type, static_cast<int64_t>(value));
  return arith::ConstantOp::create(builder(), loc, attr);
}

Value KernelLowering::emptyTensor(Location loc, Sizes sizes, Type element) {
  return tensor::EmptyOp::create(builder(), loc, sizes, loweredType(element));
}

Value KernelLowering::fill(Location loc, Value scalar, Value tensor) {
  return linalg::FillOp::create(builder(), loc, scalar, tensor).getResult(0);
}

Value KernelLowering::destination(Value value) {
  if (Value output = destinations.lookup(value))
    return output;
  return emptyTensor(value.getLoc(), sizesOf(value), elementType(value));
}

void KernelLowering::collectDestinations(Operation *terminator,
                                         ValueRange outputs) {
  for (auto [value, output] :
       llvm::zip_equal(terminator->getOperands(), outputs)) {
    // A root that is returned in another shape writes through a view.
    auto reshape = value.getDefiningOp<ReshapeOp>();
    if (reshape && reshape.getInput().getDefiningOp() &&
        isRoot(reshape.getInput()) &&
        !llvm::is_contained(terminator->getOperands(), reshape.getInput()) &&
        !hasDestination(reshape.getInput())) {
      Value input = reshape.getInput();
      auto type = cast<RankedTensorType>(loweredType(input.getType()));
      destinations[input] =
          reshapeTensor(builder(), value.getLoc(), output, type);
      continue;
    }
    if (value.getDefiningOp())
      destinations.try_emplace(value, output);
  }
}

LogicalResult KernelLowering::emitResults(Operation *terminator) {
  ValueRange values = terminator->getOperands();
  for (Value value : values)
    if (isRoot(value))
      (void)tensorOf(value);

  llvm::MapVector<ArrayRef<int64_t>, SmallVector<Value>> groups;
  for (Value value : values)
    if (!isStored(value) && hasDestination(value) &&
        !llvm::is_contained(groups[tensorType(value).getShape()], value))
      groups[tensorType(value).getShape()].push_back(value);
  for (auto &[shape, group] : groups) {
    // Storing one group may have stored values of another.
    llvm::erase_if(group, [&](Value value) { return isStored(value); });
    if (!group.empty())
      storeLazy(group);
  }

  SmallVector<Value> results;
  Block *block = builder().getInsertionBlock();
  unsigned firstOutput = block->getNumArguments() - values.size();
  llvm::DenseSet<Value> returned;
  for (auto [i, value] : llvm::enumerate(values)) {
    Value tensor = tensorOf(value);
    // An argument, or a value returned before, is copied.
    if (!value.getDefiningOp() || !returned.insert(value).second) {
      Value output = block->getArgument(firstOutput + i);
      tensor = linalg::CopyOp::create(builder(), value.getLoc(), tensor, output)
                   .getResult(0);
    }
    results.push_back(tensor);
  }
  func::ReturnOp::create(builder(), terminator->getLoc(), results);
  return success();
}

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

LogicalResult KernelLowering::run() {
  if (!source.getBody().hasOneBlock())
    return source.emitError("a kernel has one block");
  Operation *terminator = source.getBody().front().getTerminator();
  SmallVector<Type> inputs, results;
  for (Type type : source.getArgumentTypes())
    inputs.push_back(loweredType(type));
  for (Type type : source.getResultTypes())
    results.push_back(loweredType(type));
  SmallVector<Type> arguments(inputs);
  llvm::append_range(arguments, results);

  OpBuilder moduleBuilder(source);
  auto lowered =
      func::FuncOp::create(moduleBuilder, source.getLoc(), source.getName(),
                           moduleBuilder.getFunctionType(arguments, results));
  lowered->setDialectAttrs(source->getDialectAttrs());
  lowered.setVisibility(source.getVisibility());
  Block *block = lowered.addEntryBlock();
  functionBuilder = OpBuilder::atBlockEnd(block);

  for (auto [old, argument] :
       llvm::zip(source.getArguments(), block->getArguments()))
    store(old, argument);
  collectDestinations(terminator,
                      block->getArguments().take_back(results.size()));
  if (failed(emitResults(terminator)))
    return failure();
  source.erase();
  return success();
}

} // namespace cornu::lower
