//===- NestLanes.h - Which loops run along the lanes ------------*- C++ -*-===//
//
//   y[p, c] = x[p, c] + b[c]         lane c; of 3 channels: lane p, run c
//   s[i] = sum over j of x[i, j]     lane j, a reduction
//
// Every operand votes for the loop that it runs along in memory; lanes that
// stay empty count against a loop.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_NESTLANES_H
#define CORNU_CODEGEN_STRATEGY_NESTLANES_H

#include "codegen/strategy/NestFacts.h"

namespace cornu::codegen {

/// Loops that may run along the lanes of vectors, and how well they do.
struct LaneChoice {
  int loop = -1;      ///< -1: scalars
  unsigned run = 0;   ///< the last parallel loops that each iteration takes
  unsigned width = 1; ///< lanes
  int64_t score = -1; ///< negative: not at all
};

/// True if loop `loop` may run along lanes.
bool canBeLane(const NestFacts &facts, unsigned loop);

/// The best use of loop `loop` for vectors of `full` lanes: alone, or with
/// rows that are so short that several fit.
LaneChoice bestLanes(const NestFacts &facts, unsigned loop, unsigned full);

/// The best use of any loop.
LaneChoice bestLanes(const NestFacts &facts, unsigned full);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_NESTLANES_H
