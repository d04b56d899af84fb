//===- Indexing.cpp - Lookup and random numbers ---------------------------===//
//
// nn.gather reads the table in the body of whichever nest uses its rows:
//
//   %valid = arith.cmpi ult, %row, %rows
//   %safe = arith.select %valid, %row, %zero
//   %x = tensor.extract %table[%safe, %column]
//   %y = arith.select %valid, %x, %nan
//
// nn.scatter_add walks over the rows in their order, so that sums do not
// depend on threads; the columns of a row are a nest.
//
//===----------------------------------------------------------------------===//

#include "passes/lower/KernelLowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace cornu::nn;

namespace cornu::lower {

namespace {
/// A row of a table by an index that may be negative or outside.
struct Row {
  Value valid; // i1
  Value index; // in range if valid, else anything
};
} // namespace

static Row rowOf(OpBuilder &b, Location loc, Value number, int64_t rows) {
  Type type = number.getType();
  auto constant = [&](int64_t value) {
    return arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, value));
  };
  Value negative = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt,
                                         number, constant(0));
  Value fromEnd = arith::AddIOp::create(b, loc, number, constant(rows));
  Value row = arith::SelectOp::create(b, loc, negative, fromEnd, number);
  Value valid = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, row,
                                      constant(rows));
  return {valid, row};
}

//===----------------------------------------------------------------------===//
// Gather
//===----------------------------------------------------------------------===//

Value readGather(Site &site, GatherOp op, ArrayRef<AffineExpr> index) {
  Location loc = op.getLoc();
  Value table = site.kernel.tensorOf(op.getTable());
  int64_t rank = tensorType(op.getIndices()).getRank();
  Value number = site.read(op.getIndices(), index.take_front(rank));
  OpBuilder &b = site.body();
  Row row = rowOf(b, loc, number, tensorType(op.getTable()).getDimSize(0));
  Value zero =
      arith::ConstantOp::create(b, loc, b.getIntegerAttr(number.getType(), 0));
  Value safe = arith::SelectOp::create(b, loc, row.valid, row.index, zero);
  SmallVector<Value> position{
      arith::IndexCastOp::create(b, loc, b.getIndexType(), safe)};
  for (AffineExpr expr : index.drop_front(rank))
    position.push_back(site.position(expr));
  Value element = tensor::ExtractOp::create(b, loc, table, position);
  Value nan = arith::ConstantOp::create(
      b, loc,
      b.getFloatAttr(element.getType(),
                     std::numeric_limits<double>::quiet_NaN()));
  return arith::SelectOp::create(b, loc, row.valid, element, nan);
}

//===----------------------------------------------------------------------===//
// Scatter
//===----------------------------------------------------------------------===//

void KernelLowering::lowerScatterAdd(ScatterAddOp op) {
  Location loc = op.getLoc();
  OpBuilder &b = builder();
  RankedTensorType type = tensorType(op);
  RankedTensorType indicesType = tensorType(op.getIndices());
  Type element = type.getElementType();

  // Rows in one list.
  auto flat = [&](Value value, ArrayRef<int64_t> rest) {
    Value tensor = tensorOf(value);
    RankedTensorType from = tensorType(tensor);
    bool dynamic = false;
    int64_t rows = 1;
    for (int64_t size : from.getShape().take_front(indicesType.getRank())) {
      dynamic |= ShapedType::isDynamic(size);
      rows *= ShapedType::isDynamic(size) ? 1 : size;
    }
    Shape shape{dynamic ? ShapedType::kDynamic : rows};
    shape.append(rest.begin(), rest.end());
    return reshapeTensor(b, loc, tensor,
                         RankedTensorType::get(shape, from.getElementType()));
  };
  ArrayRef<int64_t> rowShape = type.getShape().drop_front();
  Value indices = flat(op.getIndices(), {});
  Value updates = flat(op.getUpdates(), rowShape);
  Value table = fill(loc, constant(loc, element, 0), destination(op));

  auto index = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, loc, value);
  };
  Value count =
      getValueOrCreateConstantIndexOp(b, loc, tensorSize(b, loc, indices, 0));
  auto loop = scf::ForOp::create(b, loc, index(0), count, index(1), table);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value i = loop.getInductionVar(), present = loop.getRegionIterArg(0);
    Value number = tensor::ExtractOp::create(b, loc, indices, i);
    Row row = rowOf(b, loc, number, type.getDimSize(0));
    auto branch = scf::IfOp::create(b, loc, table.getType(), row.valid,
                                    /*withElseRegion=*/true);
    b.setInsertionPointToStart(branch.thenBlock());
    // One row of the table and of the updates.
    auto rowSlice = [&](Value position) {
      SmallVector<OpFoldResult> offsets{position}, sizes{b.getIndexAttr(1)},
          strides(type.getRank(), b.getIndexAttr(1));
      for (int64_t size : rowShape) {
        offsets.push_back(b.getIndexAttr(0));
        sizes.push_back(b.getIndexAttr(size));
      }
      return std::make_tuple(offsets, sizes, strides);
    };
    auto rowType = RankedTensorType::get(rowShape, element);
    auto [from, sizes, strides] = rowSlice(i);
    Value update = tensor::ExtractSliceOp::create(b, loc, rowType, updates,
                                                  from, sizes, strides);
    Value target =
        arith::IndexCastOp::create(b, loc, b.getIndexType(), row.index);
    auto to = std::get<0>(rowSlice(target));
    Value slice = tensor::ExtractSliceOp::create(b, loc, rowType, present, to,
                                                 sizes, strides);
    Sizes extents;
    for (int64_t size : rowShape)
      extents.push_back(b.getIndexAttr(size));
    Nest nest(*this, loc, extents);
    Index all = nest.dims(0, rowShape.size());
    Value addend = nest.readTensor(update, all);
    SmallVector<IteratorType> kinds(rowShape.size(), IteratorType::parallel);
    Value sum =
        nest.finish(slice, all, kinds, [&](OpBuilder &body, ValueRange old) {
          return SmallVector<Value>{
              arith::AddFOp::create(body, loc, old[0], addend)};
        })[0];
    Value inserted =
        tensor::InsertSliceOp::create(b, loc, sum, present, to, sizes, strides);
    scf::YieldOp::create(b, loc, inserted);
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, loc, present);
    b.setInsertionPointToEnd(loop.getBody());
    scf::YieldOp::create(b, loc, branch.getResult(0));
  }
  store(op, loop.getResult(0));
}

//===----------------------------------------------------------------------===//
// Random numbers
//===----------------------------------------------------------------------===//

namespace {
/// 32-bit words in 64-bit integers, where products have room.
struct Words {
  OpBuilder &b;
  Location loc;

  Value word(int64_t value) {
    return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(value));
  }
  Value widen(Value x) {
    return arith::ExtUIOp::create(b, loc, b.getI64Type(), x);
  }
  Value low(Value x) {
    return arith::AndIOp::create(b, loc, x, word(0xFFFFFFFF));
  }
  Value high(Value x) { return arith::ShRUIOp::create(b, loc, x, word(32)); }
  Value product(Value x, uint32_t constant) {
    return arith::MulIOp::create(b, loc, x, word(constant));
  }
  Value add(Value x, uint32_t constant) {
    return low(arith::AddIOp::create(b, loc, x, word(constant)));
  }
  Value exclusiveOr(Value x, Value y, Value z) {
    Value xy = arith::XOrIOp::create(b, loc, x, y);
    return arith::XOrIOp::create(b, loc, xy, z);
  }
};

// Philox (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC
// 2011): the constants are the paper's.
constexpr unsigned kRounds = 10;
constexpr uint32_t kWeyl[] = {0x9E3779B9u, 0xBB67AE85u};

/// Philox 4x32: four words of a counter to four random ones.
void philox4x32(Words w, MutableArrayRef<Value> counter, Value key0,
                Value key1) {
  for (unsigned round = 0; round < kRounds; ++round) {
    Value a = w.product(counter[0], 0xD2511F53u);
    Value b = w.product(counter[2], 0xCD9E8D57u);
    Value next[4] = {w.exclusiveOr(w.high(b), counter[1], key0), w.low(b),
                     w.exclusiveOr(w.high(a), counter[3], key1), w.low(a)};
    std::copy(next, next + 4, counter.begin());
    key0 = w.add(key0, kWeyl[0]);
    key1 = w.add(key1, kWeyl[1]);
  }
}

/// Philox 2x32: the first of two random words for a counter {low, high}. One
/// multiplication a round, where 4x32 has two.
Value philox2x32(Words w, Value low, Value high, ArrayRef<Value> roundKeys) {
  for (Value key : roundKeys) {
    Value product = w.product(low, 0xD256D193u);
    low = w.exclusiveOr(w.high(product), key, high);
    high = w.low(product);
  }
  return low;
}
} // namespace

Value readRandomUniform(Site &site, RandomUniformOp op,
                        ArrayRef<AffineExpr> index) {
  Location loc = op.getLoc();
  RankedTensorType type = tensorType(op);
  KernelLowering &kernel = site.kernel;

  // A key for the numbers of this op in this step, once for the kernel.
  OpBuilder &outer = kernel.builder();
  Words once{outer, loc};
  Value state = kernel.tensorOf(op.getState());
  auto stateWord = [&](int64_t i) {
    Value position = arith::ConstantIndexOp::create(outer, loc, i);
    return once.widen(tensor::ExtractOp::create(outer, loc, state, position));
  };
  Value derived[4] = {
      once.word(static_cast<uint32_t>(op.getStream())),
      once.word(static_cast<int64_t>(uint64_t(op.getStream()) >> 32)),
      stateWord(2), once.word(0)};
  philox4x32(once, derived, stateWord(0), stateWord(1));
  SmallVector<Value> roundKeys = {derived[0]};
  while (roundKeys.size() < kRounds)
    roundKeys.push_back(once.add(roundKeys.back(), kWeyl[0]));

  // The row-major number of the element.
  OpBuilder &b = site.body();
  Words w{b, loc};
  Value number = w.word(0);
  for (auto [d, expr] : llvm::enumerate(index)) {
    Value position =
        arith::IndexCastOp::create(b, loc, b.getI64Type(), site.position(expr));
    if (d > 0)
      number =
          arith::MulIOp::create(b, loc, number, w.word(type.getDimSize(d)));
    number = arith::AddIOp::create(b, loc, number, position);
  }
  Value high = arith::XOrIOp::create(b, loc, w.high(number), derived[1]);
  Value drawn = philox2x32(w, w.low(number), high, roundKeys);

  // 24 bits are a float without rounding.
  Value bits = arith::TruncIOp::create(
      b, loc, b.getI32Type(), arith::ShRUIOp::create(b, loc, drawn, w.word(8)));
  Type element = type.getElementType();
  Value value = arith::SIToFPOp::create(b, loc, element, bits);
  Value unit = arith::ConstantOp::create(
      b, loc, b.getFloatAttr(element, 1.0 / (1 << 24)));
  return arith::MulFOp::create(b, loc, value, unit);
}

} // namespace cornu::lower
