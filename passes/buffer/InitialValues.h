//===- InitialValues.h - Loops that fill the state block --------*- C++ -*-===//
//
// Builds @initialize: one loop nest for each variable, in place.
//
//   InitialValues values(module);
//   values.uniform({"dense/kernel", type, /*offset=*/0, /*stream=*/0}, -a, a);
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_BUFFER_INITIALVALUES_H
#define CORNU_PASSES_BUFFER_INITIALVALUES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace cornu::buffer {

struct InitialVariable {
  llvm::StringRef name;
  mlir::RankedTensorType type;
  int64_t offset; ///< bytes from the start of the state
  int64_t stream; ///< of random numbers
};

class InitialValues {
public:
  /// Adds @initialize and the functions that it draws from to the module.
  explicit InitialValues(mlir::ModuleOp module);
  static void addDialects(mlir::DialectRegistry &registry);
  mlir::Location getLoc() { return b.getLoc(); }

  /// The variable of random numbers: {seed low, seed high, 0, 0}.
  void seed(const InitialVariable &variable);
  /// `value` for the elements [begin, end), all by default.
  void constant(const InitialVariable &variable, double value,
                int64_t begin = 0, int64_t end = -1);
  /// Uniform in [low, high).
  void uniform(const InitialVariable &variable, double low, double high);
  /// Normal; `truncated` values lie within two deviations of the mean.
  void normal(const InitialVariable &variable, double mean, double deviation,
              bool truncated);
  /// The variable as a matrix (all sizes but the last, the last): its shorter
  /// side becomes a set of orthogonal vectors of length `gain`, as the Q of a
  /// QR decomposition of a normal matrix whose R has a positive diagonal.
  void orthogonal(const InitialVariable &variable, double gain);
  void identity(const InitialVariable &variable, double gain);

private:
  using Body = llvm::function_ref<void(mlir::Value index)>;

  void buildUniform();
  void buildNormal();
  mlir::Value elements(const InitialVariable &variable);
  mlir::Value index(int64_t value);
  mlir::Value real(double value);
  /// A value of the variable's element type.
  mlir::Value converted(mlir::Value value, mlir::Type element);
  void loop(mlir::Value begin, mlir::Value end, Body body);
  mlir::Value draw(mlir::func::FuncOp function, mlir::Value i,
                   const InitialVariable &variable, mlir::Value last = {});

  mlir::ImplicitLocOpBuilder b;
  mlir::ModuleOp module;
  mlir::func::FuncOp initialize, uniforms, normals;
};

} // namespace cornu::buffer

#endif // CORNU_PASSES_BUFFER_INITIALVALUES_H
