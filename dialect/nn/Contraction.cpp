//===- Contraction.cpp - Sums of products ---------------------------------===//

#include "dialect/nn/NN.h"
#include "dialect/nn/ShapeRules.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace cornu::nn;

StringRef ContractOp::getLhsLabels() {
  return parseEquation(getEquation())->lhs;
}
StringRef ContractOp::getRhsLabels() {
  return parseEquation(getEquation())->rhs;
}
StringRef ContractOp::getResultLabels() {
  return parseEquation(getEquation())->result;
}

static bool hasRepeats(StringRef labels) {
  for (size_t i = 0; i < labels.size(); ++i)
    if (labels.drop_front(i + 1).contains(labels[i]))
      return true;
  return false;
}

LogicalResult ContractOp::inferReturnTypes(MLIRContext *,
                                           std::optional<Location> loc,
                                           Adaptor adaptor,
                                           SmallVectorImpl<Type> &types) {
  StringRef equation = adaptor.getEquation();
  FailureOr<ContractionLabels> labels = parseEquation(equation);
  if (failed(labels))
    return emitOptionalError(loc, "equation \"", equation,
                             "\" is not of the form \"ij,jk->ik\"");
  if (hasRepeats(labels->lhs) || hasRepeats(labels->rhs) ||
      hasRepeats(labels->result))
    return emitOptionalError(loc, "equation \"", equation,
                             "\" repeats a letter within one tensor");
  RankedTensorType lhs = tensorType(adaptor.getLhs()),
                   rhs = tensorType(adaptor.getRhs());
  if (lhs.getElementType() != rhs.getElementType())
    return emitOptionalError(loc, "element types of lhs and rhs differ");
  if (static_cast<size_t>(lhs.getRank()) != labels->lhs.size())
    return emitOptionalError(loc, "lhs has ", lhs.getRank(),
                             " dimensions, the equation gives it ",
                             labels->lhs.size());
  if (static_cast<size_t>(rhs.getRank()) != labels->rhs.size())
    return emitOptionalError(loc, "rhs has ", rhs.getRank(),
                             " dimensions, the equation gives it ",
                             labels->rhs.size());

  // The size of each letter, the same in both operands.
  llvm::SmallDenseMap<char, int64_t> sizes;
  for (auto [label, size] : llvm::zip(labels->lhs, lhs.getShape()))
    sizes[label] = size;
  for (auto [label, size] : llvm::zip(labels->rhs, rhs.getShape())) {
    auto [it, isNew] = sizes.try_emplace(label, size);
    if (!isNew && it->second != size)
      return emitOptionalError(loc, "dimension '", std::string(1, label),
                               "' has different sizes in lhs and rhs");
  }
  for (StringRef operand : {labels->lhs, labels->rhs}) {
    StringRef other =
        operand.data() == labels->lhs.data() ? labels->rhs : labels->lhs;
    for (char label : operand)
      if (!labels->result.contains(label) && !other.contains(label))
        return emitOptionalError(loc, "dimension '", std::string(1, label),
                                 "' stands in one operand only: reduce it "
                                 "before the contraction");
  }
  Shape shape;
  for (char label : labels->result) {
    auto it = sizes.find(label);
    if (it == sizes.end())
      return emitOptionalError(loc, "dimension '", std::string(1, label),
                               "' of the result is in neither operand");
    shape.push_back(it->second);
  }
  types.push_back(RankedTensorType::get(shape, lhs.getElementType()));
  return success();
}
