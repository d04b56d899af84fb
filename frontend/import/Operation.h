//===- Operation.h - One call of a keras.ops node ---------------*- C++ -*-===//

#ifndef CORNU_FRONTEND_IMPORT_OPERATION_H
#define CORNU_FRONTEND_IMPORT_OPERATION_H

#include "frontend/import/ModelBuilder.h"

namespace cornu::frontend {

/// One call of an operation.
struct OperationCall {
  ModelBuilder &model;
  const Json &operation;
  const Json &config;
  llvm::StringRef path;
  Arguments arguments;
  Math math;
  std::vector<Tensor> results;

  const Argument *argument(size_t position, llvm::StringRef name) const {
    if (position < arguments.positional.size())
      return &arguments.positional[position];
    for (const auto &[key, value] : arguments.keywords)
      if (key == name)
        return &value;
    return nullptr;
  }
  /// A tensor, or a number as a constant beside tensors.
  mlir::Value operand(size_t position, llvm::StringRef name = {});
  void fail(const llvm::Twine &message, const llvm::Twine &help = {}) {
    model.diagnostics.error(path, &operation,
                            operation.at("class_name").str() + ": " + message,
                            help);
  }
};

/// Adds a result, unless it is null (its error was reported).
void one(OperationCall &call, mlir::Value value);
/// Axes of the configuration; null means all of x.
Shape axesOf(OperationCall &call, mlir::Value x, llvm::StringRef key = "axis");

// OperationShapes.cpp: those that move elements.
namespace operations {
void reshape(OperationCall &call);
void transpose(OperationCall &call);
void swapAxes(OperationCall &call);
void expandDims(OperationCall &call);
void squeeze(OperationCall &call);
void concatenate(OperationCall &call);
void stack(OperationCall &call);
void split(OperationCall &call);
void flip(OperationCall &call);
void repeat(OperationCall &call);
void getItem(OperationCall &call);
} // namespace operations

} // namespace cornu::frontend

#endif // CORNU_FRONTEND_IMPORT_OPERATION_H
