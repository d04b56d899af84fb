//===- Contraction.h - How a contraction is blocked -------------*- C++ -*-===//
//
// Decides the register tile, the cache blocks and the copies of a contraction
// from its shape and the target's registers and caches:
//
//   1024 x 1024 x 1024 on AVX2 with 32 KiB + 512 KiB of cache
//   -> #codegen.contraction<mr = 6, nr = 16, mc = 192, nc = 1024, kc = 256,
//   ...>
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_CONTRACTION_H
#define CORNU_CODEGEN_STRATEGY_CONTRACTION_H

#include "codegen/target/Target.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include <optional>

namespace cornu::codegen {

/// True for a linalg.generic that multiplies two f32 or f64 inputs and adds
/// the product to its output, with linear index maps.
bool isContraction(mlir::linalg::GenericOp op);

/// True for a contraction that has something to keep in registers. One in which
/// every element is used once, such as sum_j x[i, j] * y[i, j], is a reduction
/// of rows or columns, and may share them with its neighbours.
bool isProduct(mlir::linalg::GenericOp op);

/// A kernel of fewer multiply-adds runs without the pool: a fork and join costs
/// a few microseconds; so much is done in ten.
inline constexpr int64_t kSerialWork = 200000;

/// `extent` in as few equal parts of at most `most` as it takes.
int64_t equalParts(int64_t extent, int64_t most);

/// Rows and lanes of the accumulators in registers.
struct RegisterTile {
  int64_t mr, nr;
};

/// The strategy (a #codegen.contraction) of a contraction on memrefs; failure
/// where it is none. A given `tile` decides the rest as the chosen one would.
mlir::FailureOr<mlir::Attribute>
chooseContraction(mlir::linalg::GenericOp op, const Target &target,
                  std::optional<RegisterTile> tile = std::nullopt);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_CONTRACTION_H
