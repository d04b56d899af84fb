//===- EntryLowering.h - An entry on its way to buffers ---------*- C++ -*-===//
//
// An entry calls kernels. Lowering gives each call tensors to write to, turns
// variables into arguments and results, and scans into loops:
//
//   func.func @train_step(%x: tensor<?x4xf32>) {
//     %w = nn.read @w : tensor<4x4xf32>
//     %0 = call @kernel_0(%x, %w)
//     nn.assign @w, %0
//     return
//   }
// becomes
//   func.func @train_step(%x: tensor<?x4xf32>,
//                         %w: tensor<4x4xf32> {nn.variable = @w})
//       -> (tensor<4x4xf32> {nn.variable = @w}) {
//     %out = tensor.empty() : tensor<4x4xf32>
//     %0 = call @kernel_0(%x, %w, %out)
//     return %0
//   }
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_LOWER_ENTRYLOWERING_H
#define CORNU_PASSES_LOWER_ENTRYLOWERING_H

#include "dialect/nn/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"

namespace cornu::lower {

class EntryLowering {
public:
  /// The kernels that `entry` calls are not lowered yet.
  EntryLowering(mlir::func::FuncOp entry, mlir::SymbolTable &symbols)
      : source(entry), symbols(symbols), builder(entry.getContext()) {}

  /// Replaces the entry by its lowered form.
  mlir::LogicalResult run();

private:
  mlir::LogicalResult collectVariables();
  mlir::func::FuncOp createFunction();
  mlir::LogicalResult lowerBlock(mlir::Block &block);
  mlir::LogicalResult lowerCall(mlir::func::CallOp op);
  mlir::LogicalResult lowerScan(nn::ScanOp op);
  /// The size of a dynamic dimension of a value of the old entry, from one
  /// that has been lowered.
  mlir::OpFoldResult sizeOf(mlir::Value value, int64_t dim);
  mlir::Value emptyLike(mlir::Value value);

  mlir::func::FuncOp source;
  mlir::SymbolTable &symbols;
  mlir::OpBuilder builder;
  mlir::IRMapping mapping;
  /// Present values of the variables, in the module's order.
  llvm::MapVector<llvm::StringRef, mlir::Value> variables;
  llvm::StringSet<> assigned;
  /// Where a call's result is to be written, if not to an empty tensor.
  llvm::DenseMap<mlir::Value, mlir::Value> destinations;
};

} // namespace cornu::lower

#endif // CORNU_PASSES_LOWER_ENTRYLOWERING_H
