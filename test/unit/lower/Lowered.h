//===- Lowered.h - Runs a lowered model inside a test -----------*- C++ -*-===//
//
// Takes a module of nn functions through the stages of lowering and buffers,
// then loops as MLIR makes them, and calls its entries:
//
//   auto lowered = Lowered::compile(module);
//   lowered->variables = interpreter.variables;
//   std::vector<Array> y = lowered->call("predict", {x});
//
// The same arrays go to the reference interpreter.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_TEST_UNIT_LOWER_LOWERED_H
#define CORNU_TEST_UNIT_LOWER_LOWERED_H

#include "test/unit/codegen/Jit.h"
#include "test/unit/reference/Interpreter.h"

namespace cornu::test {

class Lowered {
public:
  /// Registers all that the stages need.
  static void registerDialects(mlir::DialectRegistry &registry);
  /// Consumes the module. Null after an error, which has been printed.
  static std::unique_ptr<Lowered> compile(mlir::ModuleOp module);

  /// Runs an entry on the variables and returns its results.
  std::vector<reference::Array>
  call(llvm::StringRef entry, const std::vector<reference::Array> &inputs);

  std::map<std::string, reference::Array> variables;

private:
  struct Slot {
    std::string name;
    mlir::RankedTensorType type;
    int64_t offset;
  };
  /// The memrefs of an entry: their types and what they are for.
  struct Argument {
    mlir::MemRefType type;
    std::string role;
    bool isUnsigned;
  };
  std::unique_ptr<Jit> jit;
  std::vector<Slot> slots;
  int64_t stateBytes = 0;
  std::map<std::string, std::vector<Argument>> entries;
  std::map<std::string, std::pair<int64_t, int64_t>> scratch;
};

} // namespace cornu::test

#endif // CORNU_TEST_UNIT_LOWER_LOWERED_H
