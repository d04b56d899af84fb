//===- batch.cpp - The batch's size from an argument ----------------------===//
//
//   %z = nn.broadcast %zero like %h17        %z = nn.broadcast %zero like %x
//   %n = nn.batch_size %loss            ->   %n = nn.batch_size %x
//
// where %x is the function's first argument: so that the two do not depend on
// %h17 and %loss, which may then be computed later, or elsewhere, or not at
// all.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/Math.h"
#include "passes/graph/simplify/Simplify.h"

#include <numeric>

using namespace mlir;

namespace cornu::graph {

namespace {

/// The size of a leading dimension: batch * numerator / denominator; unknown
/// if the numerator is 0.
struct Multiple {
  int64_t numerator = 0, denominator = 1;

  static Multiple of(int64_t numerator, int64_t denominator) {
    if (numerator == 0)
      return {};
    int64_t common = std::gcd(numerator, denominator);
    return {numerator / common, denominator / common};
  }
  bool isBatch() const { return numerator == 1 && denominator == 1; }
};

class BatchAnalysis {
public:
  void run(Block &block);
  void set(Value value, Multiple multiple) { multiples[value] = multiple; }

private:
  Multiple lookup(Value value) const { return multiples.lookup(value); }
  Multiple resultOf(Operation *op) const;
  void anchor(Operation *op, Value batch);

  DenseMap<Value, Multiple> multiples;
};

bool leadsDynamic(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() > 0 && type.isDynamicDim(0);
}

int64_t staticElements(Value value) {
  int64_t count = 1;
  for (int64_t size : nn::tensorType(value).getShape())
    count *= ShapedType::isDynamic(size) ? 1 : size;
  return count;
}

Multiple BatchAnalysis::resultOf(Operation *op) const {
  if (auto reshape = dyn_cast<nn::ReshapeOp>(op)) {
    Multiple from = lookup(reshape.getInput());
    int64_t result = staticElements(reshape.getResult());
    if (result == 0)
      return {};
    return Multiple::of(from.numerator * staticElements(reshape.getInput()),
                        from.denominator * result);
  }
  if (auto contract = dyn_cast<nn::ContractOp>(op)) {
    char label = contract.getResultLabels().front();
    if (contract.getLhsLabels().starts_with(StringRef(&label, 1)))
      return lookup(contract.getLhs());
    if (contract.getRhsLabels().starts_with(StringRef(&label, 1)))
      return lookup(contract.getRhs());
    return {};
  }
  if (auto transpose = dyn_cast<nn::TransposeOp>(op))
    return transpose.getPermutation().front() == 0
               ? lookup(transpose.getInput())
               : Multiple();
  if (auto gather = dyn_cast<nn::GatherOp>(op))
    return lookup(gather.getIndices());
  if (auto reduce = dyn_cast<nn::ReduceOp>(op))
    return llvm::is_contained(reduce.getAxes(), 0) ? Multiple()
                                                   : lookup(reduce.getInput());
  if (auto broadcast = dyn_cast<nn::BroadcastOp>(op)) {
    bool supplies = nn::tensorType(broadcast.getInput()).getRank() ==
                        nn::tensorType(broadcast.getResult()).getRank() &&
                    leadsDynamic(broadcast.getInput());
    if (supplies)
      return lookup(broadcast.getInput());
    return broadcast.getLike() ? lookup(broadcast.getLike()) : Multiple();
  }
  if (auto random = dyn_cast<nn::RandomUniformOp>(op))
    return random.getLike() ? lookup(random.getLike()) : Multiple();
  // All others keep the leading dimension of an operand of their rank.
  int64_t rank = nn::tensorType(op->getResult(0)).getRank();
  for (Value operand : op->getOperands())
    if (leadsDynamic(operand) &&
        (!nn::isElementwise(op) || nn::tensorType(operand).getRank() == rank))
      return lookup(operand);
  return {};
}

/// Replaces by `batch` the operand of which the op reads only the size.
void BatchAnalysis::anchor(Operation *op, Value batch) {
  if (auto broadcast = dyn_cast<nn::BroadcastOp>(op)) {
    if (!broadcast.getLike())
      return;
    bool supplies = nn::tensorType(broadcast.getInput()).getRank() ==
                        nn::tensorType(broadcast.getResult()).getRank() &&
                    leadsDynamic(broadcast.getInput());
    if (supplies || !leadsDynamic(broadcast.getResult()))
      broadcast.getLikeMutable().clear();
    else if (lookup(broadcast.getLike()).isBatch())
      broadcast.getLikeMutable().assign(batch);
  } else if (auto random = dyn_cast<nn::RandomUniformOp>(op)) {
    if (random.getLike() && lookup(random.getLike()).isBatch())
      random.getLikeMutable().assign(batch);
  } else if (auto size = dyn_cast<nn::BatchSizeOp>(op)) {
    if (lookup(size.getInput()).isBatch())
      size.getInputMutable().assign(batch);
  }
}

void BatchAnalysis::run(Block &block) {
  Value batch;
  for (Value argument : block.getArguments())
    if (!batch && leadsDynamic(argument) && lookup(argument).isBatch())
      batch = argument;
  if (!batch)
    return;
  for (Operation &op : block.without_terminator()) {
    anchor(&op, batch);
    if (auto scan = dyn_cast<nn::ScanOp>(op)) {
      for (auto [argument, operand] : llvm::zip_equal(
               scan.getBodyBlock()->getArguments(), scan->getOperands()))
        set(argument, lookup(operand));
      run(*scan.getBodyBlock());
      Operation *yield = scan.getBodyBlock()->getTerminator();
      for (auto [result, value] :
           llvm::zip_equal(scan->getResults(), yield->getOperands()))
        set(result, lookup(value));
      continue;
    }
    for (Value result : op.getResults())
      if (leadsDynamic(result))
        set(result, resultOf(&op));
  }
}

} // namespace

void anchorBatchSize(func::FuncOp function) {
  BatchAnalysis analysis;
  for (Value argument : function.getArguments())
    if (leadsDynamic(argument))
      analysis.set(argument, Multiple::of(1, 1));
  analysis.run(function.getBody().front());
}

} // namespace cornu::graph
