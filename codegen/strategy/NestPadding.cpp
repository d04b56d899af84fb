//===- NestPadding.cpp - Padding becomes loop bounds ----------------------===//
//
// What one-shot bufferization makes of tensor.pad:
//
//   %p = memref.alloc; linalg.fill %c, %p; copy %x, subview %p[1, 1]; use %p
//
// A reduction for which %c is neutral reads %x and skips the positions outside
// (`codegen.guards`); any other reader selects between %x and %c.
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/Combiners.h"
#include "codegen/schedule/NestGuards.h"
#include "codegen/strategy/BufferAccess.h"
#include "codegen/strategy/GenericBuilder.h"
#include "codegen/strategy/NestFusion.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace cornu::codegen {

namespace {
/// A buffer with a constant border.
struct Padded {
  memref::AllocOp buffer;
  linalg::FillOp fill;
  memref::SubViewOp view;
  TypedAttr value;
  SmallVector<int64_t> low;
};
} // namespace

/// Offsets of a subview with static offsets, unit strides and full rank.
static std::optional<SmallVector<int64_t>> offsetsOf(memref::SubViewOp view) {
  if (view.getType().getRank() != view.getSourceType().getRank() ||
      !llvm::all_of(view.getStaticStrides(), [](int64_t s) { return s == 1; }))
    return std::nullopt;
  if (llvm::any_of(view.getStaticOffsets(), ShapedType::isDynamic))
    return std::nullopt;
  return SmallVector<int64_t>(view.getStaticOffsets());
}

/// The buffer, its constant fill and its one view; none if it has another form.
static std::optional<Padded> matchPadded(memref::AllocOp alloc) {
  Padded padded;
  padded.buffer = alloc;
  for (Operation *user : alloc->getUsers()) {
    if (auto fill = dyn_cast<linalg::FillOp>(user)) {
      if (padded.fill)
        return std::nullopt;
      padded.fill = fill;
    } else if (auto view = dyn_cast<memref::SubViewOp>(user)) {
      if (padded.view)
        return std::nullopt;
      padded.view = view;
    } else if (!isa<linalg::GenericOp, memref::DeallocOp, memref::DimOp>(
                   user)) {
      return std::nullopt;
    }
  }
  Attribute value;
  if (!padded.fill || !padded.view ||
      !matchPattern(padded.fill.getInputs()[0], m_Constant(&value)))
    return std::nullopt;
  auto low = offsetsOf(padded.view);
  if (!low)
    return std::nullopt;
  padded.value = cast<TypedAttr>(value);
  padded.low = *low;
  return padded;
}

//===----------------------------------------------------------------------===//
// Neutral values
//===----------------------------------------------------------------------===//

static bool isZero(Attribute value) {
  if (auto real = dyn_cast<FloatAttr>(value))
    return real.getValue().isZero();
  auto integer = dyn_cast<IntegerAttr>(value);
  return integer && integer.getValue().isZero();
}

static bool isZero(Value value) {
  Attribute constant;
  return matchPattern(value, m_Constant(&constant)) && isZero(constant);
}

/// True if `value` is zero whenever `arg` is.
static bool vanishesWith(Value value, Value arg) {
  if (value == arg)
    return true;
  if (auto select = value.getDefiningOp<arith::SelectOp>())
    return llvm::all_of(ArrayRef{select.getTrueValue(), select.getFalseValue()},
                        [&](Value either) {
                          return isZero(either) || vanishesWith(either, arg);
                        });
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  if (isa<arith::MulFOp, arith::MulIOp>(op))
    return vanishesWith(op->getOperand(0), arg) ||
           vanishesWith(op->getOperand(1), arg);
  if (isa<arith::ExtFOp, arith::TruncFOp, arith::NegFOp>(op))
    return vanishesWith(op->getOperand(0), arg);
  return false;
}

/// True if `value`, made of loop indices, cannot be negative.
static bool isNeverNegative(Value value) {
  IntegerAttr constant;
  if (matchPattern(value, m_Constant(&constant)))
    return !constant.getValue().isNegative();
  Operation *op = value.getDefiningOp();
  if (isa_and_nonnull<linalg::IndexOp>(op))
    return true;
  return isa_and_nonnull<arith::AddIOp, arith::MulIOp, arith::IndexCastOp>(
             op) &&
         llvm::all_of(op->getOperands(), isNeverNegative);
}

/// True if `value` is zero where `arg` is negative: select(arg == index, x, 0).
static bool vanishesBelowZero(Value value, Value arg) {
  auto select = value.getDefiningOp<arith::SelectOp>();
  if (!select || !isZero(select.getFalseValue()))
    return false;
  auto compare = select.getCondition().getDefiningOp<arith::CmpIOp>();
  return compare && compare.getPredicate() == arith::CmpIPredicate::eq &&
         ((compare.getLhs() == arg && isNeverNegative(compare.getRhs())) ||
          (compare.getRhs() == arg && isNeverNegative(compare.getLhs())));
}

/// True if `condition` is false when `arg` is minus infinity.
static bool isFalseAtMinusInfinity(Value condition, Value arg) {
  Operation *op = condition.getDefiningOp();
  if (!op)
    return false;
  if (isa<arith::OrIOp>(op))
    return isFalseAtMinusInfinity(op->getOperand(0), arg) &&
           isFalseAtMinusInfinity(op->getOperand(1), arg);
  if (isa<arith::AndIOp>(op)) {
    // arg > old or unordered, and old is a number.
    for (unsigned i : {0, 1}) {
      auto above = op->getOperand(i).getDefiningOp<arith::CmpFOp>();
      auto number = op->getOperand(1 - i).getDefiningOp<arith::CmpFOp>();
      if (above && number && above.getLhs() == arg &&
          above.getPredicate() == arith::CmpFPredicate::UGT &&
          number.getPredicate() == arith::CmpFPredicate::ORD &&
          number.getLhs() == above.getRhs() &&
          number.getRhs() == above.getRhs())
        return true;
    }
    return isFalseAtMinusInfinity(op->getOperand(0), arg) ||
           isFalseAtMinusInfinity(op->getOperand(1), arg);
  }
  auto compare = dyn_cast<arith::CmpFOp>(op);
  if (!compare)
    return false;
  bool left = compare.getLhs() == arg, right = compare.getRhs() == arg;
  switch (compare.getPredicate()) {
  case arith::CmpFPredicate::OGT:
    return left && !right;
  case arith::CmpFPredicate::OLT:
    return right && !left;
  case arith::CmpFPredicate::UNO:
  case arith::CmpFPredicate::UNE:
    return left && right;
  default:
    return false;
  }
}

/// True if a point of `op` where input `operand` is `value` leaves all outputs
/// as they were.
static bool isNeutral(linalg::GenericOp op, unsigned operand, TypedAttr value) {
  BlockArgument arg = op.getBody()->getArgument(operand);
  auto real = dyn_cast<FloatAttr>(value);
  bool minusInfinity =
      real && real.getValue().isInfinity() && real.getValue().isNegative();
  for (auto [o, combiner] : llvm::enumerate(findCombiners(op))) {
    BlockArgument old = op.getRegionOutputArgs()[o];
    Value yielded = op.getBody()->getTerminator()->getOperand(o);
    if (!combiner) {
      // select(x > old, ...): the running maximum and its position.
      auto select = yielded.getDefiningOp<arith::SelectOp>();
      if (select && select.getFalseValue() == old && minusInfinity &&
          isFalseAtMinusInfinity(select.getCondition(), arg))
        continue;
      return false;
    }
    Value added = combiner->getOperand(combiner->getOperand(0) == old ? 1 : 0);
    TypedAttr neutral = neutralElement(combiner);
    if (added == arg &&
        (value == neutral || (isZero(value) && isZero(neutral))))
      continue;
    auto integer = dyn_cast<IntegerAttr>(value);
    if (isa<arith::AddFOp, arith::AddIOp>(combiner) &&
        ((isZero(value) && vanishesWith(added, arg)) ||
         (integer && integer.getValue().isNegative() &&
          vanishesBelowZero(added, arg))))
      continue;
    return false;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Guards
//===----------------------------------------------------------------------===//

/// `map` with the offsets of the padding taken off.
static AffineMap shifted(AffineMap map, ArrayRef<int64_t> low) {
  SmallVector<AffineExpr> results;
  for (auto [expr, offset] : llvm::zip(map.getResults(), low))
    results.push_back(expr - offset);
  return AffineMap::get(map.getNumDims(), 0, results, map.getContext());
}

/// The dimensions in which `inner` is smaller than `outer`.
static SmallVector<unsigned> paddedDims(MemRefType outer, MemRefType inner) {
  SmallVector<unsigned> dims;
  for (unsigned d = 0; d < outer.getRank(); ++d)
    if (outer.getDimSize(d) != inner.getDimSize(d))
      dims.push_back(d);
  return dims;
}

/// True if loop bounds can keep the index inside in every padded dimension:
/// a static extent, and a reduction loop that moves the index.
static bool canGuard(linalg::GenericOp op, AffineMap map, MemRefType inner,
                     ArrayRef<unsigned> dims) {
  auto types = op.getIteratorTypesArray();
  for (unsigned d : dims) {
    auto index = LinearExpr::of(map.getResult(d), op.getNumLoops());
    if (inner.isDynamicDim(d) || !index)
      return false;
    bool moved = false;
    for (unsigned loop = 0; loop < types.size(); ++loop)
      moved |=
          index->moves(loop) && types[loop] == utils::IteratorType::reduction;
    if (!moved)
      return false;
  }
  return true;
}

/// Makes operand `operand` of `op` the unpadded `source`, guarded.
static void guardOperand(RewriterBase &rewriter, linalg::GenericOp op,
                         unsigned operand, Value source, ArrayRef<int64_t> low,
                         ArrayRef<unsigned> dims) {
  auto type = cast<MemRefType>(source.getType());
  SmallVector<int64_t> guards;
  if (auto attr = op->getAttrOfType<DenseI64ArrayAttr>(kGuardsAttr))
    llvm::append_range(guards, attr.asArrayRef());
  SmallVector<int64_t> shape(type.getShape());
  for (unsigned d : dims) {
    guards.append({int64_t(operand), int64_t(d), type.getDimSize(d)});
    shape[d] = ShapedType::kDynamic;
  }
  // linalg would find that the index leaves a static shape.
  rewriter.setInsertionPoint(op);
  Value cast = memref::CastOp::create(
      rewriter, op.getLoc(),
      MemRefType::get(shape, type.getElementType(), type.getLayout(),
                      type.getMemorySpace()),
      source);
  rewriter.modifyOpInPlace(op, [&] {
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    maps[operand] = shifted(maps[operand], low);
    op->setOperand(operand, cast);
    op.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
    op->setAttr(kGuardsAttr, rewriter.getDenseI64ArrayAttr(guards));
  });
}

/// Makes the body of `op` load from `source` or select `value`.
static bool selectOperand(RewriterBase &rewriter, linalg::GenericOp op,
                          unsigned operand, Value source, TypedAttr value,
                          ArrayRef<int64_t> low, ArrayRef<unsigned> dims) {
  AffineMap map = shifted(op.getIndexingMapsArray()[operand], low);
  // The loops must not need the operand to have a size.
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<AffineMap> rest(maps);
  rest.erase(rest.begin() + operand);
  AffineMap joined = concatAffineMaps(rest, op.getContext());
  if (!joined || !inversePermutation(joined))
    return false;
  Location loc = op.getLoc();
  rewriter.setInsertionPoint(op);
  auto type = cast<MemRefType>(source.getType());
  SmallVector<Value> sizes(type.getRank());
  for (unsigned d : dims)
    sizes[d] =
        type.isDynamicDim(d)
            ? memref::DimOp::create(rewriter, loc, source, d).getResult()
            : arith::ConstantIndexOp::create(rewriter, loc, type.getDimSize(d))
                  .getResult();
  Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
  Value one = arith::ConstantIndexOp::create(rewriter, loc, 1);
  Value outside = arith::ConstantOp::create(rewriter, loc, value);

  rewriter.setInsertionPointToStart(op.getBody());
  Value inside;
  SmallVector<Value> indices;
  for (auto [d, expr] : llvm::enumerate(map.getResults())) {
    Value index = expandInBody(rewriter, loc, expr);
    if (Value size = sizes[d]) {
      Value notBelow = arith::CmpIOp::create(
          rewriter, loc, arith::CmpIPredicate::sge, index, zero);
      Value below = arith::CmpIOp::create(
          rewriter, loc, arith::CmpIPredicate::slt, index, size);
      Value both = arith::AndIOp::create(rewriter, loc, notBelow, below);
      inside =
          inside
              ? arith::AndIOp::create(rewriter, loc, inside, both).getResult()
              : both;
      Value last = arith::SubIOp::create(rewriter, loc, size, one);
      index = arith::MaxSIOp::create(
          rewriter, loc, arith::MinSIOp::create(rewriter, loc, index, last),
          zero);
    }
    indices.push_back(index);
  }
  Value element = memref::LoadOp::create(rewriter, loc, source, indices);
  Value result =
      inside ? arith::SelectOp::create(rewriter, loc, inside, element, outside)
                   .getResult()
             : element;
  rewriter.replaceAllUsesWith(op.getBody()->getArgument(operand), result);

  SmallVector<Value> inputs(op.getDpsInputs());
  inputs.erase(inputs.begin() + operand);
  rewriter.setInsertionPoint(op);
  auto replacement =
      linalg::GenericOp::create(rewriter, loc, inputs, op.getDpsInits(), rest,
                                op.getIteratorTypesArray());
  op.getBody()->eraseArgument(operand);
  rewriter.inlineRegionBefore(op.getRegion(), replacement.getRegion(),
                              replacement.getRegion().end());
  rewriter.eraseOp(op);
  return true;
}

//===----------------------------------------------------------------------===//
// Padded buffers
//===----------------------------------------------------------------------===//

/// The view is written once, then the buffer is read.
static void removePadding(RewriterBase &rewriter, Padded padded) {
  linalg::GenericOp writer;
  for (Operation *user : padded.view->getUsers()) {
    auto generic = dyn_cast<linalg::GenericOp>(user);
    if (!generic || writer || generic.getNumDpsInits() != 1 ||
        generic.getDpsInits()[0] != padded.view.getResult() ||
        generic.getNumParallelLoops() != generic.getNumLoops() ||
        !generic.getIndexingMapsArray().back().isPermutation() ||
        !generic.getRegionOutputArgs()[0].use_empty() ||
        generic->getBlock() != padded.buffer->getBlock())
      return;
    writer = generic;
  }
  if (!writer || !padded.fill->isBeforeInBlock(writer))
    return;
  SmallVector<linalg::GenericOp> readers;
  for (OpOperand &use : padded.buffer->getUses()) {
    auto generic = dyn_cast<linalg::GenericOp>(use.getOwner());
    if (!generic)
      continue;
    if (!generic.isDpsInput(&use) ||
        generic->getBlock() != writer->getBlock() ||
        !writer->isBeforeInBlock(generic))
      return;
    readers.push_back(generic);
  }
  // The inside alone, as written: a copy's source, or a buffer that the
  // prologue fills (and that is inlined later).
  auto viewType = padded.view.getType();
  auto innerType =
      MemRefType::get(viewType.getShape(), viewType.getElementType());
  bool isCopy = linalg::isaCopyOpInterface(writer);
  Value source;
  if (isCopy) {
    source = writer->getOperand(0);
    Value base = baseBuffer(source);
    for (linalg::GenericOp reader : readers)
      for (Operation *op = writer->getNextNode(); op && op != reader;
           op = op->getNextNode())
        if (writesBuffer(op, base))
          isCopy = false;
  }
  if (!isCopy) {
    rewriter.setInsertionPoint(writer);
    SmallVector<Value> sizes;
    for (auto [size, dim] :
         llvm::zip(padded.view.getMixedSizes(), viewType.getShape()))
      if (ShapedType::isDynamic(dim))
        sizes.push_back(cast<Value>(size));
    source =
        memref::AllocOp::create(rewriter, writer.getLoc(), innerType, sizes);
    rewriter.modifyOpInPlace(writer, [&] {
      writer->setOperand(writer->getNumOperands() - 1, source);
    });
  }
  SmallVector<unsigned> dims =
      paddedDims(padded.buffer.getType(), cast<MemRefType>(source.getType()));
  for (linalg::GenericOp reader : readers)
    for (unsigned i = 0; i < reader.getNumDpsInputs(); ++i) {
      if (reader->getOperand(i) != padded.buffer.getResult())
        continue;
      AffineMap map = reader.getIndexingMapsArray()[i];
      if (isNeutral(reader, i, padded.value) &&
          canGuard(reader, map, cast<MemRefType>(source.getType()), dims)) {
        guardOperand(rewriter, reader, i, source, padded.low, dims);
      } else if (selectOperand(rewriter, reader, i, source, padded.value,
                               padded.low, dims)) {
        break; // the reader is another op now
      }
    }
  // Nobody reads the padded buffer any more: nothing needs to be copied in.
  bool read = llvm::any_of(padded.buffer->getUsers(), [](Operation *user) {
    return isa<linalg::GenericOp>(user);
  });
  if (!read && isCopy)
    rewriter.eraseOp(writer);
}

void removePadding(RewriterBase &rewriter, func::FuncOp kernel) {
  SmallVector<memref::AllocOp> allocs;
  kernel.walk([&](memref::AllocOp op) { allocs.push_back(op); });
  for (memref::AllocOp alloc : allocs) {
    auto padded = matchPadded(alloc);
    if (!padded)
      continue;
    removePadding(rewriter, *padded);
    if (padded->view->use_empty())
      rewriter.eraseOp(padded->view);
  }
  eraseDeadBuffers(rewriter, kernel);
}

} // namespace cornu::codegen
