//===- NestFixture.h - Kernels by the schedule and by plain loops -*- C++ -*-=//
#ifndef CORNU_TEST_UNIT_CODEGEN_NESTFIXTURE_H
#define CORNU_TEST_UNIT_CODEGEN_NESTFIXTURE_H

#include "mlir/IR/MLIRContext.h"
#include "test/unit/codegen/Jit.h"
#include "gtest/gtest.h"
#include <string>
#include <utility>
#include <vector>

namespace cornu::test {

/// Compiles a kernel by strategy and schedule, with the default strategies and
/// with others that a tuner would try, and by upstream's linalg-to-loops, and
/// runs all on the same random data.
class NestTest : public testing::Test {
protected:
  NestTest();

  /// Runs the kernel of `text`, whose dynamic sizes are the batch, for several
  /// batches, and compares all arguments: `tolerance` is of the largest
  /// element. Integers are in [low, high].
  void check(const std::string &text, double tolerance = 2e-6, int64_t low = 0,
             int64_t high = 9);

  /// The second-level cache that strategies reckon with; 0: the machine's.
  int64_t l2Bytes = 0;

private:
  enum class Way { Loops, Default, Candidates };
  std::unique_ptr<Jit> compile(const std::string &text, Way way,
                               llvm::SmallVector<mlir::Type> &types);
  void compareRuns(Jit &mine, Jit &reference, llvm::ArrayRef<mlir::Type> types,
                   double tolerance, int64_t low, int64_t high);

  mlir::MLIRContext context;
};

} // namespace cornu::test

#endif // CORNU_TEST_UNIT_CODEGEN_NESTFIXTURE_H
