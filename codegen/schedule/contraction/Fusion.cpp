//===- Fusion.cpp - What is computed together with a contraction ----------===//
//
// The prologue is found backwards from the root's inputs, the epilogue
// forwards from its output:
//
//   producers = {%a: max(%x, 0)}, inputs[0] = {operand %p, source %a, padded}
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/contraction/Fusion.h"

#include "codegen/schedule/Elementwise.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;

namespace cornu::codegen {

//===----------------------------------------------------------------------===//
// Reads and writes
//===----------------------------------------------------------------------===//

static bool isWrite(OpOperand &use) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(use.getOwner()))
    return linalgOp.isDpsInit(&use);
  if (auto copy = dyn_cast<memref::CopyOp>(use.getOwner()))
    return use.get() == copy.getTarget() && use.getOperandNumber() == 1;
  return false;
}

static bool isAllocation(Value value) {
  return isa_and_nonnull<memref::AllocOp, memref::AllocaOp>(
      value.getDefiningOp());
}

/// Uses that say nothing about the contents.
static bool isShapeUse(Operation *op) {
  return isa<memref::DimOp, memref::DeallocOp>(op);
}

/// The value that `op` fills its output with, if it is a constant.
static bool fillsWithZero(Operation *op) {
  Value filled;
  if (auto fill = dyn_cast<linalg::FillOp>(op))
    filled = fill.getInputs()[0];
  else if (auto map = dyn_cast<linalg::MapOp>(op))
    filled = map.getInputs().empty()
                 ? map.getMapper().front().getTerminator()->getOperand(0)
                 : Value();
  else if (auto generic = dyn_cast<linalg::GenericOp>(op))
    filled = generic.getNumDpsInputs() == 0 && generic.getNumDpsInits() == 1 &&
                     llvm::hasSingleElement(*generic.getBody())
                 ? generic.getBody()->getTerminator()->getOperand(0)
                 : Value();
  return filled && (matchPattern(filled, m_PosZeroFloat()) ||
                    matchPattern(filled, m_NegZeroFloat()));
}

/// The outermost memref that `value` is a view of.
static Value viewSource(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto view = dyn_cast<ViewLikeOpInterface>(op))
      value = view.getViewSource();
    else
      break;
  }
  return value;
}

/// True if an op strictly between the two, not in `ignored`, may write the
/// memory of `memref`.
static bool writtenBetween(Operation *first, Operation *last, Value memref,
                           const llvm::SetVector<Operation *> &ignored) {
  Value base = viewSource(memref);
  for (Operation *op = first->getNextNode(); op && op != last;
       op = op->getNextNode()) {
    if (ignored.contains(op))
      continue;
    for (OpOperand &use : op->getOpOperands())
      if (isa<MemRefType>(use.get().getType()) && isWrite(use) &&
          viewSource(use.get()) == base)
        return true;
    if (op->getNumRegions() && !isa<linalg::LinalgOp>(op))
      return true;
  }
  return false;
}

/// All loops parallel, no output element read, outputs in permuted order.
static bool isElementwise(linalg::GenericOp op) {
  if (op.getNumReductionLoops() != 0 || !isVectorizable(op))
    return false;
  for (OpOperand &init : op.getDpsInitsMutable())
    if (op.payloadUsesValueFromOperand(&init) ||
        !op.getMatchingIndexingMap(&init).isPermutation())
      return false;
  return true;
}

//===----------------------------------------------------------------------===//
// Prologue
//===----------------------------------------------------------------------===//

namespace {
class Finder {
public:
  explicit Finder(linalg::GenericOp root) : root(root) {}
  ContractionFusion find();

private:
  void findInput(unsigned number);
  bool absorbProducer(Value memref, Operation *reader);
  void findFill();
  void findEpilogue();
  bool absorbEpilogue(linalg::GenericOp op);
  void findUnstored();

  linalg::GenericOp root;
  ContractionFusion result;
  /// Epilogue values by memref: the root's output dimension of each of its
  /// dimensions.
  DenseMap<Value, SmallVector<unsigned>> epilogueValues;
};
} // namespace

/// Makes `memref` (an allocation, or the interior of a padded one) computed by
/// the one elementwise op that writes it, if only `reader` reads it.
bool Finder::absorbProducer(Value memref, Operation *reader) {
  linalg::GenericOp producer;
  // What others see has to be stored.
  if (!isAllocation(viewSource(memref)))
    return false;
  for (OpOperand &use : memref.getUses()) {
    Operation *op = use.getOwner();
    if (op == reader || isShapeUse(op))
      continue;
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (!generic || producer || !isWrite(use) || !isElementwise(generic) ||
        op->getBlock() != root->getBlock() || !op->isBeforeInBlock(root))
      return false;
    producer = generic;
  }
  // Several results would be computed as often as there are readers.
  if (!producer || producer.getNumDpsInits() != 1)
    return false;
  for (Value input : producer.getDpsInputs())
    if (writtenBetween(producer, root, input, result.absorbed))
      return false;
  result.producers[memref] = producer;
  result.absorbed.insert(producer);
  // evaluate() follows the lane through permutations only.
  for (OpOperand *input : producer.getDpsInputOperands())
    if (producer.getMatchingIndexingMap(input).isProjectedPermutation())
      absorbProducer(input->get(), producer);
  return true;
}

void Finder::findInput(unsigned number) {
  ContractionInput &input = result.inputs[number];
  Value operand = root->getOperand(number);
  auto type = cast<MemRefType>(operand.getType());
  input.operand = input.source = operand;
  input.low.assign(type.getRank(), 0);

  // alloc; fill zero; subview; copy (or a producer) into the subview.
  Operation *fill = nullptr, *copy = nullptr;
  memref::SubViewOp interior;
  bool plain = isAllocation(operand);
  for (OpOperand &use : operand.getUses()) {
    Operation *op = use.getOwner();
    if (op == root || isShapeUse(op))
      continue;
    if (isWrite(use) && fillsWithZero(op) && !fill)
      fill = op;
    else if (auto subview = dyn_cast<memref::SubViewOp>(op);
             subview && !interior)
      interior = subview;
    else
      plain = false;
  }
  if (plain && fill && interior && interior.hasUnitStride() &&
      interior.getType().getRank() == type.getRank() &&
      llvm::none_of(interior.getStaticOffsets(), ShapedType::isDynamic)) {
    Value source;
    for (OpOperand &use : interior->getUses()) {
      Operation *op = use.getOwner();
      if (auto copyOp = dyn_cast<memref::CopyOp>(op);
          copyOp && isWrite(use) && !copy &&
          !writtenBetween(op, root, copyOp.getSource(), result.absorbed)) {
        copy = op;
        source = copyOp.getSource();
      } else if (isWrite(use) && isa<linalg::GenericOp>(op) && !source) {
        source = interior;
      } else if (!isShapeUse(op)) {
        plain = false;
      }
    }
    if (plain && source &&
        (source != interior || absorbProducer(interior, nullptr))) {
      input.padded = true;
      input.source = source;
      input.low.assign(interior.getStaticOffsets().begin(),
                       interior.getStaticOffsets().end());
      result.absorbed.insert(fill);
      if (copy)
        result.absorbed.insert(copy);
    }
  }
  if (input.padded && input.source == Value(interior))
    input.computed = true;
  else
    input.computed = absorbProducer(input.source, copy ? copy : root);
}

void Finder::findFill() {
  Value out = root.getDpsInits()[0];
  for (Operation *op = root->getPrevNode(); op; op = op->getPrevNode()) {
    bool touches = llvm::any_of(op->getOperands(), [&](Value operand) {
      return isa<MemRefType>(operand.getType()) &&
             viewSource(operand) == viewSource(out);
    });
    if (!touches || isShapeUse(op) || isa<ViewLikeOpInterface>(op))
      continue;
    if (fillsWithZero(op) && op->getOperands().back() == out) {
      result.startsAtZero = true;
      result.absorbed.insert(op);
    }
    return;
  }
}

//===----------------------------------------------------------------------===//
// Epilogue
//===----------------------------------------------------------------------===//

/// True if `value` exists before `op` or can be made to: views, allocations
/// and sizes may stand anywhere.
static bool availableBefore(Value value, Operation *op) {
  Operation *def = value.getDefiningOp();
  if (!def || def->getBlock() != op->getBlock() || def->isBeforeInBlock(op))
    return true;
  return (isAllocation(value) || isa<ViewLikeOpInterface>(def) ||
          isPure(def)) &&
         llvm::all_of(def->getOperands(), [&](Value operand) {
           return availableBefore(operand, op);
         });
}

bool Finder::absorbEpilogue(linalg::GenericOp op) {
  if (!isElementwise(op))
    return false;
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op.getRegion(), captured);
  for (Value value : op->getOperands())
    captured.insert(value);
  if (!llvm::all_of(captured,
                    [&](Value value) { return availableBefore(value, root); }))
    return false;
  unsigned rank = cast<MemRefType>(root.getDpsInits()[0].getType()).getRank();
  if (op.getNumLoops() != rank)
    return false;
  SmallVector<unsigned> outputDims(rank, ~0u);
  bool reads = false;
  for (OpOperand *input : op.getDpsInputOperands()) {
    auto it = epilogueValues.find(input->get());
    if (it == epilogueValues.end())
      continue;
    reads = true;
    AffineMap map = op.getMatchingIndexingMap(input);
    if (!map.isPermutation())
      return false;
    for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
      unsigned &slot = outputDims[cast<AffineDimExpr>(expr).getPosition()];
      if (slot != ~0u && slot != it->second[dim])
        return false;
      slot = it->second[dim];
    }
  }
  if (!reads)
    return false;
  // Other inputs must already be there when the root runs, and the results
  // must not be touched in between.
  for (Value operand : op->getOperands()) {
    if (!isa<MemRefType>(operand.getType()) || epilogueValues.count(operand))
      continue;
    if (writtenBetween(root, op, operand, result.absorbed))
      return false;
  }
  result.epilogue.push_back({op, outputDims});
  result.absorbed.insert(op);
  for (OpOperand &init : op.getDpsInitsMutable()) {
    SmallVector<unsigned> dims;
    for (AffineExpr expr : op.getMatchingIndexingMap(&init).getResults())
      dims.push_back(outputDims[cast<AffineDimExpr>(expr).getPosition()]);
    epilogueValues[init.get()] = dims;
  }
  return true;
}

void Finder::findEpilogue() {
  Value out = root.getDpsInits()[0];
  SmallVector<unsigned> identity;
  for (unsigned i = 0, e = cast<MemRefType>(out.getType()).getRank(); i < e;
       ++i)
    identity.push_back(i);
  // The root's output may be a permutation of its loops: dimensions of the
  // output are what epilogue points are given by.
  epilogueValues[out] = identity;
  for (Operation *op = root->getNextNode(); op; op = op->getNextNode())
    if (auto generic = dyn_cast<linalg::GenericOp>(op))
      absorbEpilogue(generic);
}

/// Values between root and epilogue that nothing outside reads.
void Finder::findUnstored() {
  for (auto &[memref, dims] : epilogueValues) {
    bool inside = isAllocation(memref);
    for (OpOperand &use : memref.getUses())
      inside &= result.absorbed.contains(use.getOwner()) ||
                isShapeUse(use.getOwner());
    if (!inside)
      continue;
    if (memref == root.getDpsInits()[0])
      result.outputUnused = true;
    else
      result.unstored.insert(memref);
  }
}

ContractionFusion Finder::find() {
  result.absorbed.insert(root);
  findFill();
  findInput(0);
  // One memref for both inputs is read by the root twice and stays.
  findInput(1);
  findEpilogue();
  findUnstored();
  return std::move(result);
}

ContractionFusion ContractionFusion::of(linalg::GenericOp root) {
  return Finder(root).find();
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

Value ContractionFusion::evaluate(OpBuilder &builder, Location loc,
                                  Value memref, ValueRange indices, int laneDim,
                                  unsigned width) const {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  VectorType type =
      width > 1 ? VectorType::get({width}, element) : VectorType();
  auto it = producers.find(memref);
  if (it == producers.end()) {
    if (laneDim < 0)
      return splat(builder, loc,
                   memref::LoadOp::create(builder, loc, memref, indices),
                   width);
    if (!type)
      return memref::LoadOp::create(builder, loc, memref, indices);
    return vector::LoadOp::create(builder, loc, type, memref, indices);
  }
  linalg::GenericOp op = it->second;
  AffineMap outMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  SmallVector<Value> loops(op.getNumLoops());
  int lane = -1;
  for (auto [dim, expr] : llvm::enumerate(outMap.getResults())) {
    unsigned loop = cast<AffineDimExpr>(expr).getPosition();
    loops[loop] = indices[dim];
    if (static_cast<int>(dim) == laneDim)
      lane = loop;
  }
  SmallVector<Value> args;
  for (OpOperand &operand : op->getOpOperands()) {
    unsigned number = operand.getOperandNumber();
    if (op.isDpsInit(&operand)) {
      // Never read by an elementwise body; any value of the type will do.
      Value zero = arith::ConstantOp::create(
          builder, loc,
          builder.getZeroAttr(getElementTypeOrSelf(operand.get().getType())));
      args.push_back(splat(builder, loc, zero, width));
      continue;
    }
    if (!producers.count(operand.get())) {
      // A mask has another type than what it selects.
      VectorType own;
      if (width > 1)
        own = VectorType::get({width},
                              getElementTypeOrSelf(operand.get().getType()));
      args.push_back(loadOperand(builder, loc, op, number, loops, lane, own));
      continue;
    }
    int inputLane = -1;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [dim, expr] : llvm::enumerate(map.getResults()))
      if (lane >= 0 && expr.isFunctionOfDim(lane))
        inputLane = dim;
    args.push_back(evaluate(builder, loc, operand.get(),
                            operandIndices(builder, loc, op, number, loops),
                            inputLane, width));
  }
  return emitBody(builder, op, args, loops, lane, width)[0];
}

} // namespace cornu::codegen
