//===- Grouping.h - Which ops form a kernel ----------------------*- C++
//-*-===//
//
// Cuts a block of nn ops into groups that become kernels. A group has a root,
// what may stand before it (prologue) and after it (epilogue):
//
//   kind         root                     prologue        epilogue
//   map          elementwise, gather      (same space)    (same space)
//   contraction  contract, convolution    views           elementwise
//   window       pooling                  -               elementwise
//   rows         reductions over trailing elementwise     elementwise over the
//                axes, softmax                            rows or over the
//                space
//   sums         other reductions over    elementwise,    elementwise over the
//                the same axes            not used        result
//                                         elsewhere
//   chain        contract                 -               rows or a map over
//                                                         its result, and
//                                                         contractions of that
//   single       pad, concatenate, scatter, ...
//
// The space of a group is the shape over which it iterates, without sizes of
// 1. Cheap ops that only say where a value comes from (constants, broadcasts,
// slices, unit reshapes, arithmetic on scalars) are copied into each kernel
// that reads them; see `Grouping::isFree`. Groups stay acyclic: an op joins a
// group only if none of its operands comes from a group that needs that group's
// results.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_GRAPH_FUSE_GROUPING_H
#define CORNU_PASSES_GRAPH_FUSE_GROUPING_H

#include "dialect/nn/NN.h"
#include "dialect/nn/ShapeRules.h"

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/SetVector.h"

#include <optional>
#include <vector>

namespace cornu::graph {

enum class GroupKind {
  map,
  contraction,
  window,
  rows,
  sums,
  chain,
  single,
  outside, // an op that stays in the entry: read, assign, scan, reshape
};

struct Group {
  GroupKind kind;
  nn::Shape space;
  /// For rows and sums: the axes, and the space without them.
  llvm::SmallVector<int64_t> axes;
  nn::Shape reduced;
  llvm::SmallVector<mlir::Operation *> ops;
  /// The groups on whose results this one depends, through others too.
  llvm::BitVector dependences;
  /// A map of late ops, see Grouping::isLate.
  bool isLate = false;
  bool isMerged = false;
};

/// True for ops that the entry can do as a view of a tensor.
bool isView(mlir::Operation *op);

/// The tensor that `value` is a view of, or itself.
mlir::Value wholeTensor(mlir::Value value);

/// A shape without its sizes of 1, and that of a tensor.
nn::Shape withoutOnes(llvm::ArrayRef<int64_t> shape);
nn::Shape spaceOf(mlir::Value value);

/// True for a step of an optimizer: it combines a value with a variable of the
/// same shape.
bool isUpdate(mlir::Operation *op);

/// True for contractions and convolutions.
bool isContraction(mlir::Operation *op);

/// The axes of a reduction or softmax; none for other ops.
std::optional<llvm::SmallVector<int64_t>> reducedAxes(mlir::Operation *op);

class Grouping {
public:
  explicit Grouping(mlir::Block &block);

  llvm::ArrayRef<Group> groups() const { return all; }
  /// True for ops that are not worth a kernel: each kernel that reads the
  /// result computes it.
  bool isFree(mlir::Operation *op) const;
  /// The group of an op; none for free ops.
  std::optional<unsigned> groupOf(mlir::Operation *op) const;
  /// The groups whose results the op reads, through free ops too.
  llvm::SetVector<unsigned> sourcesOf(mlir::Operation *op) const;
  /// All groups, each after those it depends on; updates of a variable after
  /// the other readers of its old value, and as early as that allows.
  llvm::SmallVector<unsigned> schedule();

private:
  void findRecomputed();
  void recomputeChains();
  void findRowPrologues();
  bool readsThroughFree(mlir::Operation *op, const Group &group) const;
  bool isStored(mlir::Value value) const;
  bool needsTensor(mlir::Value value) const;
  bool readsTensors(mlir::Operation *user) const;
  void separateFreeResults();
  void findLateOps();
  void place(mlir::Operation *op);
  Group describe(mlir::Operation *op) const;
  std::optional<unsigned> findTarget(mlir::Operation *op, const Group &alone);
  bool accepts(const Group &group, mlir::Operation *op,
               const Group &alone) const;
  bool readsOnlyInside(const Group &prologue, const Group &sums) const;
  std::optional<unsigned> findSibling(mlir::Operation *op,
                                      const Group &alone) const;
  bool canAdd(unsigned group, mlir::Operation *op) const;
  void add(unsigned group, mlir::Operation *op);
  bool canMerge(unsigned a, unsigned b) const;
  void merge(unsigned into, unsigned from);
  void absorbProducers(unsigned group, mlir::Operation *op);
  void mergeSums(unsigned group);
  void mergeChains();
  bool canChain(unsigned a, unsigned b) const;
  std::optional<unsigned> linkAfter(unsigned root,
                                    llvm::ArrayRef<int64_t> leading) const;
  llvm::SmallVector<unsigned>
  contractionsAfter(unsigned from, llvm::ArrayRef<int64_t> leading) const;
  std::optional<unsigned> pointwiseAfter(unsigned root) const;
  llvm::SmallVector<unsigned>
  contractionsBeside(unsigned chain, llvm::ArrayRef<int64_t> leading) const;
  bool absorbs(unsigned into, unsigned from, bool isEpilogue) const;
  bool isPrivateMap(unsigned from, unsigned into) const;
  void orderUpdates(llvm::DenseSet<unsigned> &updates);
  void addDependences(unsigned group, const llvm::BitVector &dependences);
  unsigned create(Group group);

  mlir::Block &block;
  unsigned capacity = 0; // more than there will be groups
  std::vector<Group> all;
  /// Ops that are better computed where they are read than where their operand
  /// is: steps of an optimizer (they run in place on the state, in kernels of
  /// their own), and what only sums over a tensor or such steps read.
  llvm::DenseSet<mlir::Operation *> late;
  /// Cheap ops on a tensor that is in memory anyway, such as x - mean(x) or
  /// the sign of y that the derivative of relu needs: they are free, because
  /// reading the tensor costs what reading their result would.
  llvm::DenseSet<mlir::Operation *> recomputed;
  /// Ops of which only reductions of rows read: better before these than after
  /// a contraction.
  llvm::DenseSet<mlir::Operation *> beforeRows;
  llvm::DenseMap<mlir::Operation *, unsigned> index;
};

} // namespace cornu::graph

#endif // CORNU_PASSES_GRAPH_FUSE_GROUPING_H
