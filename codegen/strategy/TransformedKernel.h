//===- TransformedKernel.h - A convolution's kernel, transformed -*- C++
//-*-===//
//
// U, the kernel as its version by minimal filtering multiplies with it, in the
// order in which its register tiles read it:
//
//   [point][panel of lanes][part of the window][channel][lane of the panel]
//
// Each element is a sum over the window's taps, the same for all channels and
// lanes. WinogradKernel.cpp computes it when the model runs; where the weights
// are constants, TransformWeights.cpp has it in their place.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_TRANSFORMEDKERNEL_H
#define CORNU_CODEGEN_STRATEGY_TRANSFORMEDKERNEL_H

#include "codegen/IR/Codegen.h"
#include "codegen/strategy/WinogradForm.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/Support/MathExtras.h"

namespace cornu::codegen {

struct TransformedKernel {
  int64_t points = 0, parts = 0; ///< of a patch; of the window
  int64_t taps = 0;              ///< of the window
  int64_t channels = 0, lanes = 0;
  int64_t panels = 0; ///< lanes of a panel
  int64_t width = 1;  ///< zeros fill the lanes up to a multiple of it
  /// By rows, one for each point and part: the weights of the taps in it.
  std::vector<double> matrix;

  int64_t filledLanes() const { return llvm::alignTo(lanes, width); }
  int64_t elements() const { return points * parts * channels * filledLanes(); }
  bool operator==(const TransformedKernel &other) const;
  bool operator!=(const TransformedKernel &other) const {
    return !(*this == other);
  }

  /// Of vectors of `width` lanes. Nothing where the strategy has no transform.
  static std::optional<TransformedKernel>
  of(const WinogradForm &form, ContractionAttr strategy, int64_t width);

  /// The elements of a constant `value`, a row-major [taps][channels][lanes].
  mlir::ElementsAttr transform(llvm::StringRef name,
                               mlir::ElementsAttr value) const;
  /// As the table of variables has it: {points, parts, width, matrix}.
  mlir::DictionaryAttr attribute(mlir::MLIRContext *context) const;
};

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_TRANSFORMEDKERNEL_H
