//===- IndexMath.h - Index arithmetic that folds ----------------*- C++ -*-===//
//
// Sizes and offsets that are known when code is made are constants in it:
//
//   IndexMath math{builder, loc};
//   math.mul(math.constant(8), rows)      8 * 4 is 32; 1 * %n is %n
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_INDEXMATH_H
#define CORNU_CODEGEN_SCHEDULE_INDEXMATH_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"

namespace cornu::codegen {

/// Index arithmetic that folds constants as it is built.
struct IndexMath {
  mlir::OpBuilder &builder;
  mlir::Location loc;

  mlir::Value constant(int64_t value);
  mlir::Value value(mlir::OpFoldResult v);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value add(mlir::Value a, int64_t b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::OpFoldResult b);
  mlir::Value mul(mlir::Value a, mlir::Value b) {
    return mul(a, mlir::OpFoldResult(b));
  }
  mlir::Value mul(mlir::Value a, int64_t b) {
    return mul(a, mlir::OpFoldResult(builder.getIndexAttr(b)));
  }
  mlir::Value min(mlir::Value a, mlir::Value b);
  mlir::Value max(mlir::Value a, mlir::Value b);
  mlir::Value ceilDiv(mlir::Value a, int64_t b);
  mlir::Value ceilDiv(mlir::Value a, mlir::Value b);
  mlir::Value div(mlir::Value a, mlir::Value b);
  mlir::Value rem(mlir::Value a, mlir::Value b);
};

/// The constant behind an index, if there is one; none for a null value.
std::optional<int64_t> constantOf(mlir::Value value);
std::optional<int64_t> constantOf(mlir::OpFoldResult value);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_INDEXMATH_H
