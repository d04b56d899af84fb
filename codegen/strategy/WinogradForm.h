//===- WinogradForm.h - Convolutions with minimal filtering -----*- C++ -*-===//
//
// A convolution of stride 1 with a square window of few taps can compute a
// square of outputs with fewer multiplications (S. Winograd, 1980; A. Lavin,
// S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2016):
//
//   F(4x4, 3x3): 16 outputs from 36 products instead of 144
//
//   V = B^T d B       of every 6 x 6 patch d of the input, per channel
//   U = G k G^T       of every 3 x 3 window k of the kernel, per channel pair
//   M = sum over c of U * V, point by point: 36 matrix products
//   outputs = A^T M A
//
// A contraction has the form where two of its row loops move the left operand
// together with one reduction loop each, and one more reduction loop, the
// channel, runs along the left operand's last dimension:
//
//   out[n, y, x, f] += in[n, y + ky, x + kx, c] * w[ky, kx, c, f]
//
// A window of more taps is the sum of windows of at most 3 x 3, whose products
// are summed before A^T: F(2x2, 5x5) takes 49 products for 4 outputs, instead
// of 100, with the small rounding errors of F(2x2, 3x3).
//
// In a gradient for the input the taps run backwards: in[n, y - ky + 2, ...].
//
// A gradient for the kernel sums over the outputs' places what a convolution
// computes for each, and is the same method with the roles of taps and places
// exchanged:
//
//   dw[ky, kx, c, f] += in[n, y + ky, x + kx, c] * dout[n, y, x, f]
//
//   dw = G^T (sum over squares of (B^T d B) * (A e A^T)) G
//
// for the patch d of a square e of dout: one matrix product per point again.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_WINOGRADFORM_H
#define CORNU_CODEGEN_STRATEGY_WINOGRADFORM_H

#include "codegen/IR/Codegen.h"
#include "codegen/strategy/ContractionForm.h"
#include "codegen/target/Target.h"

namespace cornu::codegen {

struct WinogradForm {
  /// One direction of the window.
  struct Axis {
    unsigned place = 0, tap = 0; ///< loops
    unsigned dim = 0;            ///< of the left operand
    bool backwards = false;
    int64_t first = 0;   ///< place in `dim` where the first patch starts
    int64_t outputs = 0; ///< extent of `place`
  };
  Axis axes[2];
  /// The sum is over places, for each tap and channel.
  bool forKernel = false;
  llvm::SmallVector<unsigned> outer; ///< loops over images
  unsigned channel = 0;
  int64_t taps = 0;     ///< of a side of the window
  int64_t channels = 0; ///< extent of `channel`
  int64_t lanes = 0;    ///< extent of the contraction's lane

  /// Nothing where `op` has another form, or a size that is not known.
  static std::optional<WinogradForm> of(mlir::linalg::GenericOp op,
                                        const ContractionForm &form);
};

/// How the convolution is cut into squares; null where it should not be.
/// `mr`: rows of a register tile.
WinogradAttr chooseWinograd(mlir::MLIRContext *context,
                            const WinogradForm &form, int64_t mr,
                            const Target &target);

/// True if the version with a kernel that was transformed ahead is faster than
/// the nest without transforms for so few images, and so for more.
bool paysForImages(const WinogradForm &form, ContractionAttr strategy,
                   int64_t images, const Target &target);

/// All squares that it chooses from, whatever they cost.
llvm::SmallVector<WinogradAttr> winogradCandidates(mlir::MLIRContext *context,
                                                   const WinogradForm &form,
                                                   int64_t mr,
                                                   const Target &target);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_WINOGRADFORM_H
