//===- NestCandidates.cpp - Strategies near a nest's ----------------------===//

#include "codegen/strategy/Candidates.h"
#include "codegen/strategy/Nest.h"

using namespace mlir;

namespace cornu::codegen {

/// The leading loops that `op` shares with neighbours; 0 if it is alone, so
/// that its rows are its own to choose.
static unsigned sharedRows(linalg::GenericOp op, NestAttr strategy) {
  for (Operation &other : *op->getBlock()) {
    auto nest = other.getAttrOfType<NestAttr>(CodegenDialect::kStrategyAttr);
    if (nest && &other != op && nest.getKind() != NestKind::Epilogue &&
        nest.getGroup() == strategy.getGroup())
      return strategy.getRows();
  }
  return 0;
}

/// Squares that are transposed in registers have the size of a vector.
static bool transposes(NestAttr strategy) {
  return strategy.getKind() == NestKind::Map && strategy.getTileLoop() >= 0;
}

static NestAttr withSizes(NestAttr attr, int64_t vectors, int64_t tile,
                          int64_t grain) {
  return NestAttr::get(attr.getContext(), attr.getKind(), attr.getLane(),
                       attr.getRun(), attr.getWidth(), vectors,
                       attr.getTileLoop(), tile, attr.getRows(),
                       attr.getGroup(), grain, attr.getSerial());
}

SmallVector<Attribute> nestCandidates(linalg::GenericOp op, NestAttr current,
                                      const Target &target) {
  SmallVector<Attribute> candidates;
  if (current.getKind() == NestKind::Epilogue)
    return candidates;
  const int64_t vectors = current.getVectors(), tile = current.getTile(),
                grain = current.getGrain();
  auto add = [&](int64_t vectors, int64_t tile, int64_t grain) {
    if (vectors >= 1 && tile >= 1 &&
        vectors * tile <= int64_t(target.vectorRegisters))
      candidates.push_back(withSizes(current, vectors, tile, grain));
  };
  unsigned rows = sharedRows(op, current);
  for (int lane : possibleLanes(op, rows, target))
    if (lane != current.getLane())
      candidates.push_back(
          chooseNest(op, rows, current.getGroup(), target, lane));
  if (!transposes(current)) {
    if (current.getLane() >= 0) {
      add(vectors * 2, tile, grain);
      add(vectors / 2, tile, grain);
    }
    if (current.getTileLoop() >= 0) {
      add(vectors, tile * 2, grain);
      add(vectors, tile / 2, grain);
      add(vectors * 2, tile / 2, grain);
      add(vectors / 2, tile * 2, grain);
      candidates.push_back(
          NestAttr::get(op.getContext(), current.getKind(), current.getLane(),
                        current.getRun(), current.getWidth(), vectors,
                        /*tile_loop=*/-1, /*tile=*/1, current.getRows(),
                        current.getGroup(), grain, current.getSerial()));
    }
  }
  // Rows that are shared are cut by the grain of all.
  if (rows == 0) {
    add(vectors, tile, grain * 4);
    add(vectors, tile, std::max<int64_t>(grain / 4, 1024));
  }
  return candidates;
}

std::string whyUnsuitable(linalg::GenericOp op, NestAttr given,
                          NestAttr byDefault, const Target &target) {
  auto roles = [](NestAttr attr) {
    return std::make_tuple(attr.getKind(), attr.getLane(), attr.getRun(),
                           attr.getWidth(), attr.getTileLoop(), attr.getRows(),
                           attr.getGroup());
  };
  SmallVector<NestAttr> known = {byDefault};
  for (Attribute candidate : nestCandidates(op, byDefault, target)) {
    known.push_back(cast<NestAttr>(candidate));
    // With another lane, the tile may be left out as well.
    NestAttr last = known.back();
    if (!transposes(last) && last.getTileLoop() >= 0)
      known.push_back(NestAttr::get(
          op.getContext(), last.getKind(), last.getLane(), last.getRun(),
          last.getWidth(), last.getVectors(), /*tile_loop=*/-1, /*tile=*/1,
          last.getRows(), last.getGroup(), last.getGrain(), last.getSerial()));
  }
  if (llvm::none_of(known,
                    [&](NestAttr attr) { return roles(attr) == roles(given); }))
    return "its loops cannot have these roles (kind, lane, run, width, "
           "tile_loop, "
           "rows, group)";
  int64_t registers = target.vectorRegisters;
  for (const std::string &reason : {
           whyOutside("vectors", given.getVectors(), 1,
                      transposes(given) || given.getLane() < 0 ? 1 : registers),
           whyOutside("tile", given.getTile(),
                      transposes(given) ? given.getWidth() : 1,
                      transposes(given)          ? given.getWidth()
                      : given.getTileLoop() >= 0 ? registers
                                                 : 1),
           whyOutside("vectors * tile", given.getVectors() * given.getTile(), 1,
                      2 * registers),
           whyOutside("grain", given.getGrain(), 1, int64_t(1) << 40),
           whyOutside("serial", given.getSerial(), 0, int64_t(1) << 40),
       })
    if (!reason.empty())
      return reason;
  return {};
}

} // namespace cornu::codegen
