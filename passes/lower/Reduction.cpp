//===- Reduction.cpp - Sums, extrema, argmax and softmax ------------------===//
//
// A reduction is a fill with the identity and a generic over the input's
// dimensions, in order:
//
//   %0 = linalg.fill ins(%zero) outs(%out)
//   %1 = linalg.generic {(i, j) -> (i, j), (i, j) -> (j), ["reduction",
//        "parallel"]} ins(%x) outs(%0) { arith.addf }
//
// Reductions over the same space that do not depend on each other share one
// generic, so that large inputs are read once.
//
//===----------------------------------------------------------------------===//

#include "passes/lower/KernelLowering.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace cornu::nn;

namespace cornu::lower {

//===----------------------------------------------------------------------===//
// Kinds
//===----------------------------------------------------------------------===//

static arith::AtomicRMWKind combinerOf(ReductionKind kind, Type nnElement) {
  using K = arith::AtomicRMWKind;
  bool isFloat = isa<FloatType>(nnElement);
  bool isUnsigned = nnElement.isUnsignedInteger() || nnElement.isInteger(1);
  switch (kind) {
  case ReductionKind::sum:
  case ReductionKind::mean:
    return isFloat ? K::addf : K::addi;
  case ReductionKind::product:
    return isFloat ? K::mulf : K::muli;
  case ReductionKind::max:
    return isFloat ? K::maximumf : isUnsigned ? K::maxu : K::maxs;
  case ReductionKind::min:
    return isFloat ? K::minimumf : isUnsigned ? K::minu : K::mins;
  case ReductionKind::any:
    return K::ori;
  case ReductionKind::all:
    return K::andi;
  }
  llvm_unreachable("unknown kind");
}

/// True if `op` needs the result of one of `others`, or one of them its own.
static bool isRelated(ReduceOp op, ArrayRef<ReduceOp> others) {
  BackwardSliceOptions options;
  options.omitBlockArguments = true;
  auto needs = [&](ReduceOp from, ReduceOp what) {
    SetVector<Operation *> slice;
    (void)getBackwardSlice(from.getOperation(), &slice, options);
    return slice.contains(what);
  };
  return llvm::any_of(others, [&](ReduceOp other) {
    return needs(op, other) || needs(other, op);
  });
}

//===----------------------------------------------------------------------===//
// Reduce
//===----------------------------------------------------------------------===//

void KernelLowering::lowerReduce(ReduceOp op) {
  SmallVector<ReduceOp> group{op};
  source.walk([&](ReduceOp other) {
    bool done = isStored(other) || sums.count(other) || reducing.count(other);
    bool same = tensorType(other.getInput()).getShape() ==
                    tensorType(op.getInput()).getShape() &&
                other.getAxes() == op.getAxes();
    if (other != op && !done && same && !isRelated(other, group))
      group.push_back(other);
  });
  // Lowering the inputs of these may lower other reductions, but not these.
  reducing.insert(group.begin(), group.end());
  lowerReductions(group);
}

void KernelLowering::lowerReductions(ArrayRef<ReduceOp> ops) {
  ReduceOp first = ops.front();
  Location loc = first.getLoc();
  int64_t rank = tensorType(first.getInput()).getRank();
  SmallVector<IteratorType> iterators(rank, IteratorType::parallel);
  for (int64_t axis : first.getAxes())
    iterators[axis] = IteratorType::reduction;

  Nest nest(*this, loc, sizesOf(first.getInput()));
  Index output;
  SmallVector<unsigned> kept;
  for (int64_t d = 0; d < rank; ++d)
    if (iterators[d] == IteratorType::parallel) {
      output.push_back(nest.dim(d));
      kept.push_back(d);
    }

  SmallVector<Value> elements, tensors;
  for (ReduceOp op : ops)
    elements.push_back(nest.read(op.getInput(), nest.dims(0, rank)));
  for (ReduceOp op : ops) {
    RankedTensorType type = tensorType(op);
    Type element = loweredType(type.getElementType());
    Value tensor;
    if (op.getKind() != ReductionKind::mean && hasDestination(op)) {
      tensor = destination(op);
      if (op.getKeepAxes()) {
        Shape shape;
        for (unsigned d : kept)
          shape.push_back(type.getDimSize(d));
        tensor = reshapeTensor(builder(), loc, tensor,
                               RankedTensorType::get(shape, element));
      }
    } else {
      Sizes sizes;
      for (unsigned d : kept)
        sizes.push_back(sizeOf(op.getInput(), d));
      tensor = emptyTensor(loc, sizes, element);
    }
    Value identity = arith::getIdentityValue(
        combinerOf(op.getKind(), elementType(op)), element, builder(), loc);
    tensors.push_back(fill(loc, identity, tensor));
  }

  SmallVector<Index> outputs(ops.size(), output);
  SmallVector<Value> results = nest.finish(
      tensors, outputs, iterators, [&](OpBuilder &body, ValueRange present) {
        SmallVector<Value> combined;
        for (auto [i, reduce] : llvm::enumerate(ops)) {
          ReduceOp op = reduce;
          combined.push_back(arith::getReductionOp(
              combinerOf(op.getKind(), elementType(op)), body, op.getLoc(),
              present[i], elements[i]));
        }
        return combined;
      });
  for (auto [i, reduce] : llvm::enumerate(ops)) {
    ReduceOp op = reduce;
    SmallVector<unsigned> dims(kept);
    if (!op.getKeepAxes())
      for (unsigned d = 0; d < kept.size(); ++d)
        dims[d] = d;
    if (op.getKind() == ReductionKind::mean)
      sums[op] = {results[i], dims};
    else
      store(op, results[i], dims);
  }
}

Value KernelLowering::readReduce(Site &site, ReduceOp op,
                                 ArrayRef<AffineExpr> index) {
  // The sum divided by the number of elements.
  if (!sums.count(op))
    lowerReduce(op);
  Location loc = op.getLoc();
  Value sum = readStored(site, sums.find(op)->second, index);
  Type type = sum.getType();
  Value input = op.getInput();
  double known = 1;
  Value count;
  for (int64_t axis : op.getAxes()) {
    OpFoldResult size = sizeOf(input, axis);
    if (std::optional<int64_t> constant = getConstantIntValue(size)) {
      known *= *constant;
      continue;
    }
    Value wide = arith::IndexCastOp::create(
        builder(), loc, builder().getI64Type(), cast<Value>(size));
    count = isa<FloatType>(type)
                ? Value(arith::SIToFPOp::create(builder(), loc, type, wide))
                : arith::TruncIOp::create(builder(), loc, type, wide);
  }
  bool isFloat = isa<FloatType>(type);
  if (!count)
    count = constant(loc, type, known);
  else if (known != 1 && isFloat)
    count = arith::MulFOp::create(builder(), loc, count,
                                  constant(loc, type, known));
  else if (known != 1)
    count = arith::MulIOp::create(builder(), loc, count,
                                  constant(loc, type, known));
  if (isFloat)
    return arith::DivFOp::create(site.body(), loc, sum, count);
  return arith::DivSIOp::create(site.body(), loc, sum, count);
}

//===----------------------------------------------------------------------===//
// Argmax
//===----------------------------------------------------------------------===//

/// The largest element, then the first position where it is: two reductions
/// whose order does not matter, unlike one that remembers where it was.
void KernelLowering::lowerArgmax(ArgmaxOp op) {
  Location loc = op.getLoc();
  Value input = op.getInput();
  int64_t axis = op.getAxis(), rank = tensorType(input).getRank();
  Type nnElement = elementType(input), element = loweredType(nnElement);
  Type integer = builder().getI32Type();
  if (isExpensive(input))
    (void)tensorOf(input);

  Sizes sizes;
  for (int64_t d = 0; d < rank; ++d)
    if (d != axis)
      sizes.push_back(sizeOf(input, d));
  SmallVector<IteratorType> iterators(rank, IteratorType::parallel);
  iterators[axis] = IteratorType::reduction;
  auto reduce = [&](arith::AtomicRMWKind kind, Type type, Value output,
                    llvm::function_ref<Value(Nest &, const Index &)> read) {
    Nest nest(*this, loc, sizesOf(input));
    Index index;
    for (int64_t d = 0; d < rank; ++d)
      if (d != axis)
        index.push_back(nest.dim(d));
    Value value = read(nest, index);
    Value identity = arith::getIdentityValue(kind, type, builder(), loc);
    return nest.finish(fill(loc, identity, output), index, iterators,
                       [&](OpBuilder &body, ValueRange present) {
                         return SmallVector<Value>{arith::getReductionOp(
                             kind, body, loc, present[0], value)};
                       })[0];
  };

  Value largest =
      reduce(combinerOf(ReductionKind::max, nnElement), element,
             emptyTensor(loc, sizes, element), [&](Nest &nest, const Index &) {
               return nest.read(input, nest.dims(0, rank));
             });
  auto positionOfLargest = [&](Nest &nest, const Index &outer) -> Value {
    Value x = nest.read(input, nest.dims(0, rank));
    Value y = nest.readTensor(largest, outer);
    OpBuilder &b = nest.body();
    Value here;
    if (isa<FloatType>(element)) {
      // NaN is larger than any number.
      here = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, x, y);
      Value nan =
          arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, x, x);
      here = arith::OrIOp::create(b, loc, here, nan);
    } else {
      here = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, x, y);
    }
    Value position = arith::IndexCastOp::create(b, loc, integer,
                                                nest.position(nest.dim(axis)));
    Value none =
        constant(loc, integer, double(std::numeric_limits<int32_t>::max()));
    return arith::SelectOp::create(b, loc, here, position, none);
  };
  store(op, reduce(arith::AtomicRMWKind::mins, integer, destination(op),
                   positionOfLargest));
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

void KernelLowering::lowerSoftmax(Operation *op, Value input, int64_t axis,
                                  bool logarithm) {
  Location loc = op->getLoc();
  Value result = op->getResult(0);
  int64_t rank = tensorType(input).getRank();
  Type element = elementType(input);
  if (isExpensive(input))
    (void)tensorOf(input);

  Sizes sizes = sizesOf(input), statistics;
  SmallVector<IteratorType> parallel(rank, IteratorType::parallel);
  SmallVector<IteratorType> reduction(parallel);
  reduction[axis] = IteratorType::reduction;
  for (int64_t d = 0; d < rank; ++d)
    if (d != axis)
      statistics.push_back(sizes[d]);

  // One generic of the stages: reads the input, and perhaps earlier stages.
  auto reduce =
      [&](arith::AtomicRMWKind kind,
          llvm::function_ref<Value(Nest &, const Index &, const Index &)>
              read) {
        Nest nest(*this, loc, sizes);
        Index all = nest.dims(0, rank), output;
        for (int64_t d = 0; d < rank; ++d)
          if (d != axis)
            output.push_back(nest.dim(d));
        Value value = read(nest, all, output);
        Value identity = arith::getIdentityValue(kind, element, builder(), loc);
        Value tensor =
            fill(loc, identity, emptyTensor(loc, statistics, element));
        return nest.finish(tensor, output, reduction,
                           [&](OpBuilder &body, ValueRange present) {
                             return SmallVector<Value>{arith::getReductionOp(
                                 kind, body, loc, present[0], value)};
                           })[0];
      };
  auto map = [&](Value tensor,
                 llvm::function_ref<Value(Nest &, const Index &, const Index &)>
                     read) {
    Nest nest(*this, loc, sizes);
    Index all = nest.dims(0, rank), output;
    for (int64_t d = 0; d < rank; ++d)
      if (d != axis)
        output.push_back(nest.dim(d));
    Value value = read(nest, all, output);
    return nest.finish(tensor, all, parallel, [&](OpBuilder &, ValueRange) {
      return SmallVector<Value>{value};
    })[0];
  };

  Value largest = reduce(arith::AtomicRMWKind::maximumf,
                         [&](Nest &nest, const Index &all, const Index &) {
                           return nest.read(input, all);
                         });
  auto shifted = [&](Nest &nest, const Index &all, const Index &outer) {
    Value x = nest.read(input, all), m = nest.readTensor(largest, outer);
    return arith::SubFOp::create(nest.body(), loc, x, m).getResult();
  };
  auto exponential = [&](Nest &nest, const Index &all, const Index &outer) {
    Value x = shifted(nest, all, outer);
    return math::ExpOp::create(nest.body(), loc, x).getResult();
  };

  if (logarithm) {
    Value sum = reduce(arith::AtomicRMWKind::addf, exponential);
    store(result, map(destination(result), [&](Nest &nest, const Index &all,
                                               const Index &outer) {
            Value x = shifted(nest, all, outer);
            Value s = nest.readTensor(sum, outer);
            s = math::LogOp::create(nest.body(), loc, s);
            return arith::SubFOp::create(nest.body(), loc, x, s).getResult();
          }));
    return;
  }
  Value exponentials = map(destination(result), exponential);
  Value sum = reduce(arith::AtomicRMWKind::addf,
                     [&](Nest &nest, const Index &all, const Index &) {
                       return nest.readTensor(exponentials, all);
                     });
  store(result, map(exponentials, [&](Nest &nest, const Index &all,
                                      const Index &outer) {
          Value e = nest.readTensor(exponentials, all);
          Value s = nest.readTensor(sum, outer);
          return arith::DivFOp::create(nest.body(), loc, e, s).getResult();
        }));
}

} // namespace cornu::lower
