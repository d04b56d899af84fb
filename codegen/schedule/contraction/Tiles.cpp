//===- Tiles.cpp - How a block is cut into register tiles -----------------===//
//
//   100 rows in tiles of 14:   7 * 14 less one, and 8 + 8 for the rest
//   84 lanes in tiles of 32:   2 * 32, then 16 + 4
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/contraction/Nest.h"

#include "codegen/schedule/Elementwise.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace cornu::codegen {

//===----------------------------------------------------------------------===//
// Lanes
//===----------------------------------------------------------------------===//

SmallVector<unsigned> ContractionNest::laneWidths(int64_t extent) const {
  // Along the reduction, lanes are what horizontal sums leave; a few lanes are
  // one short vector.
  if (extent > 0 &&
      extent <= int64_t(strategy.getAlongReduction() ? width : width / 2))
    return {unsigned(extent)};
  return lanePieces(extent, width);
}

void ContractionNest::forLaneTiles(
    llvm::function_ref<void(const LaneTile &)> body) {
  LoopRange lane = ranges[form.lane];
  auto tile = [&](Value start, ArrayRef<unsigned> widths,
                  bool inLastPanel = false) {
    body({math.add(lane.low, start), SmallVector<unsigned>(widths),
          inLastPanel});
  };
  int64_t full = strategy.getNr(), panels = strategy.getPanels();
  Value whole = math.mul(math.div(lane.size, math.constant(full)),
                         OpFoldResult(builder.getIndexAttr(full)));
  SmallVector<unsigned> fullWidths = laneWidths(full);
  if (lane.largest >= full)
    forRange(math.constant(0), whole, full,
             [&](Value start) { tile(start, fullWidths); });
  // A known rest is cut exactly, into tiles of at most as many vectors as a
  // full one, so that they fit in registers.
  if (SmallVector<int64_t, 2> sizes = lane.sizes(); !sizes.empty()) {
    SmallVector<int64_t, 2> rests;
    for (int64_t size : sizes)
      if (size % full != 0 && !llvm::is_contained(rests, size % full))
        rests.push_back(size % full);
    for (int64_t rest : rests) {
      Value here =
          arith::ConstantOp::create(builder, loc, builder.getBoolAttr(true));
      if (sizes.size() > 1)
        here = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                     math.sub(lane.size, whole),
                                     math.constant(rest));
      ifElse(
          here,
          [&] {
            Value start = whole;
            int64_t last = rest;
            for (; panels && last >= panels; last -= panels) {
              tile(start, laneWidths(panels));
              start = addConstant(builder, loc, start, panels);
            }
            SmallVector<unsigned> pieces = laneWidths(last);
            ArrayRef<unsigned> left = pieces;
            while (!left.empty()) {
              auto part =
                  left.take_front(std::min(fullWidths.size(), left.size()));
              tile(start, part, /*inLastPanel=*/panels != 0);
              for (unsigned lanes : part)
                start = addConstant(builder, loc, start, lanes);
              left = left.drop_front(part.size());
            }
          },
          nullptr);
    }
    return;
  }
  Value start = whole;
  for (unsigned lanes = full > 1 ? llvm::bit_floor(unsigned(full - 1)) : 0;
       lanes > 0; lanes /= 2) {
    Value end = math.add(
        start,
        math.mul(math.div(math.sub(lane.size, start), math.constant(lanes)),
                 OpFoldResult(builder.getIndexAttr(lanes))));
    SmallVector<unsigned> widths = laneWidths(lanes);
    forRange(start, end, lanes, [&](Value at) { tile(at, widths); });
    start = end;
  }
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

/// How `rows` are covered: full tiles up to `full`, then a tile of each of
/// `tails`. Where the rest would be too short to hide the latency of its
/// multiply-adds, the last full tile shares with it.
namespace {
struct RowCut {
  int64_t full;
  SmallVector<int64_t, 2> tails;

  RowCut(int64_t rows, int64_t tile) : full(rows / tile * tile) {
    int64_t rest = rows % tile;
    if (rest != 0 && rest * 2 <= tile && full > 0) {
      full -= tile;
      tails = {(tile + rest + 1) / 2, (tile + rest) / 2};
    } else if (rest != 0) {
      tails = {rest};
    }
  }
};
} // namespace

/// Multiply-adds in flight that hide each other's latency: 4 cycles on two
/// ports.
static constexpr int64_t kInFlight = 8;

/// Covers [0, total) with tiles of mr rows and smaller ones for the rest. One
/// or two `totals` are the values that `total` takes; none, if it takes any.
void ContractionNest::forRowTiles(
    Value total, ArrayRef<int64_t> totals, const LaneTile &lanes,
    llvm::function_ref<void(Value, int64_t)> body) {
  int64_t tile = strategy.getMr();
  auto full = [&](Value end) {
    forRange(math.constant(0), end, tile,
             [&](Value start) { body(start, tile); });
  };
  auto tails = [&](const RowCut &cut) {
    int64_t start = cut.full;
    for (int64_t tail : cut.tails) {
      body(math.constant(start), tail);
      start += tail;
    }
  };
  if (totals.size() == 1) {
    RowCut cut(totals[0], tile);
    full(math.constant(cut.full));
    tails(cut);
    return;
  }
  if (totals.size() == 2) {
    // Full tiles are common to both.
    RowCut cut(totals[0], tile), last(totals[1], tile);
    Value isLast = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                         total, math.constant(totals[1]));
    full(arith::SelectOp::create(builder, loc, isLast, math.constant(last.full),
                                 math.constant(cut.full)));
    if (!cut.tails.empty() || !last.tails.empty())
      ifElse(isLast, [&] { tails(last); }, [&] { tails(cut); });
    return;
  }
  // Few sizes, since each is code: the second is as small as is still fast.
  int64_t vectors = lanes.widths.size();
  SmallVector<int64_t, 4> sizes = {tile};
  while (sizes.back() > 1) {
    int64_t size = sizes.back();
    int64_t next = size == tile ? llvm::bit_floor(uint64_t(kInFlight / vectors))
                                : size / 4;
    sizes.push_back(
        std::clamp<int64_t>(next, 1, llvm::bit_floor(uint64_t(size - 1))));
  }
  Value start = math.constant(0);
  for (int64_t size : sizes) {
    Value left = math.sub(total, start);
    Value whole = math.mul(math.div(left, math.constant(size)),
                           OpFoldResult(builder.getIndexAttr(size)));
    if (size == tile && size > 1)
      whole = keepForRest(left, whole, tile, sizes[1]);
    Value end = math.add(start, whole);
    forRange(start, end, size, [&](Value at) { body(at, size); });
    start = end;
    if (size == tile)
      panelFilled = arith::CmpIOp::create(
          builder, loc, arith::CmpIPredicate::ne, end, math.constant(0));
  }
}

/// The rows in full tiles, `whole` of `left`, less one tile where it and the
/// rest are fewer tiles of `next` rows and of one: 8 = 4 + 4 and not 6 + 1 + 1.
Value ContractionNest::keepForRest(Value left, Value whole, int64_t tile,
                                   int64_t next) {
  auto tiles = [&](int64_t rows) { return rows / next + rows % next; };
  Value rest = math.sub(left, whole), keep;
  for (int64_t rows = 1; rows < tile; ++rows) {
    if (tiles(tile + rows) > tiles(rows))
      continue;
    Value here = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                       rest, math.constant(rows));
    keep = keep ? arith::OrIOp::create(builder, loc, keep, here) : here;
  }
  if (!keep)
    return whole;
  Value less = math.sub(whole, math.constant(tile));
  Value none = math.constant(0);
  less = arith::MaxSIOp::create(builder, loc, less, none);
  return arith::SelectOp::create(builder, loc, keep, less, whole);
}

void ContractionNest::emitRowTiles(const LaneTile &lanes) {
  unsigned count = rowLoops.size();
  if (count == 0) {
    emitTile({{RowPoint{{}, math.constant(0)}}, true}, lanes);
    return;
  }
  if (count == 1 || rowTilesInRun) {
    // Tiles along the innermost loop, for each point of the others.
    SmallVector<Value> outer;
    std::function<void(unsigned, Value)> nest = [&](unsigned level,
                                                    Value slot) {
      LoopRange &range = rowRanges[level];
      Value first =
          math.mul(slot, OpFoldResult(builder.getIndexAttr(range.largest)));
      if (level + 1 < count) {
        forRange(math.constant(0), range.size, 1, [&](Value i) {
          outer.push_back(math.add(range.low, i));
          nest(level + 1, math.add(first, i));
          outer.pop_back();
        });
        return;
      }
      auto run = [&](Value start, int64_t rows) {
        RowTile tile;
        tile.consecutive = true;
        tile.isRest = range.sizes().empty() && rows < strategy.getMr();
        Value index = math.add(range.low, start);
        Value place = math.add(first, start);
        for (int64_t r = 0; r < rows; ++r) {
          RowPoint point{outer, addConstant(builder, loc, place, r)};
          point.indices.push_back(addConstant(builder, loc, index, r));
          tile.rows.push_back(point);
        }
        emitTile(tile, lanes);
      };
      forRowTiles(range.size, range.sizes(), lanes, run);
    };
    nest(0, math.constant(0));
    return;
  }
  Value total = math.constant(1);
  SmallVector<int64_t, 4> totals = {1};
  for (LoopRange &range : rowRanges) {
    total = math.mul(total, OpFoldResult(range.size));
    SmallVector<int64_t, 4> products;
    for (int64_t size : range.sizes())
      for (int64_t before : totals)
        products.push_back(before * size);
    totals = std::move(products);
  }
  if (totals.size() > 2)
    totals.clear();
  auto run = [&](Value start, int64_t rows) {
    RowTile tile;
    tile.isRest = totals.empty() && rows < strategy.getMr();
    for (int64_t r = 0; r < rows; ++r) {
      Value slot = addConstant(builder, loc, start, r);
      SmallVector<Value> indices(count);
      Value rest = slot;
      for (unsigned i = count; i-- > 0;) {
        Value inBlock = i == 0 ? rest : math.rem(rest, rowRanges[i].size);
        rest = i == 0 ? rest : math.div(rest, rowRanges[i].size);
        indices[i] = math.add(rowRanges[i].low, inBlock);
      }
      tile.rows.push_back(RowPoint{indices, slot});
    }
    emitTile(tile, lanes);
  };
  forRowTiles(total, totals, lanes, run);
}

} // namespace cornu::codegen
