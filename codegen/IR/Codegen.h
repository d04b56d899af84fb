//===- Codegen.h - Decisions and grids of generated kernels -----*- C++ -*-===//
//
// The `codegen` dialect: the attributes that the strategy writes and the
// schedule reads, and the grid of tasks that a kernel runs on.
//
//   #codegen.nest<kind = map, lane = 1, width = 8, ...>
//   codegen.parallel (%task, %worker) to %count if %large { ... }
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_IR_CODEGEN_H
#define CORNU_CODEGEN_IR_CODEGEN_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "codegen/IR/CodegenDialect.h.inc"
#include "codegen/IR/CodegenEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "codegen/IR/CodegenAttrs.h.inc"

#define GET_OP_CLASSES
#include "codegen/IR/CodegenOps.h.inc"

namespace cornu::codegen {

/// The parameters of a #codegen.contraction, to set or change some of them.
struct Blocking {
  int64_t mr = 1, nr = 1, mc = 1, nc = 1, kc = 1;
  bool copyLeft = false, copyRight = false, packRight = false;
  bool flattenRows = false, alongReduction = false;
  int64_t singleRowNr = 0, serial = 0, panels = 0, outputPanels = 0;
  WinogradAttr winograd;

  Blocking() = default;
  explicit Blocking(ContractionAttr attr);
  ContractionAttr get(mlir::MLIRContext *context) const;
};

/// Raises the kernel's `codegen.workspace` to at least `bytes` (per worker).
void requireWorkspace(mlir::func::FuncOp kernel, int64_t bytes);

/// The kernel's `codegen.workspace`, 0 where it has none.
int64_t workspaceBytes(mlir::func::FuncOp kernel);

/// Adds `bytes` to the kernel's `codegen.shared_workspace` and returns where
/// they start.
int64_t takeSharedWorkspace(mlir::func::FuncOp kernel, int64_t bytes);

/// The kernel's `codegen.shared_workspace`, 0 where it has none.
int64_t sharedWorkspaceBytes(mlir::func::FuncOp kernel);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_IR_CODEGEN_H
