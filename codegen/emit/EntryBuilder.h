//===- EntryBuilder.h - Builds the C functions of a module ------*- C++ -*-===//
//
// The entries are in EntryPoints.cpp, what they are made of in
// EntryBuilder.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_EMIT_ENTRYBUILDER_H
#define CORNU_CODEGEN_EMIT_ENTRYBUILDER_H

#include "codegen/emit/ModelDescriptor.h"
#include "codegen/emit/Profile.h"
#include "codegen/target/Target.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace cornu::codegen {

/// Builds the C functions of one module.
class EntryBuilder {
public:
  EntryBuilder(mlir::ModuleOp module, const ModelDescriptor &model)
      : module(module), model(model), target(Target::of(module)),
        symbols(module), converter(module.getContext()), b(module.getContext()),
        pointer(mlir::LLVM::LLVMPointerType::get(module.getContext())),
        i32(b.getI32Type()), i64(b.getI64Type()) {}

  mlir::LogicalResult build(const ProfileTable *profile);

private:
  //===--- The entries ----------------------------------------------------===//
  mlir::FailureOr<mlir::LLVM::LLVMFuncOp> buildInitialize();
  mlir::LLVM::LLVMFuncOp buildResetMetrics();
  mlir::FailureOr<mlir::LLVM::LLVMFuncOp> buildPredict();
  /// evaluate_step, train_step and gradients.
  mlir::FailureOr<mlir::LLVM::LLVMFuncOp>
  buildStep(llvm::StringRef name, const cornu_scratch &scratch);
  mlir::FailureOr<mlir::LLVM::LLVMFuncOp> buildApplyGradients();
  mlir::FailureOr<mlir::LLVM::LLVMFuncOp> buildMetricResults();

  //===--- Their parts ----------------------------------------------------===//
  /// `int NAME_<suffix>(arguments)`; leaves the builder in its body, which
  /// runs if the checks passed. `batch` is an argument, or negative.
  mlir::LLVM::LLVMFuncOp begin(llvm::StringRef suffix,
                               llvm::ArrayRef<mlir::Type> arguments, int batch);
  void end(mlir::LLVM::LLVMFuncOp function);
  /// Calls the entry with its arguments; checks their number and types.
  mlir::LogicalResult call(mlir::func::FuncOp entry,
                           llvm::ArrayRef<mlir::Value> pointers,
                           llvm::ArrayRef<mlir::Value> sizes);
  /// A memref of the type, its leading size `size` if it is dynamic.
  mlir::Value toMemRef(mlir::MemRefType type, mlir::Value address,
                       mlir::Value size);
  /// array[i] of an array of pointers.
  mlir::Value element(mlir::Value array, int64_t i);
  mlir::Value constant(int64_t value) {
    return mlir::LLVM::ConstantOp::create(b, loc(), i64,
                                          b.getI64IntegerAttr(value));
  }
  mlir::Value offset(mlir::Value base, mlir::Value bytes) {
    return mlir::LLVM::GEPOp::create(b, loc(), pointer, b.getI8Type(), base,
                                     llvm::ArrayRef<mlir::LLVM::GEPArg>{bytes});
  }
  mlir::Value isNull(mlir::Value address) {
    mlir::Value null = mlir::LLVM::ZeroOp::create(b, loc(), pointer);
    return mlir::LLVM::ICmpOp::create(b, loc(), mlir::LLVM::ICmpPredicate::eq,
                                      address, null);
  }
  mlir::Value scratchSize(const cornu_scratch &scratch, mlir::Value batch);
  /// Reports the running results of the metrics where the caller wants them.
  mlir::LogicalResult reportMetrics(mlir::Value state, mlir::Value metrics,
                                    mlir::Value scratch,
                                    mlir::Value scratchBytes);
  mlir::Location loc() { return module.getLoc(); }
  /// A model that trains nothing has no gradients; its C functions still take
  /// the pointer.
  bool hasGradients() const { return model.gradientBytes != 0; }
  mlir::func::FuncOp entry(llvm::StringRef name) {
    return symbols.lookup<mlir::func::FuncOp>(name);
  }

  mlir::ModuleOp module;
  const ModelDescriptor &model;
  Target target;
  mlir::SymbolTable symbols;
  mlir::LLVMTypeConverter converter;
  mlir::OpBuilder b;
  mlir::Type pointer, i32, i64;
  mlir::LLVM::LLVMFuncOp cpuCheck;
  mlir::scf::IfOp checked;
};

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_ENTRYBUILDER_H
