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

/// Squares of outputs and the patches of the input stand in two grids. Part p
/// of a window reads for square (y, x) the patch (y + p, x + p'), so that with
/// more than one part the grid of patches is larger on both axes. Both are
/// numbered through all images.
struct ContractionNest::Winograd {
  WinogradForm form;
  WinogradTransform transform;
  llvm::SmallVector<unsigned> outer; ///< row loops that are no axis: images
  int64_t side = 0, points = 0;      ///< of a square; of a patch
  int64_t parts = 1;                 ///< of a side of the window
  int64_t squares = 0, patches = 0;  ///< of a task, at most
  int64_t squaresOf[2] = {0, 0};     ///< of an image, along each axis
  mlir::Value total;                 ///< squares of all images
  bool hasBorder = false;

  mlir::Value kernel;                     ///< U
  mlir::Value transformed, products;      ///< V and M, of a task
  int64_t patchStep = 0, productStep = 0; ///< of V and M, from point to point
  mlir::Value border; ///< the patch at hand, where it crosses the border
  mlir::Value square; ///< the outputs at hand
  mlir::Value firstSquare, firstPatch; ///< of the task

  int64_t patchesOf(unsigned axis) const { return squaresOf[axis] + parts - 1; }
  /// The terms of a point's sum: channels of every part of the window.
  int64_t terms() const { return parts * parts * form.channels; }
  /// Elements of U for a point.
  int64_t pointWeights() const { return terms() * form.lanes; }
  /// How far the patch of the last part is from that of the first.
  int64_t reach() const { return (parts - 1) * (patchesOf(1) + 1); }
};

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_CONTRACTION_WINOGRAD_H
