//===- Candidates.h - Strategies near another one ---------------*- C++ -*-===//
//
// What a tuner tries instead of a strategy: those that differ from it in one
// decision, the most promising first.
//
//   #codegen.contraction<mr = 6, nr = 64, ..., pack_right = true, ...>
//   -> <mr = 14, nr = 32, ...>, ..., <..., pack_right = false, ...>, ...
//
// Only what fits the registers and could be chosen at all: a given strategy
// with loops in other roles does not suit its op.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_CANDIDATES_H
#define CORNU_CODEGEN_STRATEGY_CANDIDATES_H

#include "codegen/IR/Codegen.h"
#include "codegen/target/Target.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include <string>

namespace cornu::codegen {

/// Candidates near `current`, a strategy that suits `op`; without it.
llvm::SmallVector<mlir::Attribute> candidatesNear(mlir::linalg::GenericOp op,
                                                  mlir::Attribute current,
                                                  const Target &target);

/// Why `given` cannot be the strategy of `op`, which has its default; empty if
/// it can.
std::string whyUnsuitable(mlir::linalg::GenericOp op, mlir::Attribute given,
                          const Target &target);

// By kind:
llvm::SmallVector<mlir::Attribute>
contractionCandidates(mlir::linalg::GenericOp op, ContractionAttr current,
                      const Target &target);
std::string whyUnsuitable(mlir::linalg::GenericOp op, ContractionAttr given,
                          ContractionAttr byDefault, const Target &target);
llvm::SmallVector<mlir::Attribute> nestCandidates(mlir::linalg::GenericOp op,
                                                  NestAttr current,
                                                  const Target &target);
std::string whyUnsuitable(mlir::linalg::GenericOp op, NestAttr given,
                          NestAttr byDefault, const Target &target);

/// "kc = 0 is not in [1, 65536]"; empty where it is.
std::string whyOutside(llvm::StringRef name, int64_t value, int64_t least,
                       int64_t most);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_CANDIDATES_H
