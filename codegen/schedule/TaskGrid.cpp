//===- TaskGrid.cpp - A range as a grid of tasks --------------------------===//
//
// 100 rows, 30 a task at least -> 4 tasks of 25
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/TaskGrid.h"

#include "codegen/IR/Codegen.h"
#include "codegen/schedule/Elementwise.h"

using namespace mlir;

namespace cornu::codegen {

Value stepsPerTask(IndexMath &index, const GridShape &shape) {
  Value steps =
      index.max(index.constant(1),
                index.ceilDiv(index.constant(shape.grain),
                              index.max(shape.points, index.constant(1))));
  if (shape.maxTasks)
    steps = index.max(
        steps, index.ceilDiv(shape.total, index.constant(*shape.maxTasks)));
  if (shape.multiple > 1)
    steps = index.mul(index.ceilDiv(steps, index.constant(shape.multiple)),
                      index.constant(shape.multiple));
  // An even cut of a static total has no shorter last task.
  auto total = constantOf(shape.total);
  auto fixed = constantOf(steps);
  if (total && fixed && *total > 0) {
    int64_t tasks = (*total + *fixed - 1) / *fixed;
    int64_t even = (*total + tasks - 1) / tasks;
    even = (even + shape.multiple - 1) / shape.multiple * shape.multiple;
    return index.constant(even);
  }
  return steps;
}

Value emitGrid(OpBuilder &builder, Location loc, const GridShape &shape,
               TaskBody body) {
  IndexMath index{builder, loc};
  Value steps = stepsPerTask(index, shape);
  Value count = index.ceilDiv(shape.total, steps);
  if (constantOf(count) == 1) {
    Value zero = index.constant(0);
    body(builder, zero, zero, shape.total);
    return count;
  }
  Value work = index.mul(shape.total, shape.points);
  Value large;
  if (auto fixed = constantOf(work)) {
    if (*fixed < shape.serial)
      large = arith::ConstantIntOp::create(builder, loc, 0, 1);
  } else {
    large = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::uge, work,
                                  index.constant(shape.serial));
  }
  auto grid = ParallelOp::create(builder, loc, count, large, nullptr);
  OpBuilder inner = OpBuilder::atBlockEnd(grid.getBodyBlock());
  IndexMath inside{inner, loc};
  Value first = inside.mul(grid.getTask(), steps);
  auto total = constantOf(shape.total);
  auto fixed = constantOf(steps);
  Value last;
  if (total && fixed && *total % *fixed == 0)
    last = addConstant(inner, loc, first, *fixed);
  else
    last = arith::MinUIOp::create(
        inner, loc, arith::AddIOp::create(inner, loc, first, steps),
        shape.total);
  body(inner, grid.getTask(), first, last);
  return count;
}

} // namespace cornu::codegen
