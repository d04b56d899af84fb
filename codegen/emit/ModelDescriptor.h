//===- ModelDescriptor.h - What a compiled model says about itself --------===//
//
// The content of `cornu_model` (runtime/include/cornu/model.h), read from the
// attribute `cornu.model` of a module:
//
//   auto model = ModelDescriptor::read(module);      // diagnoses what is wrong
//   for (const ModelTensor &input : model->inputs) ...
//
// README.md shows the attribute.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_CODEGEN_EMIT_MODELDESCRIPTOR_H
#define CORNU_CODEGEN_EMIT_MODELDESCRIPTOR_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "runtime/include/cornu/model.h"
#include <string>
#include <vector>

namespace cornu::codegen {

inline constexpr llvm::StringLiteral modelAttrName = "cornu.model";

/// An input, output or target. `shape` is without the batch.
struct ModelTensor {
  std::string name;
  cornu_dtype dtype;
  std::vector<int64_t> shape;
  int64_t upperBound = 0;

  int64_t elements() const;
};

/// A cornu_filtering.
struct ModelFiltering {
  int64_t points, parts, taps, width;
  std::vector<double> matrix;
};

struct ModelVariable {
  std::string name;
  cornu_dtype dtype;
  std::vector<int64_t> shape;
  uint64_t offset;
  int64_t panels, columns; ///< as in cornu_variable
  cornu_variable_kind kind;
  std::optional<ModelFiltering> filtering;
  /// Null if `@initialize` computes it.
  mlir::ElementsAttr value;

  /// In the state block, and of `value`.
  uint64_t bytes() const;
};

struct ModelLayer {
  std::string name, className, outputShape;
  int64_t parameters;
};

struct ModelDescriptor {
  std::string name;
  /// A JSON object: how it was compiled.
  std::string compiled;
  std::vector<ModelTensor> inputs, outputs, targets;
  std::vector<ModelVariable> variables;
  std::vector<std::string> metricNames;
  std::vector<ModelLayer> layers;
  int64_t fixedBatch = 0;
  uint64_t stateBytes = 0, gradientBytes = 0;
  uint64_t metricsOffset = 0, metricsBytes = 0;
  /// Complete from the stage of kernels on: schedules add to what was planned.
  /// As the entry points' arguments need it: the workers' part included, the
  /// array of ones for absent sample weights not.
  cornu_scratch predictScratch{}, evaluateScratch{}, trainScratch{};

  /// The scratch block that a caller of an entry with sample weights provides:
  /// the array of ones lies before the entry's own scratch.
  static cornu_scratch withUnitWeights(cornu_scratch scratch);

  static mlir::FailureOr<ModelDescriptor> read(mlir::ModuleOp module);
};

/// Bytes of a scratch block, as NAME_PREDICT_SCRATCH_BYTES_FOR in the header.
uint64_t scratchBytes(const cornu_scratch &scratch, uint64_t batch,
                      uint64_t workers);

/// Bytes of an element, and the name in C: `float`.
uint64_t bytesOf(cornu_dtype dtype);
llvm::StringRef cNameOf(cornu_dtype dtype);
llvm::StringRef enumeratorOf(cornu_dtype dtype);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_MODELDESCRIPTOR_H
