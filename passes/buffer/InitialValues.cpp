//===- InitialValues.cpp - Loops that fill the state block ----------------===//

#include "passes/buffer/InitialValues.h"
#include "passes/buffer/Buffer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace cornu::buffer {

void InitialValues::addDialects(DialectRegistry &registry) {
  registry.insert<arith::ArithDialect, func::FuncDialect, math::MathDialect,
                  memref::MemRefDialect, scf::SCFDialect>();
}

InitialValues::InitialValues(ModuleOp module)
    : b(module.getLoc(), module.getContext()), module(module) {
  buildUniform();
  buildNormal();
  b.setInsertionPointToEnd(module.getBody());
  Type bytes = MemRefType::get({ShapedType::kDynamic}, b.getI8Type());
  initialize = func::FuncOp::create(
      b, "initialize", b.getFunctionType({bytes, b.getI64Type()}, {}));
  initialize.setArgAttr(0, kRoleAttr, b.getStringAttr("state"));
  b.setInsertionPointToStart(initialize.addEntryBlock());
  auto end = func::ReturnOp::create(b);
  b.setInsertionPoint(end);
}

Value InitialValues::index(int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

Value InitialValues::real(double value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
}

static Value word(ImplicitLocOpBuilder &b, uint32_t value) {
  return arith::ConstantOp::create(
      b, b.getI32IntegerAttr(static_cast<int32_t>(value)));
}

/// (%seed: i64, %index: i64, %stream: i32, %attempt: i32) -> two numbers in
/// [0, 1), on the grid of 2^-24: words 0 and 1 of Philox 4x32-10 (Salmon et
/// al., SC 2011) with the counter {index, index >> 32, stream, attempt}.
void InitialValues::buildUniform() {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(module.getBody());
  Type i32 = b.getI32Type(), i64 = b.getI64Type(), f32 = b.getF32Type();
  uniforms =
      func::FuncOp::create(b, "initialize_uniform",
                           b.getFunctionType({i64, i64, i32, i32}, {f32, f32}));
  uniforms.setPrivate();
  Block *body = uniforms.addEntryBlock();
  b.setInsertionPointToStart(body);
  Value shift = arith::ConstantOp::create(b, b.getI64IntegerAttr(32));
  auto low = [&](Value value) -> Value {
    return arith::TruncIOp::create(b, i32, value);
  };
  auto high = [&](Value value) -> Value {
    return low(arith::ShRUIOp::create(b, value, shift));
  };
  auto times = [&](Value value, uint32_t factor) -> Value {
    Value wide = arith::ExtUIOp::create(b, i64, value);
    Value constant = arith::ConstantOp::create(b, b.getI64IntegerAttr(factor));
    return arith::MulIOp::create(b, wide, constant);
  };
  auto mix = [&](Value a, Value c, Value d) -> Value {
    Value ac = arith::XOrIOp::create(b, a, c);
    return arith::XOrIOp::create(b, ac, d);
  };
  Value key[2] = {low(body->getArgument(0)), high(body->getArgument(0))};
  Value counter[4] = {low(body->getArgument(1)), high(body->getArgument(1)),
                      body->getArgument(2), body->getArgument(3)};
  for (int round = 0; round < 10; ++round) {
    Value first = times(counter[0], 0xD2511F53u);
    Value second = times(counter[2], 0xCD9E8D57u);
    Value next[4] = {mix(high(second), counter[1], key[0]), low(second),
                     mix(high(first), counter[3], key[1]), low(first)};
    std::copy(next, next + 4, counter);
    key[0] = arith::AddIOp::create(b, key[0], word(b, 0x9E3779B9u));
    key[1] = arith::AddIOp::create(b, key[1], word(b, 0xBB67AE85u));
  }
  SmallVector<Value> results;
  for (Value bits : {counter[0], counter[1]}) {
    Value top = arith::ShRUIOp::create(b, bits, word(b, 8));
    Value number = arith::SIToFPOp::create(b, f32, top);
    results.push_back(arith::MulFOp::create(b, number, real(0x1p-24)));
  }
  func::ReturnOp::create(b, results);
}

/// (%seed, %index, %stream, %limit: f32) -> a standard normal number within the
/// limit: Box and Muller's first, with a new attempt until it fits.
void InitialValues::buildNormal() {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(module.getBody());
  Type i32 = b.getI32Type(), i64 = b.getI64Type(), f32 = b.getF32Type();
  normals = func::FuncOp::create(
      b, "initialize_normal", b.getFunctionType({i64, i64, i32, f32}, {f32}));
  normals.setPrivate();
  Block *body = normals.addEntryBlock();
  b.setInsertionPointToStart(body);
  // Carries the attempt and the number that it gave.
  auto attempts = scf::WhileOp::create(
      b, TypeRange{i32, f32}, ValueRange{word(b, 0)},
      [&](OpBuilder &, Location, ValueRange arguments) {
        auto pair = func::CallOp::create(
            b, uniforms,
            ValueRange{body->getArgument(0), body->getArgument(1),
                       body->getArgument(2), arguments[0]});
        // 1 - u lies in (0, 1]: its logarithm is finite.
        Value u = arith::SubFOp::create(b, real(1), pair.getResult(0));
        Value square =
            arith::MulFOp::create(b, real(-2), math::LogOp::create(b, u));
        Value radius = math::SqrtOp::create(b, square);
        Value angle = arith::MulFOp::create(b, real(6.283185307179586),
                                            pair.getResult(1));
        Value z =
            arith::MulFOp::create(b, radius, math::CosOp::create(b, angle));
        Value size = math::AbsFOp::create(b, z);
        Value outside = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT,
                                              size, body->getArgument(3));
        scf::ConditionOp::create(b, outside, ValueRange{arguments[0], z});
      },
      [&](OpBuilder &, Location, ValueRange arguments) {
        Value next = arith::AddIOp::create(b, arguments[0], word(b, 1));
        scf::YieldOp::create(b, ValueRange{next});
      });
  func::ReturnOp::create(b, ValueRange{attempts.getResult(1)});
}

Value InitialValues::elements(const InitialVariable &variable) {
  auto type = MemRefType::get({variable.type.getNumElements()},
                              variable.type.getElementType());
  return memref::ViewOp::create(b, type, initialize.getArgument(0),
                                index(variable.offset), ValueRange{});
}

Value InitialValues::converted(Value value, Type element) {
  if (isa<FloatType>(element)) {
    if (element.getIntOrFloatBitWidth() > 32)
      return arith::ExtFOp::create(b, element, value);
    if (element.getIntOrFloatBitWidth() < 32)
      return arith::TruncFOp::create(b, element, value);
    return value;
  }
  return arith::FPToSIOp::create(b, element, value);
}

void InitialValues::loop(Value begin, Value end, Body body) {
  auto loop = scf::ForOp::create(b, begin, end, index(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  body(loop.getInductionVar());
}

Value InitialValues::draw(func::FuncOp function, Value i,
                          const InitialVariable &variable, Value last) {
  Value number = arith::IndexCastOp::create(b, b.getI64Type(), i);
  Value stream = word(b, static_cast<uint32_t>(variable.stream));
  return func::CallOp::create(
             b, function,
             ValueRange{initialize.getArgument(1), number, stream, last})
      .getResult(0);
}

void InitialValues::seed(const InitialVariable &variable) {
  Value target = elements(variable);
  Value seed = initialize.getArgument(1);
  Value shift = arith::ConstantOp::create(b, b.getI64IntegerAttr(32));
  Value halves[2] = {
      arith::TruncIOp::create(b, b.getI32Type(), seed),
      arith::TruncIOp::create(b, b.getI32Type(),
                              arith::ShRUIOp::create(b, seed, shift))};
  for (int64_t i = 0; i < 2; ++i)
    memref::StoreOp::create(b, halves[i], target, index(i));
}

void InitialValues::constant(const InitialVariable &variable, double value,
                             int64_t begin, int64_t end) {
  Value target = elements(variable);
  if (end < 0)
    end = variable.type.getNumElements();
  Value number = converted(real(value), variable.type.getElementType());
  loop(index(begin), index(end),
       [&](Value i) { memref::StoreOp::create(b, number, target, i); });
}

void InitialValues::uniform(const InitialVariable &variable, double low,
                            double high) {
  Value target = elements(variable);
  loop(index(0), index(variable.type.getNumElements()), [&](Value i) {
    Value u = draw(uniforms, i, variable, word(b, 0));
    Value scaled = arith::MulFOp::create(b, u, real(high - low));
    Value x = arith::AddFOp::create(b, scaled, real(low));
    memref::StoreOp::create(b, converted(x, variable.type.getElementType()),
                            target, i);
  });
}

void InitialValues::normal(const InitialVariable &variable, double mean,
                           double deviation, bool truncated) {
  Value target = elements(variable);
  Value limit = real(truncated ? 2 : 1e30);
  loop(index(0), index(variable.type.getNumElements()), [&](Value i) {
    Value z = draw(normals, i, variable, limit);
    Value scaled = arith::MulFOp::create(b, z, real(deviation));
    Value x = arith::AddFOp::create(b, scaled, real(mean));
    memref::StoreOp::create(b, converted(x, variable.type.getElementType()),
                            target, i);
  });
}

void InitialValues::identity(const InitialVariable &variable, double gain) {
  if (variable.type.getRank() != 2)
    return;
  Value target = elements(variable);
  int64_t rows = variable.type.getDimSize(0),
          columns = variable.type.getDimSize(1);
  Value number = converted(real(gain), variable.type.getElementType());
  Value step = index(columns + 1);
  loop(index(0), index(std::min(rows, columns)), [&](Value i) {
    memref::StoreOp::create(b, number, target,
                            arith::MulIOp::create(b, i, step).getResult());
  });
}

// Modified Gram-Schmidt, each projection twice: "twice is enough" for
// orthogonality to rounding (Giraud, Langou and Rozloznik, 2005).
void InitialValues::orthogonal(const InitialVariable &variable, double gain) {
  normal(variable, 0, 1, /*truncated=*/false);
  Value target = elements(variable);
  Type element = variable.type.getElementType();
  int64_t all = variable.type.getNumElements();
  int64_t columns =
      variable.type.getRank() ? variable.type.getShape().back() : 1;
  int64_t rows = all / columns;
  // Vector j is column j of a high matrix and row j of a wide one.
  bool high = rows >= columns;
  int64_t count = high ? columns : rows, length = high ? rows : columns;
  Value vectorStride = index(high ? 1 : columns);
  Value stride = index(high ? columns : 1);
  Value zero = index(0), size = index(length);
  auto place = [&](Value vector, Value k) -> Value {
    Value start = arith::MulIOp::create(b, vector, vectorStride);
    Value step = arith::MulIOp::create(b, k, stride);
    return arith::AddIOp::create(b, start, step);
  };
  auto load = [&](Value vector, Value k) -> Value {
    return memref::LoadOp::create(b, target, place(vector, k));
  };
  auto dot = [&](Value one, Value other) -> Value {
    Value start = converted(real(0), element);
    auto sum = scf::ForOp::create(b, zero, size, index(1), ValueRange{start});
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(sum.getBody());
    Value k = sum.getInductionVar();
    Value part = arith::MulFOp::create(b, load(one, k), load(other, k));
    Value next = arith::AddFOp::create(b, sum.getRegionIterArg(0), part);
    scf::YieldOp::create(b, ValueRange{next});
    return sum.getResult(0);
  };
  auto update = [&](Value vector, llvm::function_ref<Value(Value, Value)> f) {
    loop(zero, size, [&](Value k) {
      memref::StoreOp::create(b, f(load(vector, k), k), target,
                              place(vector, k));
    });
  };
  loop(zero, index(count), [&](Value j) {
    for (int pass = 0; pass < 2; ++pass)
      loop(zero, j, [&](Value i) {
        Value share = dot(i, j);
        update(j, [&](Value x, Value k) -> Value {
          Value part = arith::MulFOp::create(b, share, load(i, k));
          return arith::SubFOp::create(b, x, part);
        });
      });
    Value norm = math::SqrtOp::create(b, dot(j, j));
    Value one = converted(real(1), element);
    Value scale = arith::DivFOp::create(b, one, norm);
    update(j, [&](Value x, Value) -> Value {
      return arith::MulFOp::create(b, x, scale);
    });
  });
  if (gain == 1)
    return;
  Value factor = converted(real(gain), element);
  loop(zero, index(all), [&](Value i) {
    Value x = memref::LoadOp::create(b, target, i);
    Value product = arith::MulFOp::create(b, x, factor);
    memref::StoreOp::create(b, product, target, i);
  });
}

} // namespace cornu::buffer
