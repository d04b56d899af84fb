//===- Lanes.h - What runs along the lanes of vectors -----------*- C++ -*-===//
//
// The lanes of a vector are iterations of one loop. Where rows are short, each
// of them takes the loops of a row whole with it:
//
//   out[w, c] = max over k of x[2*w + k, c], c < 3, loops (w, c, k)
//
//   Lanes{w, {{c, 3}}}, 12 of them:   w 0 0 0 1 1 1 2 2 2 3 3 3
//                                     c 0 1 2 0 1 2 0 1 2 0 1 2
//   elements of out                     0 1 2 3 4 5 6 7 8 9 10 11  Contiguous
//   elements of x                       0 1 2 6 7 8 12 13 ... 20   Shuffled
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_LANES_H
#define CORNU_CODEGEN_SCHEDULE_LANES_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace cornu::codegen {

/// A loop that an iteration of the lanes' loop takes whole with it.
struct RunLoop {
  int loop;
  int64_t size;
};

/// The loops along the lanes of a vector: lane i is iteration i / runLength()
/// of `loop`, and i % runLength() counts through the loops of `run`, the last
/// one fastest. A `loop` of -1: all lanes are the same point.
struct Lanes {
  int loop = -1;
  llvm::SmallVector<RunLoop, 2> run;

  Lanes(int loop = -1) : loop(loop) {}
  Lanes(int loop, llvm::ArrayRef<RunLoop> run) : loop(loop), run(run) {}

  /// The lanes that one iteration of `loop` fills.
  int64_t runLength() const;
  /// The lanes of one iteration of `loop`.
  Lanes ofRun() const;
  /// Where loop `other` stands at lane `lane`, counted from lane 0.
  int64_t step(int other, int64_t lane) const;
  /// True if loop `other` differs between lanes.
  bool runAlong(int other) const;
};

/// The lanes along loop `loop` of `op`, whose loops have these sizes, where
/// each iteration takes the last `run` parallel loops whole.
Lanes lanesOf(mlir::linalg::GenericOp op, llvm::ArrayRef<int64_t> sizes,
              int loop, unsigned run);

/// How an operand's elements lie along the lanes of a vector.
enum class LaneAccess {
  Uniform,    ///< the same element for every lane
  Contiguous, ///< neighbouring elements
  Shuffled,   ///< elements of a few vectors
  Strided     ///< anything else: one access per lane
};

/// How operand `operand` of `op` is read along `width` lanes.
LaneAccess laneAccess(mlir::linalg::GenericOp op, unsigned operand,
                      const Lanes &lanes, unsigned width);

/// The vectors that a Shuffled operand is gathered from, by their first
/// elements, counted from the element of lane 0. All lie between elements that
/// lanes read, so that nothing outside the operand is touched.
struct ShuffledLoads {
  unsigned width;                    ///< elements of each vector
  llvm::SmallVector<int64_t> firsts; ///< ascending
};

/// The element of each lane, counted from that of lane 0; none where it is not
/// known.
std::optional<llvm::SmallVector<int64_t>>
laneOffsets(mlir::linalg::GenericOp op, unsigned operand, const Lanes &lanes,
            unsigned width);
/// The loads for lanes with these elements.
ShuffledLoads shuffledLoads(llvm::ArrayRef<int64_t> offsets);

/// True where neighbours in the last dimension are neighbours in memory.
bool isInnermostContiguous(mlir::MemRefType type);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_LANES_H
