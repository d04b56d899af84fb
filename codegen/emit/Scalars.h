//===- Scalars.h - A value as the scalars that tell it --------------------===//
//
// A memref in LLVM is two pointers, an offset, sizes and strides, of which its
// type knows most. What is handed on of it, to a task or a kernel, is one
// pointer and what is dynamic:
//
//   memref<?x56x56x24xf32>  ->  !llvm.ptr, i64
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_CODEGEN_EMIT_SCALARS_H
#define CORNU_CODEGEN_EMIT_SCALARS_H

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"

namespace cornu::codegen {

/// The scalars of values of one type. They are taken and put together by LLVM
/// ops; casts between the value's type and LLVM's disappear with the
/// conversion of the rest.
class ValueScalars {
public:
  ValueScalars(mlir::Type type, const mlir::LLVMTypeConverter &converter)
      : type(type), converter(converter) {}

  static bool isSupported(mlir::Type type,
                          const mlir::LLVMTypeConverter &converter);

  llvm::SmallVector<mlir::Type> types() const;
  llvm::SmallVector<mlir::Value> take(mlir::OpBuilder &b, mlir::Location loc,
                                      mlir::Value value) const;
  mlir::Value join(mlir::OpBuilder &b, mlir::Location loc,
                   mlir::ValueRange scalars) const;

private:
  mlir::Type type;
  const mlir::LLVMTypeConverter &converter;
};

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_SCALARS_H
