//===- GivenStrategies.cpp - Strategies that a kernel was given -----------===//

#include "codegen/strategy/GivenStrategies.h"

#include "codegen/IR/Codegen.h"
#include "codegen/strategy/Candidates.h"

using namespace mlir;

namespace cornu::codegen {

static constexpr StringLiteral kFrom = "from", kStrategies = "strategies";

void giveStrategies(func::FuncOp kernel, StringRef from,
                    ArrayRef<Attribute> strategies) {
  Builder b(kernel.getContext());
  kernel->setAttr(
      CodegenDialect::kGivenAttr,
      b.getDictionaryAttr(
          {b.getNamedAttr(kFrom, b.getStringAttr(from)),
           b.getNamedAttr(kStrategies, b.getArrayAttr(strategies))}));
}

SmallVector<linalg::GenericOp> opsWithStrategies(func::FuncOp kernel) {
  SmallVector<linalg::GenericOp> ops;
  kernel.walk([&](linalg::GenericOp op) {
    Attribute strategy = op->getAttr(CodegenDialect::kStrategyAttr);
    auto nest = dyn_cast_or_null<NestAttr>(strategy);
    if (isa_and_nonnull<ContractionAttr>(strategy) ||
        (nest && nest.getKind() != NestKind::Epilogue))
      ops.push_back(op);
  });
  return ops;
}

LogicalResult
applyGivenStrategies(func::FuncOp kernel,
                     const llvm::SmallPtrSetImpl<Operation *> &written,
                     const Target &target) {
  Attribute attr = kernel->removeAttr(CodegenDialect::kGivenAttr);
  if (!attr)
    return success();
  auto given = dyn_cast<DictionaryAttr>(attr);
  auto strategies = given ? given.getAs<ArrayAttr>(kStrategies) : ArrayAttr();
  if (!strategies)
    return emitError(kernel.getLoc())
           << "'" << CodegenDialect::kGivenAttr
           << "' has no array of strategies: {strategies = [...]}";
  auto from = given.getAs<StringAttr>(kFrom);
  std::string origin = from ? from.str() : CodegenDialect::kGivenAttr.str();
  SmallVector<linalg::GenericOp> ops = opsWithStrategies(kernel);
  if (ops.size() != strategies.size())
    return emitError(kernel.getLoc()) << origin << " has " << strategies.size()
                                      << " strategies, but the kernel has "
                                      << ops.size() << " ops that take one";
  for (auto [i, op] : llvm::enumerate(ops)) {
    if (written.contains(op))
      continue;
    std::string reason = whyUnsuitable(op, strategies[i], target);
    if (!reason.empty())
      return op->emitError() << origin << "/strategies/" << i
                             << " does not suit its op: " << reason;
    op->setAttr(CodegenDialect::kStrategyAttr, strategies[i]);
  }
  return success();
}

} // namespace cornu::codegen
