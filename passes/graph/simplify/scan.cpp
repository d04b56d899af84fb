//===- scan.cpp - Less work in the steps of a recurrence ------------------===//
//
// The projection of the input in a recurrent layer does not depend on the
// state. One contraction for all steps before the scan replaces one per step:
//
//   nn.scan ... sequences(%xs) invariants(%w) {
//     %z = nn.contract "bi,iu->bu" %x, %w          // each step
//
//   %zs = nn.contract "bti,iu->btu" %xs, %w        // once
//   nn.scan ... sequences(%zs) {
//
// The same holds for the addition of a bias, and for any value of invariants
// alone. Then outputs that nobody reads, and arguments that the body does not
// read, are dropped.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/Math.h"
#include "passes/graph/simplify/Simplify.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace cornu::graph {

namespace {

//===----------------------------------------------------------------------===//
// Hoisting
//===----------------------------------------------------------------------===//

/// Decides which ops of a body leave it, and builds them in front.
class Hoisting {
public:
  Hoisting(nn::ScanOp scan, PatternRewriter &rewriter)
      : scan(scan), rewriter(rewriter), math(rewriter, scan.getLoc()) {
    for (auto [argument, operand] :
         llvm::zip_equal(scan.getInvariantArguments(), scan.getInvariants()))
      invariants[argument] = operand;
    for (auto [argument, operand] :
         llvm::zip_equal(scan.getElementArguments(), scan.getSequences()))
      sequences[argument] = operand;
  }

  bool run();

private:
  bool hoistInvariant(Operation &op);
  bool hoistContraction(nn::ContractOp op);
  bool hoistBias(Operation &op);

  nn::ScanOp scan;
  PatternRewriter &rewriter;
  Math math;
  /// Values of the body and what they are outside: the same for all steps, or
  /// stacked.
  DenseMap<Value, Value> invariants, sequences;
  llvm::SetVector<Operation *> hoisted;
};

/// An op of invariants alone. Constants stay: they are free in the body.
bool Hoisting::hoistInvariant(Operation &op) {
  if (op.getNumOperands() == 0 || op.getNumRegions() != 0 ||
      op.getNumResults() != 1)
    return false;
  bool hasInvariant = false;
  for (Value operand : op.getOperands()) {
    bool isInvariant = invariants.count(operand);
    bool isConstant = operand.getDefiningOp<nn::ConstantOp>() != nullptr;
    hasInvariant |= isInvariant;
    if (!isInvariant && !isConstant)
      return false;
  }
  // Slices and reshapes are views in the body as well as outside.
  if (!hasInvariant ||
      isa<nn::ReshapeOp, nn::BroadcastOp, nn::SliceOp, nn::BatchSizeOp>(op))
    return false;
  IRMapping mapping;
  for (Value operand : op.getOperands())
    mapping.map(operand,
                invariants.count(operand)
                    ? invariants.lookup(operand)
                    : rewriter.clone(*operand.getDefiningOp())->getResult(0));
  invariants[op.getResult(0)] = rewriter.clone(op, mapping)->getResult(0);
  return true;
}

static std::string withTime(StringRef labels) {
  return (labels.take_front(1) + "T" + labels.drop_front(1)).str();
}

/// A contraction of an element with an invariant, the batch leading.
bool Hoisting::hoistContraction(nn::ContractOp op) {
  bool isLeft = sequences.count(op.getLhs()) && invariants.count(op.getRhs());
  bool isRight = sequences.count(op.getRhs()) && invariants.count(op.getLhs());
  if ((!isLeft && !isRight) || op.getEquation().contains('T'))
    return false;
  StringRef element = isLeft ? op.getLhsLabels() : op.getRhsLabels();
  StringRef invariant = isLeft ? op.getRhsLabels() : op.getLhsLabels();
  StringRef result = op.getResultLabels();
  if (element.empty() || result.empty() || element[0] != result[0] ||
      invariant.contains(element[0]))
    return false;
  std::string lhs = isLeft ? withTime(element) : invariant.str();
  std::string rhs = isLeft ? invariant.str() : withTime(element);
  auto outside = [&](Value value) {
    return sequences.count(value) ? sequences.lookup(value)
                                  : invariants.lookup(value);
  };
  sequences[op.getResult()] = nn::ContractOp::create(
      rewriter, op.getLoc(),
      rewriter.getStringAttr(lhs + "," + rhs + "->" + withTime(result)),
      outside(op.getLhs()), outside(op.getRhs()));
  return true;
}

/// An addition of an invariant to what has been hoisted already.
bool Hoisting::hoistBias(Operation &op) {
  auto add = dyn_cast<nn::AddOp>(op);
  if (!add)
    return false;
  Value element = add.getLhs(), bias = add.getRhs();
  if (!hoisted.contains(element.getDefiningOp()))
    std::swap(element, bias);
  if (!element.getDefiningOp() || !hoisted.contains(element.getDefiningOp()) ||
      !sequences.count(element) || !invariants.count(bias) ||
      element.getType() != add.getType() ||
      nn::tensorType(bias).getRank() >= nn::tensorType(element).getRank())
    return false;
  sequences[add.getResult()] =
      nn::AddOp::create(rewriter, op.getLoc(), sequences.lookup(element),
                        invariants.lookup(bias));
  return true;
}

bool Hoisting::run() {
  rewriter.setInsertionPoint(scan);
  for (Operation &op : scan.getBodyBlock()->without_terminator()) {
    auto contract = dyn_cast<nn::ContractOp>(op);
    if (hoistInvariant(op) || (contract && hoistContraction(contract)) ||
        hoistBias(op))
      hoisted.insert(&op);
  }
  if (hoisted.empty())
    return false;

  // What the rest of the body reads of the hoisted values becomes operands.
  SmallVector<Value> newElements, newInvariants;
  for (Operation *op : hoisted) {
    Value result = op->getResult(0);
    if (llvm::any_of(result.getUsers(),
                     [&](Operation *user) { return !hoisted.contains(user); }))
      (sequences.count(result) ? newElements : newInvariants).push_back(result);
  }
  SmallVector<Value> sequenceOperands(scan.getSequences()),
      invariantOperands(scan.getInvariants());
  for (Value value : newElements)
    sequenceOperands.push_back(sequences.lookup(value));
  for (Value value : newInvariants)
    invariantOperands.push_back(invariants.lookup(value));
  auto replacement = nn::ScanOp::create(
      rewriter, scan.getLoc(), scan.getSteps(), scan.getReverse(),
      scan.getState(), sequenceOperands, invariantOperands,
      [&](OpBuilder &builder, Location, ValueRange state, ValueRange elements,
          ValueRange invariantValues) {
        IRMapping mapping;
        mapping.map(scan.getStateArguments(), state);
        size_t count = scan.getSequences().size();
        mapping.map(scan.getElementArguments(), elements.take_front(count));
        mapping.map(newElements, elements.drop_front(count));
        count = scan.getInvariants().size();
        mapping.map(scan.getInvariantArguments(),
                    invariantValues.take_front(count));
        mapping.map(newInvariants, invariantValues.drop_front(count));
        for (Operation &op : scan.getBodyBlock()->without_terminator())
          if (!hoisted.contains(&op))
            builder.clone(op, mapping);
        SmallVector<Value> yielded;
        for (Value value : scan.getBodyBlock()->getTerminator()->getOperands())
          yielded.push_back(mapping.lookup(value));
        return yielded;
      });
  replacement->setDiscardableAttrs(scan->getDiscardableAttrDictionary());
  rewriter.replaceOp(scan, replacement);
  return true;
}

struct HoistFromScan : OpRewritePattern<nn::ScanOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::ScanOp scan,
                                PatternRewriter &rewriter) const override {
    return success(Hoisting(scan, rewriter).run());
  }
};

//===----------------------------------------------------------------------===//
// Dead and doubled operands and results
//===----------------------------------------------------------------------===//

/// Rebuilds a scan without the outputs that nobody reads or that equal
/// others, and without the sequences and invariants that the body does not
/// read or has already.
struct DropFromScan : OpRewritePattern<nn::ScanOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::ScanOp scan,
                                PatternRewriter &rewriter) const override;
};

LogicalResult DropFromScan::matchAndRewrite(nn::ScanOp scan,
                                            PatternRewriter &rewriter) const {
  Block *body = scan.getBodyBlock();
  unsigned numState = scan.getState().size();
  // Outputs: their yielded values, and for each old one its new number.
  llvm::SetVector<Value> outputs;
  SmallVector<int> outputNumbers;
  Operation *yield = body->getTerminator();
  unsigned numOutputs = scan.getOutputs().size();
  for (unsigned i = 0; i < numOutputs; ++i) {
    if (scan.getOutputs()[i].use_empty()) {
      outputNumbers.push_back(-1);
      continue;
    }
    Value value = yield->getOperand(numState + i);
    outputs.insert(value);
    outputNumbers.push_back(llvm::find(outputs, value) - outputs.begin());
  }
  // Operands: used and distinct ones.
  auto select = [&](ArrayRef<BlockArgument> arguments, ValueRange operands,
                    llvm::SetVector<Value> &kept) {
    SmallVector<int> numbers;
    for (auto [argument, operand] : llvm::zip_equal(arguments, operands)) {
      if (argument.use_empty()) {
        numbers.push_back(-1);
        continue;
      }
      kept.insert(operand);
      numbers.push_back(llvm::find(kept, operand) - kept.begin());
    }
    return numbers;
  };
  llvm::SetVector<Value> sequences, invariants;
  SmallVector<int> elementNumbers =
      select(scan.getElementArguments(), scan.getSequences(), sequences);
  SmallVector<int> invariantNumbers =
      select(scan.getInvariantArguments(), scan.getInvariants(), invariants);
  if (outputs.size() == numOutputs &&
      sequences.size() == scan.getSequences().size() &&
      invariants.size() == scan.getInvariants().size())
    return failure();

  auto replacement = nn::ScanOp::create(
      rewriter, scan.getLoc(), scan.getSteps(), scan.getReverse(),
      scan.getState(), sequences.getArrayRef(), invariants.getArrayRef(),
      [&](OpBuilder &builder, Location, ValueRange state, ValueRange elements,
          ValueRange invariantValues) {
        IRMapping mapping;
        mapping.map(scan.getStateArguments(), state);
        for (auto [argument, number] :
             llvm::zip_equal(scan.getElementArguments(), elementNumbers))
          if (number >= 0)
            mapping.map(Value(argument), elements[number]);
        for (auto [argument, number] :
             llvm::zip_equal(scan.getInvariantArguments(), invariantNumbers))
          if (number >= 0)
            mapping.map(Value(argument), invariantValues[number]);
        for (Operation &op : body->without_terminator())
          builder.clone(op, mapping);
        SmallVector<Value> yielded;
        for (Value value : yield->getOperands().take_front(numState))
          yielded.push_back(mapping.lookup(value));
        for (Value value : outputs)
          yielded.push_back(mapping.lookup(value));
        return yielded;
      });
  replacement->setDiscardableAttrs(scan->getDiscardableAttrDictionary());
  for (unsigned i = 0; i < numState; ++i)
    rewriter.replaceAllUsesWith(scan.getResult(i), replacement.getResult(i));
  for (unsigned i = 0; i < numOutputs; ++i)
    if (outputNumbers[i] >= 0)
      rewriter.replaceAllUsesWith(
          scan.getOutputs()[i],
          replacement.getResult(numState + outputNumbers[i]));
  rewriter.eraseOp(scan);
  return success();
}

} // namespace

void addScanPatterns(RewritePatternSet &patterns) {
  patterns.add<HoistFromScan, DropFromScan>(patterns.getContext());
}

} // namespace cornu::graph
