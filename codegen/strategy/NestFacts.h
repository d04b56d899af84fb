//===- NestFacts.h - What decisions about a nest are made from --*- C++ -*-===//
//
//   out[i] = sum over j of exp(x[i, j])
//   sizes {?, 64}, parallel {true, false}, cost 13 additions
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_NESTFACTS_H
#define CORNU_CODEGEN_STRATEGY_NESTFACTS_H

#include "codegen/target/Target.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace cornu::codegen {

/// The facts about a nest that shares its first `rows` loops with others.
struct NestFacts {
  NestFacts(mlir::linalg::GenericOp op, unsigned rows);

  mlir::linalg::GenericOp op;
  unsigned rows;
  llvm::SmallVector<int64_t> sizes; ///< kDynamic where not static
  llvm::SmallVector<bool> parallel, guarded;
  bool reduces = false;     ///< some loop is a reduction
  bool ownOutputs = false;  ///< reductions can stay in registers
  bool combines = false;    ///< all combiners are known
  unsigned elementBits = 8; ///< the widest element that is computed on
  int64_t cost = 0;         ///< of the body, in additions
  bool gathers = false;     ///< the body reads memory at computed places

  bool atLeast(unsigned loop, int64_t size) const {
    return mlir::ShapedType::isDynamic(sizes[loop]) || sizes[loop] >= size;
  }
  /// Elements of a vector of what the nest computes on; 1 where it cannot.
  unsigned fullWidth(const Target &target) const;
};

/// True if every output has a dimension that is loop `loop`, so that its
/// iterations write apart.
bool indexesAllOutputs(mlir::linalg::GenericOp op, unsigned loop);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_NESTFACTS_H
