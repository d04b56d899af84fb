//===- KernelUses.cpp - What kernels do with matrices ---------------------===//

#include "codegen/strategy/KernelUses.h"

#include "codegen/IR/Codegen.h"
#include "codegen/strategy/WeightLayout.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace cornu::codegen {

Value reshaped(Operation *op) {
  if (!op || op->getNumResults() != 1)
    return {};
  auto to = dyn_cast<MemRefType>(op->getResult(0).getType());
  auto from = op->getNumOperands()
                  ? dyn_cast<MemRefType>(op->getOperand(0).getType())
                  : nullptr;
  bool reshapes = isa<memref::CollapseShapeOp, memref::ExpandShapeOp>(op);
  // A cast says how many elements it shows.
  if (isa<memref::ReinterpretCastOp>(op))
    reshapes = to.hasStaticShape() && from.hasStaticShape() &&
               to.getNumElements() == from.getNumElements();
  return reshapes && to.getLayout().isIdentity() &&
                 from.getLayout().isIdentity()
             ? op->getOperand(0)
             : Value();
}

Value wholeOf(Value memref) {
  while (Value source = reshaped(memref.getDefiningOp()))
    memref = source;
  return memref;
}

/// True for what could lie in panels.
static bool isMatrix(Value memref) {
  auto type = dyn_cast<MemRefType>(wholeOf(memref).getType());
  return type && type.getRank() > 1;
}

KernelUses::KernelUses(func::FuncOp kernel) {
  for (BlockArgument argument : kernel.getArguments())
    numbers[argument] = argument.getArgNumber();
  bool contracts = false;
  kernel.walk([&](Operation *op) {
    if (isa<memref::AllocOp, memref::AllocaOp>(op))
      numbers.try_emplace(op->getResult(0), numbers.size());
    contracts |= isa_and_nonnull<ContractionAttr>(
        op->getAttr(CodegenDialect::kStrategyAttr));
  });
  classes.grow(numbers.size());
  kernel.walk([&](Operation *op) { look(op, contracts); });
  for (unsigned i = 0; i < kernel.getNumArguments(); ++i)
    groups.push_back(classes.findLeader(i));
  for (unsigned number : asTyped)
    rowMajor.insert(classes.findLeader(number));
}

void KernelUses::look(Operation *op, bool contracts) {
  if (auto fill = dyn_cast<linalg::FillOp>(op))
    if (auto argument = dyn_cast<BlockArgument>(fill.getOutputs()[0]);
        argument && llvm::all_of(argument.getUsers(), [&](Operation *user) {
          return user->getBlock() == argument.getOwner() &&
                 !user->isBeforeInBlock(fill);
        }))
      filled.insert(argument.getArgNumber());
  if (isa<linalg::FillOp, memref::AllocOp, memref::AllocaOp, memref::DeallocOp,
          memref::DimOp>(op) ||
      reshaped(op))
    return;
  SmallVector<unsigned> touched;
  auto generic = dyn_cast<linalg::GenericOp>(op);
  bool orderFree = generic && !contracts && isOrderFree(generic);
  auto strategy =
      op->getAttrOfType<ContractionAttr>(CodegenDialect::kStrategyAttr);
  for (OpOperand &operand : op->getOpOperands()) {
    auto found = numbers.find(wholeOf(operand.get()));
    if (found == numbers.end())
      continue;
    auto argument = dyn_cast<BlockArgument>(operand.get());
    if (orderFree) {
      if (!generic.getMatchingIndexingMap(&operand).isIdentity())
        continue;
      touched.push_back(found->second);
      if (!isMatrix(operand.get()))
        asTyped.push_back(found->second);
    } else if (!strategy || !argument) {
      asTyped.push_back(found->second);
    } else if (Panels panels = panelsWanted(generic, argument);
               panels && !panels.laneFirst) {
      all.push_back({Use::Wants, generic, argument});
    } else if (canReadAlongReduction(generic, argument)) {
      all.push_back({Use::Along, generic, argument});
    } else if (generic.isDpsInit(&operand)) {
      all.push_back({Use::Writes, generic, argument});
    } else {
      asTyped.push_back(found->second);
    }
  }
  for (unsigned number : touched)
    classes.join(touched.front(), number);
}

} // namespace cornu::codegen
