//===- GenericBuilder.cpp - Generics from the bodies of others ------------===//
//
// %0 = linalg.index 1   ->   %0 = arith.addi %i, %j   where loop 1 is d0 + d1
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/GenericBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace cornu::codegen {

Value expandInBody(OpBuilder &builder, Location loc, AffineExpr expr) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return arith::ConstantIndexOp::create(builder, loc, constant.getValue());
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return linalg::IndexOp::create(builder, loc, dim.getPosition());
  auto binary = cast<AffineBinaryOpExpr>(expr);
  Value lhs = expandInBody(builder, loc, binary.getLHS());
  Value rhs = expandInBody(builder, loc, binary.getRHS());
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return arith::AddIOp::create(builder, loc, lhs, rhs);
  case AffineExprKind::Mul:
    return arith::MulIOp::create(builder, loc, lhs, rhs);
  case AffineExprKind::FloorDiv:
    return arith::FloorDivSIOp::create(builder, loc, lhs, rhs);
  case AffineExprKind::CeilDiv:
    return arith::CeilDivSIOp::create(builder, loc, lhs, rhs);
  default:
    return arith::RemUIOp::create(builder, loc, lhs, rhs);
  }
}

SmallVector<AffineExpr> ownLoops(OpBuilder &builder, unsigned numLoops) {
  SmallVector<AffineExpr> loops;
  for (unsigned i = 0; i < numLoops; ++i)
    loops.push_back(builder.getAffineDimExpr(i));
  return loops;
}

SmallVector<Value> cloneBody(OpBuilder &builder, linalg::GenericOp op,
                             IRMapping &map, ArrayRef<AffineExpr> loops) {
  for (Operation &operation : op.getBody()->without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(operation)) {
      map.map(index.getResult(),
              expandInBody(builder, index.getLoc(), loops[index.getDim()]));
      continue;
    }
    builder.clone(operation, map);
  }
  SmallVector<Value> results;
  for (Value value : op.getBody()->getTerminator()->getOperands())
    results.push_back(map.lookupOrDefault(value));
  return results;
}

unsigned GenericBuilder::addInput(Value value, AffineMap map) {
  for (auto [i, input] : llvm::enumerate(inputs))
    if (input == value && maps[i] == map)
      return i;
  inputs.push_back(value);
  maps.push_back(map);
  return inputs.size() - 1;
}

void GenericBuilder::addOutput(Value value, AffineMap map) {
  outputs.push_back(value);
  outputMaps.push_back(map);
}

SmallVector<AffineMap> GenericBuilder::allMaps() const {
  SmallVector<AffineMap> all(maps);
  llvm::append_range(all, outputMaps);
  return all;
}

bool GenericBuilder::loopsAreKnown(MLIRContext *context) const {
  AffineMap joined = concatAffineMaps(allMaps(), context);
  return joined && inversePermutation(joined);
}

linalg::GenericOp
GenericBuilder::create(OpBuilder &builder, Location loc,
                       ArrayRef<utils::IteratorType> iterators,
                       Body body) const {
  return linalg::GenericOp::create(
      builder, loc, inputs, outputs, allMaps(), iterators,
      [&](OpBuilder &inner, Location loc, ValueRange args) {
        SmallVector<Value> results = body(inner, args.take_front(inputs.size()),
                                          args.drop_front(inputs.size()));
        linalg::YieldOp::create(inner, loc, results);
      });
}

} // namespace cornu::codegen
