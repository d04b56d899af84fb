//===- EntryMemory.h - The tensors that are alive in an entry ---*- C++ -*-===//
//
// Of an entry whose ops are kernels: what each op makes, and from its op to its
// last reader how many bytes that holds. Views are their tensor; what the
// caller gives or gets and what becomes a variable's value takes none of it.
// The real plan is near to that: it also works in place, and has gaps.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_GRAPH_REMATERIALIZE_ENTRYMEMORY_H
#define CORNU_PASSES_GRAPH_REMATERIALIZE_ENTRYMEMORY_H

#include "dialect/nn/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <vector>

namespace cornu::graph {

/// A tensor between kernels.
struct EntryTensor {
  mlir::Value value;
  int64_t bytes = 0;
  unsigned made = 0;                  ///< the number of its op
  llvm::SmallVector<unsigned> readAt; ///< by number, in order

  unsigned lastRead() const { return readAt.empty() ? made : readAt.back(); }
  bool isAliveAt(unsigned number) const {
    return made <= number && number <= lastRead();
  }
};

class EntryMemory {
public:
  /// Of an entry with a fixed batch.
  explicit EntryMemory(mlir::Block &block);

  llvm::ArrayRef<EntryTensor> tensors() const { return all; }
  mlir::Operation *op(unsigned number) const { return ops[number]; }
  /// The number of an op of the block.
  unsigned numberOf(mlir::Operation *op) const { return numbers.lookup(op); }
  /// The tensor behind a value, or null if none of the entry's own.
  const EntryTensor *find(mlir::Value value) const;
  /// Bytes that are alive at an op.
  int64_t bytesAt(unsigned number) const { return bytes[number]; }
  /// The op at which most bytes are alive.
  unsigned peak() const;

private:
  void read(mlir::Value value, unsigned at);

  std::vector<mlir::Operation *> ops;
  llvm::DenseMap<mlir::Operation *, unsigned> numbers;
  std::vector<EntryTensor> all;
  llvm::DenseMap<mlir::Value, unsigned> index;
  std::vector<int64_t> bytes;
};

} // namespace cornu::graph

#endif // CORNU_PASSES_GRAPH_REMATERIALIZE_ENTRYMEMORY_H
