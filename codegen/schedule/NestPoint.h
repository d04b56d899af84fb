//===- NestPoint.h - One register tile of a nest ----------------*- C++ -*-===//
//
// A register tile is `tile` points along one loop times `vectors` vectors
// along the lanes. NestTile knows the loop indices of its points, loads every
// operand once per distinct address, computes bodies, and runs the epilogues
// on results that are still in registers.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_NESTPOINT_H
#define CORNU_CODEGEN_SCHEDULE_NESTPOINT_H

#include "codegen/schedule/Lanes.h"
#include "codegen/schedule/NestGuards.h"
#include "codegen/schedule/NestLoops.h"
#include "llvm/ADT/BitVector.h"
#include <map>

namespace cornu::codegen {

class NestTile {
public:
  /// `indices` holds the index of every loop that is known; the tile adds the
  /// others. The loops of `lanes` and `tileLoop` may be -1.
  NestTile(const Nest &nest, llvm::ArrayRef<mlir::Value> indices,
           const Lanes &lanes, unsigned width, unsigned vectors, int tileLoop,
           unsigned tile);

  unsigned size() const { return vectors * tile; }
  unsigned getWidth() const { return width; }

  /// Creates the indices of the tile's points from those of its first.
  void place(mlir::OpBuilder &builder);
  /// Says that these guards fail in some lanes. The loops of a guard have
  /// constant indices.
  void setBorder(llvm::ArrayRef<Guard> guards) { border = guards; }
  /// Sets the index of another loop, the same for all points.
  void setIndex(unsigned loop, mlir::Value index);

  /// Loads the inputs that depend on no loop without an index yet, so that
  /// they stay in registers over the loops inside.
  void loadInvariant(mlir::OpBuilder &builder);
  /// The vector (or scalar) of output `output` that memory holds at a point.
  mlir::Value loadOutput(mlir::OpBuilder &builder, unsigned output,
                         unsigned point);
  /// Computes the root's body at a point; `outputs` are the values of the
  /// outputs before it, and after it in lanes that are not inside.
  llvm::SmallVector<mlir::Value>
  compute(mlir::OpBuilder &builder, unsigned point, mlir::ValueRange outputs);
  /// Runs the epilogues on the root's results at a point and stores.
  void finish(mlir::OpBuilder &builder, unsigned point,
              mlir::ValueRange results);

private:
  llvm::SmallVector<mlir::Value> pointIndices(unsigned point) const;
  /// The lanes of a point that no guard of the border leaves out.
  llvm::BitVector lanesInside(unsigned point) const;
  mlir::Value loadClamped(mlir::OpBuilder &builder, unsigned operand,
                          unsigned point);
  mlir::Value load(mlir::OpBuilder &builder, unsigned operand, unsigned point);
  bool loadTransposed(mlir::OpBuilder &builder, unsigned operand,
                      unsigned vector);

  const Nest &nest;
  mlir::linalg::GenericOp root;
  llvm::SmallVector<mlir::Value> indices;
  Lanes lanes;
  unsigned width, vectors;
  int tileLoop;
  unsigned tile;
  llvm::ArrayRef<Guard> border;
  llvm::SmallVector<mlir::Value> laneIndices, tileIndices;
  /// What has been loaded: operand and the indices it depends on.
  std::map<std::pair<unsigned, std::vector<void *>>, mlir::Value> loaded;
};

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_NESTPOINT_H
