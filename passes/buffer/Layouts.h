//===- Layouts.h - Kernels for operands that lie elsewhere ------*- C++ -*-===//
//
// A kernel is written for operands that lie in memory in one piece. Where a
// buffer becomes a part of another, its views and the kernels that use it get
// the part's strides:
//
//   call @conv(%x, %a)   : (…, memref<?x8xf32>)
//   call @conv_1(%x, %a) : (…, memref<?x8xf32, strided<[20, 1], offset: 12>>)
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_BUFFER_LAYOUTS_H
#define CORNU_PASSES_BUFFER_LAYOUTS_H

#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/SymbolTable.h"

namespace cornu::buffer {

/// The type of a collapsed or expanded view of `source`; null if its layout has
/// none.
mlir::MemRefType
collapsedType(mlir::MemRefType source,
              llvm::ArrayRef<mlir::ReassociationIndices> groups);
mlir::MemRefType
expandedType(mlir::MemRefType source, llvm::ArrayRef<int64_t> shape,
             llvm::ArrayRef<mlir::ReassociationIndices> groups);

/// True if all that uses `memref`, in kernels too, can do so with `type`, which
/// differs in its layout alone.
bool allowsLayout(mlir::Value memref, mlir::MemRefType type,
                  mlir::SymbolTable &symbols);

/// Gives `memref` the type and its views what follows. Calls are left for
/// specializeCallsByLayout.
void setLayout(mlir::Value memref, mlir::MemRefType type);
/// Gives the views of `memref` what follows from its type.
void updateViews(mlir::Value memref);

/// Makes every call whose operands have other layouts than the kernel's
/// arguments call a version of the kernel for them.
void specializeCallsByLayout(mlir::ModuleOp module);

} // namespace cornu::buffer

#endif // CORNU_PASSES_BUFFER_LAYOUTS_H
