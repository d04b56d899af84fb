//===- PackBeforeLoops.cpp - Weights packed once for all steps ------------===//
//
// A step of a scan has few rows, so that packing the recurrent weights is a
// good part of its work. They are the same in each step:
//
//   scf.for %t ... { call @step(%h, %w, ...) }
//   ->
//   %p = memref.alloc() : memref<128x512xf32>
//   call @pack_0(%w, %p, %workspace)
//   scf.for %t ... { call @step(%h, %p, ...) }
//
// buffer-place-kernel-buffers gives the allocation its place.
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/Strategy.h"
#include "codegen/strategy/WeightLayout.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Pass/Pass.h"
#include "passes/buffer/Buffer.h"
#include "passes/buffer/KernelWork.h"
#include "passes/buffer/Views.h"
#include "passes/lower/Lower.h"

using namespace mlir;

namespace cornu::codegen {

/// The fewest steps for which packing pays: it moves each weight twice, at
/// worst against the order in memory.
static constexpr int64_t kFewestSteps = 8;

/// The part of `memref` that starts `offset` elements from its start.
static Value part(OpBuilder &b, Location loc, Value memref, int64_t offset,
                  ArrayRef<int64_t> sizes, ArrayRef<int64_t> strides) {
  auto element = cast<MemRefType>(memref.getType()).getElementType();
  auto layout = StridedLayoutAttr::get(b.getContext(), offset, strides);
  return memref::ReinterpretCastOp::create(
      b, loc, MemRefType::get(sizes, element, layout), memref, offset, sizes,
      strides);
}

static void copyElements(OpBuilder &b, Location loc, Value from, Value to) {
  unsigned rank = cast<MemRefType>(to.getType()).getRank();
  AffineMap map = b.getMultiDimIdentityMap(rank);
  SmallVector<utils::IteratorType> parallel(rank,
                                            utils::IteratorType::parallel);
  linalg::GenericOp::create(b, loc, ValueRange(from), ValueRange(to),
                            ArrayRef<AffineMap>{map, map}, parallel,
                            [](OpBuilder &body, Location at, ValueRange x) {
                              linalg::YieldOp::create(body, at, x[0]);
                            });
}

namespace {

struct PackBeforeLoops
    : public PassWrapper<PackBeforeLoops, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(PackBeforeLoops)
  StringRef getArgument() const final { return "codegen-pack-before-loops"; }
  StringRef getDescription() const final {
    return "Pack weights that all steps of a loop read once before it";
  }
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<arith::ArithDialect, linalg::LinalgDialect,
                    memref::MemRefDialect>();
  }
  void runOnOperation() final;

private:
  /// The loop before which operand `i` of the call can be packed; null if it
  /// is none, is written in it, or is no weight.
  scf::ForOp loopOf(func::CallOp call, unsigned i);
  bool mayWrite(func::CallOp call, unsigned i);
  /// The kernel that brings a weight of that type into panels.
  func::FuncOp packer(func::FuncOp reader, MemRefType type, Panels panels);
  void pack(func::CallOp call, unsigned i, Panels panels);

  std::optional<SymbolTable> symbols;
  struct Packed {
    scf::ForOp loop;
    Value weight, copy;
    Panels panels;
  };
  SmallVector<Packed> packed;
  struct Packer {
    MemRefType type;
    Panels panels;
    func::FuncOp kernel;
  };
  SmallVector<Packer> packers;
};

} // namespace

bool PackBeforeLoops::mayWrite(func::CallOp call, unsigned i) {
  auto kernel = symbols->lookup<func::FuncOp>(call.getCallee());
  return !kernel || kernel.getArgAttr(i, buffer::kOutputAttr);
}

scf::ForOp PackBeforeLoops::loopOf(func::CallOp call, unsigned i) {
  scf::ForOp loop;
  for (auto outer = call->getParentOfType<scf::ForOp>(); outer;
       outer = outer->getParentOfType<scf::ForOp>())
    loop = outer;
  Value weight = call.getOperand(i);
  std::optional<int64_t> offset = buffer::stateOffset(weight);
  if (!loop || !offset || mayWrite(call, i) ||
      !loop.isDefinedOutsideOfLoop(weight))
    return nullptr;
  std::optional<APInt> steps = loop.getStaticTripCount();
  if (!steps || steps->slt(kFewestSteps))
    return nullptr;
  Value state = buffer::rootOf(weight);
  bool isWritten = false;
  auto write = [&](Value memref) {
    isWritten |= buffer::rootOf(memref) == state &&
                 buffer::stateOffset(memref).value_or(*offset) == *offset;
  };
  loop.walk([&](Operation *op) {
    if (auto inner = dyn_cast<func::CallOp>(op)) {
      for (unsigned k = 0; k < inner.getNumOperands(); ++k)
        if (isa<MemRefType>(inner.getOperand(k).getType()) &&
            mayWrite(inner, k))
          write(inner.getOperand(k));
    } else if (!isa<ViewLikeOpInterface, memref::DimOp, memref::LoadOp>(op)) {
      // A copy reads its first operand.
      for (Value operand :
           op->getOperands().drop_front(isa<memref::CopyOp>(op) ? 1 : 0))
        if (isa<MemRefType>(operand.getType()))
          write(operand);
    }
  });
  return isWritten ? nullptr : loop;
}

func::FuncOp PackBeforeLoops::packer(func::FuncOp reader, MemRefType type,
                                     Panels panels) {
  for (Packer &known : packers)
    if (known.type == type && known.panels == panels)
      return known.kernel;
  OpBuilder b(reader);
  Location loc = reader.getLoc();
  Type bytes = MemRefType::get({ShapedType::kDynamic}, b.getI8Type());
  auto kernel =
      func::FuncOp::create(b, loc, "pack_" + std::to_string(packers.size()),
                           b.getFunctionType({type, type, bytes}, {}));
  kernel.setPrivate();
  kernel->setAttr(lower::kKernelAttr, b.getUnitAttr());
  if (Attribute layers = reader->getAttr("nn.layers"))
    kernel->setAttr("nn.layers", layers);
  kernel.setArgAttr(1, buffer::kOutputAttr, b.getUnitAttr());
  symbols->insert(kernel);

  b.setInsertionPointToStart(kernel.addEntryBlock());
  Value from = kernel.getArgument(0), to = kernel.getArgument(1);
  bool first = panels.laneFirst;
  int64_t columns = first ? type.getShape().front() : type.getShape().back();
  int64_t rows = type.getNumElements() / columns, width = panels.width;
  int64_t lane = first ? rows : 1, row = first ? 1 : columns;
  int64_t whole = columns / width, rest = columns % width;
  if (whole)
    copyElements(
        b, loc,
        part(b, loc, from, 0, {whole, rows, width}, {width * lane, row, lane}),
        part(b, loc, to, 0, {whole, rows, width}, {rows * width, width, 1}));
  if (rest)
    copyElements(
        b, loc,
        part(b, loc, from, whole * width * lane, {rows, rest}, {row, lane}),
        part(b, loc, to, whole * width * rows, {rows, rest}, {rest, 1}));
  func::ReturnOp::create(b, loc);
  (void)decideStrategies(kernel); // it was given none
  packers.push_back({type, panels, kernel});
  return kernel;
}

void PackBeforeLoops::pack(func::CallOp call, unsigned i, Panels panels) {
  scf::ForOp loop = loopOf(call, i);
  Value weight = call.getOperand(i);
  for (Packed &known : packed)
    if (known.loop == loop && known.weight == weight && known.panels == panels)
      return call.setOperand(i, known.copy);
  OpBuilder b(loop);
  auto type = cast<MemRefType>(weight.getType());
  func::FuncOp kernel =
      packer(symbols->lookup<func::FuncOp>(call.getCallee()), type, panels);
  Value copy = memref::AllocOp::create(b, call.getLoc(), type);
  auto packing =
      func::CallOp::create(b, call.getLoc(), kernel,
                           ValueRange{weight, copy, call.getOperands().back()});
  buffer::Work work;
  work.bytes.fixed =
      2 * type.getNumElements() * type.getElementTypeBitWidth() / 8;
  buffer::describeWork(packing, work);
  call.setOperand(i, copy);
  packed.push_back({loop, weight, copy, panels});
}

void PackBeforeLoops::runOnOperation() {
  ModuleOp module = getOperation();
  symbols.emplace(module);
  packed.clear();
  packers.clear();
  llvm::MapVector<func::FuncOp, SmallVector<func::CallOp>> callsOf;
  module.walk([&](func::CallOp call) {
    if (auto kernel = symbols->lookup<func::FuncOp>(call.getCallee());
        kernel && !kernel.isExternal())
      callsOf[kernel].push_back(call);
  });
  for (auto &[kernel, calls] : callsOf)
    for (BlockArgument argument : kernel.getArguments()) {
      unsigned i = argument.getArgNumber();
      SmallVector<linalg::GenericOp> ops;
      Panels panels = panelsWanted(argument, ops);
      if (!panels || !llvm::all_of(calls, [&](func::CallOp call) {
            return loopOf(call, i);
          }))
        continue;
      for (func::CallOp call : calls)
        pack(call, i, panels);
      for (linalg::GenericOp op : ops)
        readPanels(op, panels.width);
    }
}

std::unique_ptr<Pass> createPackBeforeLoopsPass() {
  return std::make_unique<PackBeforeLoops>();
}

} // namespace cornu::codegen
