//===- ContractionCase.h - Contractions to test the engine with -*- C++ -*-===//
//
// A contraction given by its loops and, for each operand, the linear map of
// each dimension; it can be written as a kernel on memrefs, as the stages
// before codegen leave it, and computed by plain loops.
//
//   auto c = ContractionCase::einsum("bi,iu->bu", {{'b', 5}, {'i', 7}, {'u',
//   10}}); c.epilogue = true; std::string kernel = c.text("kernel_0");
//   std::vector<double> y = c.reference(...);
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_TEST_UNIT_CODEGEN_CONTRACTIONCASE_H
#define CORNU_TEST_UNIT_CODEGEN_CONTRACTIONCASE_H

#include "test/unit/codegen/Jit.h"
#include <map>
#include <random>
#include <string>
#include <vector>

namespace cornu::test {

struct ContractionCase {
  struct Dim {
    std::vector<int64_t> coefficients; ///< one per loop
    int64_t constant = 0;
    int64_t size = 0; ///< with padding
    int64_t low = 0, high = 0;
  };
  std::vector<int64_t> extents;
  std::vector<bool> reduction; ///< per loop
  int dynamicLoop = -1;        ///< a loop whose extent the IR does not know
  std::vector<Dim> operands[3];
  bool prologue[2] = {false, false}; ///< max(x, -0.5) on an input
  bool epilogue = false;             ///< max(r + bias, 0) + other
  bool function = false;             ///< tanh there, and no maximum
  bool secondResult = false;         ///< and 2 * r
  bool accumulate = false;           ///< no fill: adds to the output
  bool isDouble = false;
  std::string strategy; ///< the attribute's text; empty: chooseContraction

  /// "bqhd,bkhd->bhqk" with an extent for each letter.
  static ContractionCase einsum(const std::string &spec,
                                const std::map<char, int64_t> &sizes);

  struct Conv {
    std::vector<int64_t> input, kernel, stride, dilation, low, high;
    int64_t batch = 1, groups = 1, channels = 1, filters = 1; ///< per group
    std::vector<int64_t> output() const;
  };
  enum class Direction { Forward, Kernel, Input };
  /// A convolution (channels last), its gradient for the kernel, or that for
  /// the input (stride 1).
  static ContractionCase convolution(const Conv &conv, Direction direction);

  /// Removes loops of extent 1 that the last dimension of no operand but ones
  /// of size 1 has: the channels and filters of a depthwise convolution.
  void dropUnitLoops();

  std::vector<int64_t> sourceShape(unsigned operand) const;
  std::string describe() const;
  std::string text(const std::string &name) const;
  double multiplyAdds() const;

  /// The arguments in order: inputs, [bias, other], output(s). Filled with
  /// small numbers.
  template <typename T> struct Arguments {
    std::vector<Array<T>> arrays;
    std::vector<ArrayBase *> pointers() {
      std::vector<ArrayBase *> result;
      for (Array<T> &array : arrays)
        result.push_back(&array);
      return result;
    }
  };
  template <typename T> Arguments<T> arguments(std::mt19937 &random) const;
  /// What the outputs must be.
  template <typename T>
  std::vector<std::vector<double>> reference(Arguments<T> &arguments) const;
};

} // namespace cornu::test

#endif // CORNU_TEST_UNIT_CODEGEN_CONTRACTIONCASE_H
