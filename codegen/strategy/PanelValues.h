//===- PanelValues.h - The elements of weights in panels --------*- C++ -*-===//

#ifndef CORNU_CODEGEN_STRATEGY_PANELVALUES_H
#define CORNU_CODEGEN_STRATEGY_PANELVALUES_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"
#include <vector>

namespace cornu::codegen {

/// True for a value that inPanels() can rearrange, and for none.
bool canMove(mlir::ElementsAttr value);

/// The elements of such a value, of type f32.
std::vector<float> floatsOf(mlir::ElementsAttr value);

/// The elements of `value`, the rows of a matrix of so many columns, in panels.
mlir::ElementsAttr inPanels(llvm::StringRef name, mlir::ElementsAttr value,
                            int64_t columns, int64_t panels);

/// Moves `access`, a memref.load or memref.store of an element by its row-major
/// number, to where the element lies in panels.
void moveAccess(mlir::Operation *access, int64_t elements, int64_t columns,
                int64_t panels);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_PANELVALUES_H
