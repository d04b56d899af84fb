//===- ContractionCandidates.cpp - Strategies near a contraction's --------===//

#include "codegen/strategy/Candidates.h"
#include "codegen/strategy/Contraction.h"
#include "codegen/strategy/ContractionForm.h"
#include "codegen/strategy/WinogradForm.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace cornu::codegen {

static WinogradAttr withBlocks(WinogradAttr winograd, int64_t squares,
                               int64_t lanes) {
  return WinogradAttr::get(winograd.getContext(), winograd.getSide(),
                           winograd.getTaps(), squares, winograd.getFrom(),
                           winograd.getSums(), winograd.getChannels(), lanes,
                           winograd.getTransformed());
}

static WinogradAttr withSquares(WinogradAttr winograd, int64_t squares) {
  return withBlocks(winograd, squares, winograd.getLanes());
}

/// Register tiles of one to four vectors' width, as high as the registers
/// allow, or lower: rows that the runs of the output divide into, and two
/// thirds.
static SmallVector<RegisterTile> registerTiles(const ContractionForm &form,
                                               int64_t lanes,
                                               const Target &target) {
  SmallVector<RegisterTile> tiles;
  int64_t extent = form.extents[form.lane];
  if (ShapedType::isDynamic(extent))
    extent = std::numeric_limits<int64_t>::max();
  int64_t run =
      form.rows.empty() ? ShapedType::kDynamic : form.extents[form.rows.back()];
  for (int64_t wide : {2, 4, 3, 1}) {
    if (wide > 1 && (wide - 1) * lanes >= extent)
      continue;
    int64_t nr = std::min(wide * lanes, extent);
    // One broadcast beside the accumulators and the panel's vectors.
    int64_t most =
        std::min<int64_t>((target.vectorRegisters - wide - 1) / wide, 16);
    for (int64_t mr = most; mr >= 1; --mr)
      if (mr == most || mr == most - 1 || mr == most * 2 / 3 ||
          (!ShapedType::isDynamic(run) && run % mr == 0 && mr * 2 > most))
        tiles.push_back({mr, nr});
  }
  return tiles;
}

SmallVector<Attribute> contractionCandidates(linalg::GenericOp op,
                                             ContractionAttr current,
                                             const Target &target) {
  std::optional<ContractionForm> form = ContractionForm::of(op);
  if (!form)
    return {};
  MLIRContext *context = op.getContext();
  unsigned bits = getElementTypeOrSelf(op.getDpsInits()[0].getType())
                      .getIntOrFloatBitWidth();
  int64_t lanes = std::max<unsigned>(target.lanes(bits), 1);
  SmallVector<Attribute> candidates;
  auto add = [&](auto change) {
    Blocking changed(current);
    change(changed);
    candidates.push_back(changed.get(context));
  };

  // Another tile decides the blocks anew; what is packed stays.
  const bool tiled = !form->sharedLane && !current.getAlongReduction();
  if (tiled)
    for (RegisterTile tile : registerTiles(*form, lanes, target)) {
      auto derived = chooseContraction(op, target, tile);
      if (failed(derived))
        continue;
      Blocking changed(cast<ContractionAttr>(*derived));
      Blocking before(current);
      changed.copyLeft = before.copyLeft;
      changed.packRight = before.packRight;
      changed.winograd =
          before.winograd
              ? withSquares(
                    before.winograd,
                    llvm::alignTo(before.winograd.getSquares(), tile.mr))
              : WinogradAttr();
      candidates.push_back(changed.get(context));
    }
  // Minimal filtering, none, or with other squares.
  if (auto window = WinogradForm::of(op, *form)) {
    for (WinogradAttr winograd :
         winogradCandidates(context, *window, current.getMr(), target))
      add([&](Blocking &p) { p.winograd = winograd; });
    if (WinogradAttr winograd = current.getWinograd()) {
      add([&](Blocking &p) { p.winograd = WinogradAttr(); });
      for (int64_t squares :
           {winograd.getSquares() / 2, winograd.getSquares() * 2})
        if (squares >= 16 && squares <= 512)
          add([&](Blocking &p) {
            p.winograd = withSquares(winograd, squares);
          });
      // No part of the lanes.
      if (winograd.getChannels() == 0 && winograd.getLanes() != 0)
        add([&](Blocking &p) {
          p.winograd = withBlocks(winograd, winograd.getSquares(), 0);
        });
      // The blocks are those of the version for few squares.
      return candidates;
    }
  }
  if (tiled) {
    add([](Blocking &p) { p.packRight = !p.packRight; });
    add([](Blocking &p) { p.copyLeft = !p.copyLeft; });
    if (form->rows.size() > 1)
      add([](Blocking &p) { p.flattenRows = !p.flattenRows; });
  }
  int64_t steps = form->product(form->reduction);
  auto scale = [&](int64_t Blocking::*block, int64_t multiple, int64_t most) {
    for (bool larger : {true, false}) {
      int64_t now = Blocking(current).*block;
      int64_t value = larger ? now * 2 : now / 2;
      value = llvm::alignTo(value, multiple);
      // The last size is the whole.
      if (!ShapedType::isDynamic(most))
        value = std::min(value, std::max<int64_t>(most, 1));
      if (value >= multiple)
        add([&](Blocking &p) { p.*block = value; });
    }
  };
  if (form->sharedLane) {
    if (!current.getFlattenRows())
      for (int64_t mr : {4, 8, 16, 24})
        add([&](Blocking &p) { p.mr = mr; });
  } else {
    scale(&Blocking::kc, 1, steps);
  }
  scale(&Blocking::mc, current.getFlattenRows() ? 1 : current.getMr(),
        ShapedType::kDynamic);
  scale(&Blocking::nc, current.getNr(), form->extents[form->lane]);
  return candidates;
}

std::string whyUnsuitable(linalg::GenericOp op, ContractionAttr given,
                          ContractionAttr byDefault, const Target &target) {
  unsigned bits = getElementTypeOrSelf(op.getDpsInits()[0].getType())
                      .getIntOrFloatBitWidth();
  int64_t lanes = std::max<unsigned>(target.lanes(bits), 1);
  // What the strategy decides between.
  SmallVector<ContractionAttr> known;
  auto addNear = [&](ContractionAttr base) {
    known.push_back(base);
    for (Attribute candidate : contractionCandidates(op, base, target))
      known.push_back(cast<ContractionAttr>(candidate));
  };
  addNear(byDefault);
  if (byDefault.getWinograd()) {
    Blocking plain(byDefault);
    plain.winograd = WinogradAttr();
    addNear(plain.get(op.getContext()));
  }
  auto hasSame = [&](auto member) {
    return llvm::any_of(known, [&](ContractionAttr attr) {
      return member(attr) == member(given);
    });
  };
  if (!hasSame([](ContractionAttr a) { return a.getCopyLeft(); }))
    return "copy_left cannot differ from the default";
  if (!hasSame([](ContractionAttr a) { return a.getCopyRight(); }))
    return "copy_right cannot differ from the default";
  if (!hasSame([](ContractionAttr a) { return a.getPackRight(); }))
    return "pack_right cannot differ from the default";
  // Another tile may make rows' loops worth flattening, or not.
  std::optional<ContractionForm> form = ContractionForm::of(op);
  bool severalLoops = form && !form->sharedLane && form->rows.size() > 1;
  if (!severalLoops &&
      !hasSame([](ContractionAttr a) { return a.getFlattenRows(); }))
    return "flatten_rows cannot differ from the default";
  if (!hasSame([](ContractionAttr a) { return a.getAlongReduction(); }))
    return "along_reduction cannot differ from the default";
  if (given.getPanels() != byDefault.getPanels())
    return "panels follow from nr and cannot be given";
  if (given.getOutputPanels() != byDefault.getOutputPanels())
    return "output_panels follow from other kernels and cannot be given";
  if (given.getWinograd() && given.getWinograd().getTransformed())
    return "winograd's kernel is transformed where it is a constant, which "
           "cannot be given";
  if (!hasSame([](ContractionAttr a) {
        WinogradAttr w = a.getWinograd();
        return w ? std::make_tuple(w.getSide(), w.getTaps(), w.getSums() > 1,
                                   w.getChannels(), w.getLanes())
                 : std::make_tuple(int64_t(0), int64_t(0), false, int64_t(0),
                                   int64_t(0));
      }))
    return "its form of winograd is not one for this op and this precision";

  // Sizes: no more code than the registers justify, blocks that fit a memory.
  constexpr int64_t kMostOfBlock = 1 << 16;
  auto most = [&](int64_t usual) { return std::max(usual, kMostOfBlock); };
  int64_t vectors =
      llvm::divideCeil(std::max<int64_t>(given.getNr(), 1), lanes);
  WinogradAttr winograd = given.getWinograd();
  for (const std::string &reason : {
           whyOutside("mr", given.getMr(), 1, 64),
           whyOutside("nr", given.getNr(), 1,
                      std::max(byDefault.getNr(), 8 * lanes)),
           whyOutside("mc", given.getMc(), 1, most(byDefault.getMc())),
           whyOutside("nc", given.getNc(), 1, most(byDefault.getNc())),
           whyOutside("kc", given.getKc(), 1, most(byDefault.getKc())),
           whyOutside("single_row_nr", given.getSingleRowNr(), 0,
                      byDefault.getSingleRowNr() ? 64 * lanes : 0),
           whyOutside("serial", given.getSerial(), 0, int64_t(1) << 40),
           whyOutside("winograd's squares",
                      winograd ? winograd.getSquares() : 1, 1, 4096),
           whyOutside("winograd's from", winograd ? winograd.getFrom() : 0, 0,
                      int64_t(1) << 40),
           whyOutside("winograd's sums", winograd ? winograd.getSums() : 1, 1,
                      64),
       })
    if (!reason.empty())
      return reason;
  int64_t accumulators = given.getMr() * vectors;
  if (accumulators >
      std::max<int64_t>(byDefault.getMr(), 2 * target.vectorRegisters))
    return llvm::formatv("a tile of {0} x {1} takes {2} vector registers; "
                         "there are {3}",
                         given.getMr(), given.getNr(), accumulators,
                         target.vectorRegisters);
  return {};
}

} // namespace cornu::codegen
