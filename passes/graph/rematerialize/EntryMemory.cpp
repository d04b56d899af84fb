//===- EntryMemory.cpp - The tensors that are alive in an entry -----------===//

#include "passes/graph/rematerialize/EntryMemory.h"

#include "dialect/nn/ShapeRules.h"
#include "passes/graph/fuse/Grouping.h"

using namespace mlir;

namespace cornu::graph {

static int64_t bytesOf(Value value) {
  RankedTensorType type = nn::tensorType(value);
  if (!type.hasStaticShape())
    return 0;
  int64_t element =
      llvm::divideCeil(type.getElementType().getIntOrFloatBitWidth(), 8);
  return type.getNumElements() * element;
}

/// True if a tensor is another's memory: a variable's, or the caller's.
static bool isStoredElsewhere(Value value) {
  return llvm::any_of(value.getUsers(), [](Operation *user) {
    return isa<nn::AssignOp, func::ReturnOp>(user) ||
           (isView(user) && isStoredElsewhere(user->getResult(0)));
  });
}

EntryMemory::EntryMemory(Block &block) {
  for (Operation &op : block) {
    numbers[&op] = ops.size();
    ops.push_back(&op);
  }
  for (auto [number, op] : llvm::enumerate(ops)) {
    // Who reads a view reads the tensor; the view itself does not.
    for (Value operand : op->getOperands())
      if (!isView(op))
        read(operand, number);
    if (!isa<func::CallOp, nn::ScanOp>(op))
      continue;
    for (Value result : op->getResults()) {
      EntryTensor tensor;
      tensor.value = result;
      // What nobody reads is not computed in the end (TrimKernels.h).
      if (!result.use_empty() && !isStoredElsewhere(result))
        tensor.bytes = bytesOf(result);
      tensor.made = number;
      index[result] = all.size();
      all.push_back(tensor);
    }
  }
  bytes.assign(ops.size(), 0);
  for (const EntryTensor &tensor : all)
    for (unsigned at = tensor.made; at <= tensor.lastRead(); ++at)
      bytes[at] += tensor.bytes;
}

void EntryMemory::read(Value value, unsigned at) {
  auto found = index.find(wholeTensor(value));
  if (found == index.end())
    return;
  auto &readAt = all[found->second].readAt;
  if (readAt.empty() || readAt.back() != at)
    readAt.push_back(at);
}

const EntryTensor *EntryMemory::find(Value value) const {
  auto found = index.find(wholeTensor(value));
  return found == index.end() ? nullptr : &all[found->second];
}

unsigned EntryMemory::peak() const {
  return llvm::max_element(bytes) - bytes.begin();
}

} // namespace cornu::graph
