//===- Jit.h - Runs scheduled kernels inside a test -------------*- C++ -*-===//
//
// Compiles a module of kernels on memrefs in this process and calls them:
//
//   MLIRContext context = ...;
//   OwningOpRef<ModuleOp> module = parse(...);       // scf, vector, codegen,
//   ... auto jit = Jit::compile(*module);                // consumes the
//   module's IR Array<float> x({3, 5}), y({3, 5}); jit->call("kernel", {&x,
//   &y});
//
// Grids (`codegen.parallel`) run serially as worker 0; the workspace is the
// kernel's trailing memref<?xi8>, which `call` supplies.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_TEST_UNIT_CODEGEN_JIT_H
#define CORNU_TEST_UNIT_CODEGEN_JIT_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace llvm::orc {
class LLJIT;
} // namespace llvm::orc

namespace cornu::test {

/// A memref argument: its descriptor in the layout of MLIR's C interface.
class ArrayBase {
public:
  virtual ~ArrayBase() = default;
  /// {allocated, aligned, offset, sizes..., strides...}
  std::vector<int64_t> descriptor;
  std::vector<int64_t> shape;
  int64_t count() const {
    int64_t product = 1;
    for (int64_t size : shape)
      product *= size;
    return product;
  }

protected:
  void describe(void *data) {
    size_t rank = shape.size();
    descriptor.assign(3 + 2 * rank, 0);
    descriptor[0] = descriptor[1] = reinterpret_cast<int64_t>(data);
    int64_t stride = 1;
    for (size_t i = rank; i-- > 0;) {
      descriptor[3 + i] = shape[i];
      descriptor[3 + rank + i] = stride;
      stride *= shape[i];
    }
  }
};

/// A dense row-major array whose ends are guarded: `intact()` is false once
/// something has been written outside it.
template <typename T> class Array : public ArrayBase {
public:
  explicit Array(std::vector<int64_t> dims, T fill = T())
      : storage(static_cast<size_t>(product(dims)) + 2 * kGuard, T(77)) {
    shape = std::move(dims);
    describe(data());
    for (int64_t i = 0; i < count(); ++i)
      data()[i] = fill;
  }
  Array(const Array &other) : ArrayBase(other), storage(other.storage) {
    describe(data());
  }
  T *data() { return storage.data() + kGuard; }
  T &operator[](int64_t i) { return data()[i]; }
  bool intact() const {
    for (size_t i = 0; i < kGuard; ++i)
      if (storage[i] != T(77) || storage[storage.size() - 1 - i] != T(77))
        return false;
    return true;
  }

private:
  static constexpr size_t kGuard = 64;
  static int64_t product(const std::vector<int64_t> &dims) {
    int64_t result = 1;
    for (int64_t size : dims)
      result *= size;
    return result;
  }
  std::vector<T> storage;
};

class Jit {
public:
  struct Options {
    std::string cpu;     ///< "" is the host's
    unsigned level = 3;  ///< LLVM's optimization level
    std::string dumpAsm; ///< a file that gets the assembly, or ""
  };
  /// Lowers, optimizes and loads the module. Null after an error, which is
  /// printed to stderr. Every function gets a C interface.
  static std::unique_ptr<Jit> compile(mlir::ModuleOp module,
                                      const Options &options);
  static std::unique_ptr<Jit> compile(mlir::ModuleOp module) {
    return compile(module, Options());
  }
  ~Jit();

  /// Calls a kernel with its memref arguments; a trailing workspace that the
  /// kernel declares is added. False if there is no such function.
  bool call(llvm::StringRef name, llvm::ArrayRef<ArrayBase *> arguments);

private:
  Jit();
  struct Kernel {
    void *function;
    bool workspace;
  };
  Kernel *lookup(llvm::StringRef name);

  std::unique_ptr<llvm::orc::LLJIT> engine;
  std::vector<std::pair<std::string, Kernel>> kernels;
  std::vector<char> workspace;
  std::vector<int64_t> workspaceDescriptor;
};

/// The text of a kernel with every `$N` replaced.
std::string with(std::string text,
                 std::vector<std::pair<std::string, std::string>> values);

} // namespace cornu::test

#endif // CORNU_TEST_UNIT_CODEGEN_JIT_H
