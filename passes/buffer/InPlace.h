//===- InPlace.h - Kernels that may overwrite an operand --------*- C++ -*-===//
//
// A kernel may write its output over an input of the same type if every
// element of the input is read only at the point that overwrites it:
//
//   linalg.generic {map, map} ins(%w) outs(%out)       %out may be %w
//   linalg.generic {map, transposed} ins(%w) outs(%out)     may not
//
// Codegen takes the arguments of a kernel for distinct memory, so a call in
// place calls a version of the kernel in which the two are one argument.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_BUFFER_INPLACE_H
#define CORNU_PASSES_BUFFER_INPLACE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace cornu::buffer {

/// True if argument `output` of the kernel (on memrefs) may be the same memory
/// as argument `input`.
bool mayOverwrite(mlir::func::FuncOp kernel, unsigned input, unsigned output);

/// Makes every call that passes one buffer for several arguments call a kernel
/// with one argument in their place.
void specializeCallsInPlace(mlir::ModuleOp module);

} // namespace cornu::buffer

#endif // CORNU_PASSES_BUFFER_INPLACE_H
