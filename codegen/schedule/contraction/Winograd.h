//===- Winograd.h - A convolution as products of transforms -----*- C++ -*-===//
//
// What the Winograd version of a contraction nest is made of: see
// WinogradForm.h for the algorithm, and Winograd.cpp for the loops.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_CONTRACTION_WINOGRAD_H
#define CORNU_CODEGEN_SCHEDULE_CONTRACTION_WINOGRAD_H

#include "codegen/schedule/contraction/Nest.h"
#include "codegen/schedule/contraction/WinogradTransform.h"

namespace cornu::codegen {

/// An input of which squares are transformed.
struct WinogradSource {
  unsigned input = 0;        ///< number
  unsigned dims[2] = {0, 0}; ///< along the axes
  int64_t first[2] = {0, 0}; ///< from the first output to the square
  int64_t side = 0;
  bool hasBorder = false; ///< a square may leave the input
  int64_t channels = 0;   ///< of a task
  mlir::Value firstChannel;
  mlir::Value copy; ///< of the square at hand, where it cannot be read
};

/// Where the vectors of a square are: (i, j) of channel c at offset + i * down
/// + j * across + c.
struct WinogradSquare {
  mlir::Value buffer, offset, down, across;
};

/// Squares of outputs and the patches of the input stand in two grids. Part p
/// of a window reads for square (y, x) the patch (y + p, x + p'), so that with
/// more than one part the grid of patches is larger on both axes. Both are
/// numbered through all images.
///
/// For a gradient of the kernel the squares are of the outputs' gradient, and
/// are transformed like the patches.
struct ContractionNest::Winograd {
  WinogradForm form;
  WinogradAttr strategy;
  WinogradTransform transform;
  int64_t side = 0, points = 0; ///< of a square; of a patch
  int64_t lanes = 0;            ///< with those that fill the last vector
  int64_t nr = 0;               ///< of the register tile: full vectors
  int64_t row = 0;   ///< of M and its counterparts: the lanes of a task
  int64_t parts = 1; ///< of a side of the window
  int64_t squares = 0, patches = 0; ///< of a block, at most
  int64_t squaresOf[2] = {0, 0};    ///< of an image, along each axis
  mlir::Value total;                ///< squares of all images
  WinogradSource patchSource;
  WinogradSource squareSource; ///< for a gradient of the kernel

  mlir::Value kernel;                ///< U, or the partial sums of its gradient
  mlir::Value transformed, products; ///< V and M (or A e A^T), of a block
  int64_t patchStep = 0, productStep = 0; ///< of V and M, from point to point
  mlir::Value square;                     ///< the results at hand
  mlir::Value firstSquare, firstPatch;    ///< of the block
  /// Of the task, which has whole panels of them, unless it has all.
  mlir::Value firstLane, lastLane;

  int64_t patchesOf(unsigned axis) const { return squaresOf[axis] + parts - 1; }
  /// The terms of a point's sum: channels of every part of the window.
  int64_t terms() const { return parts * parts * form.channels; }
  /// The elements from point to point of `elements` for each: a vector more
  /// keeps them from falling into the same cache sets.
  static int64_t pointStep(int64_t elements, unsigned width) {
    return elements + width;
  }
  /// True if tasks of few squares are for some of the lanes, in whole panels.
  bool cutsLanes() const {
    int64_t part = strategy.getLanes();
    return !form.forKernel && part > 0 && part < form.lanes && part % nr == 0 &&
           form.lanes % nr == 0;
  }
  /// Elements of U for a point.
  int64_t pointWeights() const { return terms() * lanes; }
  /// How far the patch of the last part is from that of the first.
  int64_t reach() const { return (parts - 1) * (patchesOf(1) + 1); }
};

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_CONTRACTION_WINOGRAD_H
