//===- GenericBuilder.h - Generics from the bodies of others ----*- C++ -*-===//
//
// A fused or merged generic has the operands of its parts, equal ones once, and
// their bodies one after another:
//
//   GenericBuilder fused;
//   unsigned x = fused.addInput(buffer, map);
//   fused.addOutput(result, identity);
//   fused.create(builder, loc, iterators, [&](builder, inputs, outputs) {
//     IRMapping map; ... map.map(argument, inputs[x]) ...
//     return cloneBody(builder, part, map, ownLoops(builder, numLoops));
//   });
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_GENERICBUILDER_H
#define CORNU_CODEGEN_STRATEGY_GENERICBUILDER_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/IRMapping.h"

namespace cornu::codegen {

/// `expr` over the loops of a generic, computed inside its body.
mlir::Value expandInBody(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::AffineExpr expr);

/// The loops of a generic themselves: d0, ..., d`numLoops - 1`.
llvm::SmallVector<mlir::AffineExpr> ownLoops(mlir::OpBuilder &builder,
                                             unsigned numLoops);

/// Clones the body of `op` with its arguments mapped and its loop indices
/// given by `loops`; returns the yielded values.
llvm::SmallVector<mlir::Value>
cloneBody(mlir::OpBuilder &builder, mlir::linalg::GenericOp op,
          mlir::IRMapping &map, llvm::ArrayRef<mlir::AffineExpr> loops);

/// Collects operands (equal ones once) and builds a generic from the bodies of
/// others.
class GenericBuilder {
public:
  using Body = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      mlir::OpBuilder &, mlir::ValueRange inputs, mlir::ValueRange outputs)>;

  /// The position of an input among the inputs: that of an equal one if there
  /// is one.
  unsigned addInput(mlir::Value value, mlir::AffineMap map);
  void addOutput(mlir::Value value, mlir::AffineMap map);

  unsigned numInputs() const { return inputs.size(); }

  /// True if the operands determine the extent of every loop.
  bool loopsAreKnown(mlir::MLIRContext *context) const;

  /// The generic; `body` gives the values it yields.
  mlir::linalg::GenericOp
  create(mlir::OpBuilder &builder, mlir::Location loc,
         llvm::ArrayRef<mlir::utils::IteratorType> iterators, Body body) const;

private:
  /// Inputs first.
  llvm::SmallVector<mlir::AffineMap> allMaps() const;

  llvm::SmallVector<mlir::Value> inputs, outputs;
  llvm::SmallVector<mlir::AffineMap> maps, outputMaps;
};

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_GENERICBUILDER_H
