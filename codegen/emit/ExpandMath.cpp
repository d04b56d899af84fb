//===- ExpandMath.cpp - Functions of the math dialect to polynomials ------===//
//
//   %y = math.exp %x : vector<8xf32>     →   a range reduction, a polynomial of
//                                            degree 6 and two scalings
//
// The same code serves scalars and vectors of any width, f32 and f64, and has
// no branch and no call. Results are within 2 units in the last place (f32),
// right for zeros of both signs, infinities, NaN and denormals; proved over
// all f32 exponents by test/unit/codegen/MathTest.cpp. A multiply-add is
// written as `addf contract (mulf contract)`, so that it is one instruction
// where the target has it, and two where it has not.
//
// What a network seldom needs (powf, sin, cos, log2, ...) is computed in f64
// for f32.
//
//===----------------------------------------------------------------------===//

#include "codegen/emit/MathBuilder.h"
#include "codegen/emit/MathPolynomials.h"
#include "codegen/emit/Passes.h"
#include "codegen/target/Target.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include <cmath>
#include <limits>

using namespace mlir;

namespace cornu::codegen {

namespace {

using Cmp = arith::CmpFPredicate;
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Constants of a format for the range reductions below.
struct Format {
  double roundToInteger; ///< 1.5 * 2^mantissa: adding it rounds to an integer
  double ln2High;        ///< ln 2 with trailing zeros: exact times an exponent
  double ln2Low;
  double expLow, expHigh; ///< beyond, exp is 0 or infinite
  double expm1Low;        ///< below, expm1 is -1
  double smallestNormal;
  double denormalScale; ///< makes a denormal normal
  int denormalExponent;
  int mantissa, bias;
  int64_t twoThirds; ///< bits of 2/3
  llvm::ArrayRef<double> exp, expm1, log, tanh;
};

namespace p = polynomials;
const Format format32 = {0x1.8p23,  0x1.62e4p-1, 0x1.7f7d1cf79abcap-20,
                         -104.0,    89.0,        -20.0,
                         0x1p-126,  0x1p23,      -23,
                         23,        127,         0x3f2aaaab,
                         p::expF32, p::expm1F32, p::logF32,
                         p::tanhF32};
const Format format64 = {0x1.8p52,
                         0x1.62e42fefa2p-1,
                         0x1.9ef35793c7673p-41,
                         -746.0,
                         710.0,
                         -40.0,
                         0x1p-1022,
                         0x1p52,
                         -52,
                         52,
                         1023,
                         0x3fe5555555555555,
                         p::expF64,
                         p::expm1F64,
                         p::logF64,
                         p::tanhF64};

const Format &formatOf(const MathBuilder &m) {
  return m.isF64() ? format64 : format32;
}

/// 2^n for an integer n whose power is a normal number.
Value powerOfTwo(MathBuilder &m, Value n) {
  const Format &f = formatOf(m);
  return m.toFloatBits(m.shiftLeft(m.addInt(n, m.integer(f.bias)), f.mantissa));
}

/// x = n ln2 + r: `rounded` is n + roundToInteger; returns r and n as integer.
std::pair<Value, Value> reduceByLn2(MathBuilder &m, Value x, Value rounded) {
  const Format &f = formatOf(m);
  Value n = m.sub(rounded, m.constant(f.roundToInteger));
  Value r = m.subMul(x, n, m.constant(f.ln2High));
  r = m.subMul(r, n, m.constant(f.ln2Low));
  Value integer = m.subInt(m.toIntegerBits(rounded),
                           m.toIntegerBits(m.constant(f.roundToInteger)));
  return {r, integer};
}

/// 2^n exp(r) for |r| <= ln(2)/2. If `bounded`, that is a normal number.
Value buildScaledExp(MathBuilder &m, Value r, Value n, bool bounded = false) {
  // exp(r) = 1 + (r + r^2 q(r))
  Value q = m.polynomial(formatOf(m).exp, r);
  Value result = m.add(m.constant(1), m.mulAdd(m.mul(q, r), r, r));
  if (bounded)
    return m.mul(result, powerOfTwo(m, n));
  // In two steps, since 2^n itself may be infinite or zero.
  Value half = m.shiftRight(n, 1);
  result = m.mul(result, powerOfTwo(m, half));
  return m.mul(result, powerOfTwo(m, m.subInt(n, half)));
}

/// exp(x). If `bounded`, the result is known to be a normal number.
Value buildExp(MathBuilder &m, Value x, bool bounded = false) {
  const Format &f = formatOf(m);
  if (!bounded)
    x = m.clamp(x, f.expLow, f.expHigh);
  Value rounded =
      m.mulAdd(x, m.constant(1 / std::log(2.0)), m.constant(f.roundToInteger));
  auto [r, n] = reduceByLn2(m, x, rounded);
  return buildScaledExp(m, r, n, bounded);
}

/// exp(x) - 1 = 2^n (exp(r) - 1) + (2^n - 1). With n rounded towards zero both
/// terms have one sign and nothing cancels.
Value buildExpm1(MathBuilder &m, Value x0) {
  const Format &f = formatOf(m);
  Value x = m.clamp(x0, f.expm1Low, f.expHigh);
  Value scaled = m.mul(x, m.constant(1 / std::log(2.0)));
  scaled = m.sub(scaled, m.copySign(m.constant(0.5), x));
  // No n beyond the largest exponent: 2^n stays finite, r grows to ln 2.
  scaled = m.minimum(scaled, f.bias);
  Value rounded = m.add(scaled, m.constant(f.roundToInteger));
  auto [r, n] = reduceByLn2(m, x, rounded);
  Value q = m.polynomial(f.expm1, r);
  Value exponential = m.mulAdd(m.mul(q, r), r, r);
  Value scale = powerOfTwo(m, n);
  Value result = m.mulAdd(scale, exponential, m.sub(scale, m.constant(1)));
  return m.copySign(result, x0);
}

/// log(x) = exponent ln2High + t + tail where it is finite; the product is
/// exact, and larger than t or 0.
struct LogParts {
  Value exponent, t, tail;
};

LogParts buildLogParts(MathBuilder &m, Value x) {
  const Format &f = formatOf(m);
  Value tiny = m.compare(Cmp::OLT, x, m.constant(f.smallestNormal));
  Value normal = m.select(tiny, m.mul(x, m.constant(f.denormalScale)), x);
  // x = 2^e (1 + t) with 1 + t in [2/3, 4/3)
  Value bits = m.toIntegerBits(normal);
  Value shifted = m.subInt(bits, m.integer(f.twoThirds));
  Value e = m.shiftRight(shifted, f.mantissa);
  Value t = m.sub(m.toFloatBits(m.subInt(bits, m.shiftLeft(e, f.mantissa))),
                  m.constant(1));
  e = m.addInt(e, m.select(tiny, m.integer(f.denormalExponent), m.integer(0)));
  Value exponent = m.integerToFloat(e);
  // log(1 + t) = t - t^2/2 + t^3 p(t)
  Value square = m.mul(t, t);
  Value tail = m.mul(m.mul(square, t), m.polynomial(f.log, t));
  tail = m.mulAdd(exponent, m.constant(f.ln2Low), tail);
  return {exponent, t, m.subMul(tail, m.constant(0.5), square)};
}

/// `result` where a logarithm is finite, else its limits.
Value limitsOfLog(MathBuilder &m, Value x, Value result) {
  // Infinity and NaN give themselves.
  result = m.select(m.compare(Cmp::OLT, x, m.constant(infinity)), result, x);
  result =
      m.select(m.compare(Cmp::OLT, x, m.constant(0)), m.constant(nan), result);
  return m.select(m.compare(Cmp::OEQ, x, m.constant(0)), m.constant(-infinity),
                  result);
}

Value buildLog(MathBuilder &m, Value x) {
  auto [exponent, t, tail] = buildLogParts(m, x);
  Value result =
      m.mulAdd(exponent, m.constant(formatOf(m).ln2High), m.add(t, tail));
  return limitsOfLog(m, x, result);
}

/// log(x) times a number, both in two parts: nothing is rounded at the size of
/// the result but the result.
Value buildScaledLog(MathBuilder &m, Value x, double factor, double rest) {
  auto [exponent, t, tail] = buildLogParts(m, x);
  Value whole = m.mul(exponent, m.constant(formatOf(m).ln2High));
  Value large = m.add(whole, t);
  Value small = m.add(tail, m.sub(t, m.sub(large, whole)));
  Value low =
      m.mulAdd(large, m.constant(rest), m.mul(small, m.constant(factor)));
  return limitsOfLog(m, x, m.mulAdd(large, m.constant(factor), low));
}

/// log(1 + x) = log(u) + (x - (u - 1)) / u, where u is 1 + x rounded.
Value buildLog1p(MathBuilder &m, Value x) {
  Value u = m.add(x, m.constant(1));
  Value lost = m.sub(x, m.sub(u, m.constant(1)));
  Value result = m.add(buildLog(m, u), m.div(lost, u));
  result = m.select(m.compare(Cmp::OLT, x, m.constant(infinity)), result, x);
  result = m.select(m.compare(Cmp::OEQ, x, m.constant(-1)),
                    m.constant(-infinity), result);
  return m.copySign(result, x);
}

/// tanh(x) = x + x^3 p(x^2) near 0, else 1 - 2 / (exp(2|x|) + 1).
Value buildTanh(MathBuilder &m, Value x) {
  Value magnitude = m.abs(x);
  Value square = m.mul(x, x);
  Value small = m.mulAdd(m.mul(m.polynomial(formatOf(m).tanh, square), square),
                         magnitude, magnitude);
  Value bounded = m.minimum(magnitude, 20);
  Value e = buildExp(m, m.add(bounded, bounded), /*bounded=*/true);
  Value large =
      m.sub(m.constant(1), m.div(m.constant(2), m.add(e, m.constant(1))));
  Value result =
      m.select(m.compare(Cmp::OLT, magnitude, m.constant(0.625)), small, large);
  return m.copySign(result, x);
}

/// erf(x) = x + x p(x^2) near 0, else 1 - exp(-x - x q(x)).
Value buildErf(MathBuilder &m, Value x) {
  bool wide = m.isF64();
  llvm::ArrayRef<double> nearZero = p::erfSmallF32, tail = p::erfLargeF32;
  if (wide) {
    nearZero = p::erfSmallF64;
    tail = p::erfLargeF64;
  }
  Value magnitude = m.abs(x);
  Value small =
      m.mulAdd(m.polynomial(nearZero, m.mul(x, x)), magnitude, magnitude);
  Value t = m.minimum(magnitude, wide ? 6 : 4);
  Value exponent = m.negate(m.mulAdd(m.polynomial(tail, t), t, t));
  Value large = m.sub(m.constant(1), buildExp(m, exponent, /*bounded=*/true));
  Value result =
      m.select(m.compare(Cmp::OLT, magnitude, m.constant(wide ? 1 : 0.925)),
               small, large);
  return m.copySign(result, x);
}

/// pow(x, y) = exp(y log|x|) with C's special cases; in f64.
Value buildPow(MathBuilder &m, Value x, Value y) {
  Value magnitude = m.abs(x);
  Value result = buildExp(m, m.mul(y, buildLog(m, magnitude)));
  // A negative base: an odd integer exponent gives a negative result, another
  // integer a positive one, and all else NaN.
  Value zero = m.constant(0), one = m.constant(1);
  Value integer = m.compare(Cmp::OEQ, m.roundEven(y), y);
  Value half = m.mul(y, m.constant(0.5));
  Value odd = m.andBits(integer, m.compare(Cmp::UNE, m.roundEven(half), half));
  Value signedResult = m.select(odd, m.copySign(result, x), result);
  Value negative = m.andBits(m.compare(Cmp::OLT, x, zero),
                             m.compare(Cmp::OGT, x, m.constant(-infinity)));
  Value valid = m.select(integer, signedResult, m.constant(nan));
  result = m.select(negative, valid, signedResult);
  // (±1)^±inf is 1; x^0 and 1^y are 1 even for NaN.
  Value unit = m.andBits(m.compare(Cmp::OEQ, magnitude, one),
                         m.compare(Cmp::OEQ, m.abs(y), m.constant(infinity)));
  result = m.select(unit, one, result);
  result = m.select(m.compare(Cmp::OEQ, y, zero), one, result);
  return m.select(m.compare(Cmp::OEQ, x, one), one, result);
}

/// sin and cos of r in [-pi/4, pi/4] and a little beyond (fdlibm's k_sin and
/// k_cos), chosen and signed by the quadrant.
Value buildQuadrant(MathBuilder &m, Value r, Value quadrant) {
  static const double sinTail[] = {
      -1.66666666666666324348e-01, 8.33333333332248946124e-03,
      -1.98412698298579493134e-04, 2.75573137070700676789e-06,
      -2.50507602534068634195e-08, 1.58969099521155010221e-10};
  static const double cosTail[] = {
      4.16666666666666019037e-02, -1.38888888888741095749e-03,
      2.48015872894767294178e-05, -2.75573143513906633035e-07,
      2.08757232129817482790e-09, -1.13596475577881948265e-11};
  Value z = m.mul(r, r);
  Value sine = m.mulAdd(m.mul(m.polynomial(sinTail, z), z), r, r);
  Value cosine = m.mulAdd(m.mul(z, z), m.polynomial(cosTail, z),
                          m.subMul(m.constant(1), m.constant(0.5), z));
  Value odd = m.compareInt(m.andInt(quadrant, m.integer(1)), m.integer(0));
  Value result = m.select(odd, sine, cosine);
  Value sign = m.shiftLeft(m.andInt(quadrant, m.integer(2)), 62);
  return m.toFloatBits(m.xorInt(m.toIntegerBits(result), sign));
}

/// sin (shift 0) or cos (shift 1) in f64, |x| < 2^30: x - n pi/2 with pi/2 in
/// three parts (fdlibm).
Value buildSinCosF64(MathBuilder &m, Value x, int64_t shift) {
  Value rounding = m.constant(format64.roundToInteger);
  Value rounded = m.mulAdd(x, m.constant(2 / M_PI), rounding);
  Value n = m.sub(rounded, rounding);
  Value r = m.subMul(x, n, m.constant(1.57079632673412561417e+00));
  r = m.subMul(r, n, m.constant(6.07710050630396597660e-11));
  r = m.subMul(r, n, m.constant(2.02226624879595063154e-21));
  Value quadrant = m.addInt(m.toIntegerBits(rounded), m.integer(shift));
  return buildQuadrant(m, r, quadrant);
}

/// sin or cos for any f32: the part of x * 2/pi below 4, with 2/pi reduced
/// beforehand for each power of two (see trigonometryTable).
Value buildSinCosF32(MathBuilder &m, Value x, int64_t shift, Value table) {
  // x = mantissa * 2^k, k = 0 for all |x| < 2^24
  Value bits = m.andInt(m.toIntegerBits(x), m.integer(0x7fffffff));
  Value k = m.subInt(m.shiftRightUnsigned(bits, 23), m.integer(150));
  k = m.maxInt(k, m.integer(0));
  Value high = m.gather(table, k, 0);
  Value low = m.gather(table, k, 106);
  MathBuilder wide = m.withWidth(64);
  Value scale = wide.toFloatBits(
      wide.shiftLeft(wide.subInt(wide.integer(1023), wide.extendInt(k)), 52));
  Value mantissa = wide.mul(wide.extend(x), scale);
  Value turns = wide.mul(mantissa, high); // exact: 24 and 29 bits
  Value rounding = wide.constant(format64.roundToInteger);
  Value rounded = wide.add(turns, rounding);
  Value fraction = wide.sub(turns, wide.sub(rounded, rounding));
  fraction = wide.mulAdd(mantissa, low, fraction);
  Value r = wide.mul(fraction, wide.constant(M_PI / 2));
  Value quadrant =
      wide.addInt(wide.toIntegerBits(rounded), wide.integer(shift));
  return wide.truncate(buildQuadrant(wide, r, quadrant));
}

/// 2^x = 2^n exp((x - n) ln2), in f64.
Value buildExp2(MathBuilder &m, Value x) {
  Value rounding = m.constant(format64.roundToInteger);
  x = m.clamp(x, -1076, 1025);
  Value rounded = m.add(x, rounding);
  Value r =
      m.mul(m.sub(x, m.sub(rounded, rounding)), m.constant(std::log(2.0)));
  Value n = m.subInt(m.toIntegerBits(rounded), m.toIntegerBits(rounding));
  return buildScaledExp(m, r, n);
}

Value buildLog2(MathBuilder &m, Value x) {
  return buildScaledLog(m, x, 0x1.71547652b82fep+0, 0x1.777d0ffda0d24p-56);
}

Value buildLog10(MathBuilder &m, Value x) {
  return buildScaledLog(m, x, 0x1.bcb7b1526e50ep-2, 0x1.95355baaafad3p-57);
}

Value buildErfc(MathBuilder &m, Value x) {
  return m.sub(m.constant(1), buildErf(m, x));
}

/// x + x^3/3! + x^5/5! + ... near 0, else (e - 1/e) / 2 with e = exp(|x|).
Value buildSinh(MathBuilder &m, Value x) {
  static const double tail[] = {1.0 / 6,
                                1.0 / 120,
                                1.0 / 5040,
                                1.0 / 362880,
                                1.0 / 39916800,
                                1.0 / 6227020800,
                                1.0 / 1307674368000,
                                1.0 / 355687428096000};
  Value magnitude = m.abs(x), square = m.mul(x, x);
  Value small =
      m.mulAdd(m.mul(m.polynomial(tail, square), square), magnitude, magnitude);
  Value e = buildExp(m, magnitude);
  Value large = m.mul(m.sub(e, m.div(m.constant(1), e)), m.constant(0.5));
  Value result =
      m.select(m.compare(Cmp::OLT, magnitude, m.constant(1)), small, large);
  return m.copySign(result, x);
}

Value buildCosh(MathBuilder &m, Value x) {
  Value e = buildExp(m, m.abs(x));
  return m.mul(m.add(e, m.div(m.constant(1), e)), m.constant(0.5));
}

//===----------------------------------------------------------------------===//
// The table of functions
//===----------------------------------------------------------------------===//

using UnaryBuilder = Value (*)(MathBuilder &, Value);

/// Builds `function` in f64 whatever the type of x is.
template <UnaryBuilder function> Value inF64(MathBuilder &m, Value x) {
  if (m.isF64())
    return function(m, x);
  MathBuilder wide = m.withWidth(64);
  return wide.truncate(function(wide, wide.extend(x)));
}

struct UnaryFunction {
  llvm::StringLiteral op;
  UnaryBuilder build;
};

const UnaryFunction unaryFunctions[] = {
    {"math.exp", [](MathBuilder &m, Value x) { return buildExp(m, x); }},
    {"math.expm1", buildExpm1},
    {"math.log", buildLog},
    {"math.log1p", buildLog1p},
    {"math.tanh", buildTanh},
    {"math.erf", buildErf},
    {"math.rsqrt",
     [](MathBuilder &m, Value x) {
       return m.div(m.constant(1), m.squareRoot(x));
     }},
    {"math.exp2", inF64<buildExp2>},
    {"math.log2", inF64<buildLog2>},
    {"math.log10", inF64<buildLog10>},
    {"math.erfc", inF64<buildErfc>},
    {"math.sinh", inF64<buildSinh>},
    {"math.cosh", inF64<buildCosh>},
};

struct ExpandUnary : RewritePattern {
  ExpandUnary(MLIRContext *context, const UnaryFunction &function)
      : RewritePattern(function.op, 1, context), function(function) {}
  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    Value x = op->getOperand(0);
    if (!MathBuilder::isSupported(x.getType()))
      return failure();
    MathBuilder m(rewriter, op->getLoc(), x.getType());
    rewriter.replaceOp(op, function.build(m, x));
    return success();
  }
  const UnaryFunction &function;
};

struct ExpandPow : OpRewritePattern<math::PowFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::PowFOp op,
                                PatternRewriter &rewriter) const override {
    if (!MathBuilder::isSupported(op.getType()))
      return failure();
    MathBuilder m(rewriter, op.getLoc(), op.getType());
    MathBuilder wide = m.withWidth(64);
    Value result =
        buildPow(wide, wide.extend(op.getLhs()), wide.extend(op.getRhs()));
    rewriter.replaceOp(op, m.isF64() ? result : wide.truncate(result));
    return success();
  }
};

/// x^n for integers n: by f64's pow, exact enough for the n that occur.
struct ExpandFPowI : OpRewritePattern<math::FPowIOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::FPowIOp op,
                                PatternRewriter &rewriter) const override {
    if (!MathBuilder::isSupported(op.getType()))
      return failure();
    Value y = arith::SIToFPOp::create(rewriter, op.getLoc(), op.getType(),
                                      op.getRhs());
    rewriter.replaceOpWithNewOp<math::PowFOp>(op, op.getLhs(), y);
    return success();
  }
};

/// A fused multiply-add where the target has it.
struct ExpandFma : OpRewritePattern<math::FmaOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::FmaOp op,
                                PatternRewriter &rewriter) const override {
    if (!MathBuilder::isSupported(op.getType()))
      return failure();
    MathBuilder m(rewriter, op.getLoc(), op.getType());
    rewriter.replaceOp(op, m.mulAdd(op.getA(), op.getB(), op.getC()));
    return success();
  }
};

/// For k = 0..104: 2^k * 2/pi modulo 4, in two parts of 29 and 53 bits, and
/// NaN for the exponent of infinity and NaN. First all high parts, then all
/// low parts.
SmallVector<double> trigonometryTable();

constexpr llvm::StringLiteral tableName = "cornu_two_over_pi";

struct ExpandSinCos : RewritePattern {
  ExpandSinCos(MLIRContext *context, llvm::StringRef name, int64_t shift)
      : RewritePattern(name, 1, context), shift(shift) {}
  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    Value x = op->getOperand(0);
    if (!MathBuilder::isSupported(x.getType()))
      return failure();
    MathBuilder m(rewriter, op->getLoc(), x.getType());
    Value result =
        m.isF64() ? buildSinCosF64(m, x, shift)
                  : buildSinCosF32(m, x, shift,
                                   getTable(op->getParentOfType<ModuleOp>(),
                                            rewriter, op->getLoc()));
    if (shift == 0) // sin(-0) is -0
      result = m.select(m.compare(Cmp::OEQ, x, m.constant(0)), x, result);
    rewriter.replaceOp(op, result);
    return success();
  }

  static Value getTable(ModuleOp module, OpBuilder &b, Location loc) {
    auto type = MemRefType::get({212}, b.getF64Type());
    if (!module.lookupSymbol(tableName)) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(module.getBody());
      memref::GlobalOp::create(
          b, module.getLoc(), tableName, b.getStringAttr("private"), type,
          DenseElementsAttr::get(RankedTensorType::get({212}, b.getF64Type()),
                                 llvm::ArrayRef(trigonometryTable())),
          /*constant=*/true, /*alignment=*/b.getI64IntegerAttr(64));
    }
    return memref::GetGlobalOp::create(b, loc, type, tableName);
  }

  int64_t shift;
};

SmallVector<double> trigonometryTable() {
  // 2/pi in binary: 32-bit words of its fraction, as in fdlibm's two_over_pi.
  static const uint32_t words[] = {0xa2f9836e, 0x4e441529, 0xfc2757d1,
                                   0xf534ddc0, 0xdb629599, 0x3c439041,
                                   0xfe5163ab};
  auto bit = [&](int i) -> int { // the bit of weight 2^-i, i >= 1
    return i < 1 ? 0 : (words[(i - 1) / 32] >> (31 - (i - 1) % 32)) & 1;
  };
  SmallVector<double> table(212);
  for (int k = 0; k < 105; ++k) {
    // Weights of 2^k * 2/pi modulo 4: 2, 1, 1/2, ...
    double high = 0, low = 0;
    for (int j = 0; j < 29; ++j)
      high += bit(k - 1 + j) * std::ldexp(1.0, 1 - j);
    for (int j = 29; j < 82; ++j)
      low += bit(k - 1 + j) * std::ldexp(1.0, 1 - j);
    table[k] = high;
    table[106 + k] = low;
  }
  table[105] = table[211] = nan;
  return table;
}

/// Roundings are instructions on AArch64 and from SSE4.1 on; before, LLVM
/// would call libm. |x| < 2^mantissa goes through the integers and back.
struct ExpandRounding : RewritePattern {
  ExpandRounding(MLIRContext *context, llvm::StringRef name)
      : RewritePattern(name, 1, context) {}
  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    Value x = op->getOperand(0);
    if (!MathBuilder::isSupported(x.getType()))
      return failure();
    MathBuilder m(rewriter, op->getLoc(), x.getType());
    Value magnitude = m.abs(x);
    Value limit = m.constant(std::ldexp(1.0, formatOf(m).mantissa));
    Value inside = m.compare(Cmp::OLT, magnitude, limit);
    // To the nearest even integer, then one back or forth.
    Value even = m.sub(m.add(magnitude, limit), limit);
    Value zero = m.constant(0);
    Value result = even;
    llvm::StringRef name = op->getName().getStringRef();
    auto correct = [&](Value rounded, Cmp predicate, Value reference,
                       double by) {
      return m.add(rounded, m.select(m.compare(predicate, rounded, reference),
                                     m.constant(by), zero));
    };
    if (name == "math.trunc")
      result = correct(even, Cmp::OGT, magnitude, -1);
    else if (name == "math.round") {
      result = correct(even, Cmp::OGT, magnitude, -1);
      Value rest = m.sub(magnitude, result);
      result =
          m.add(result, m.select(m.compare(Cmp::OGE, rest, m.constant(0.5)),
                                 m.constant(1), zero));
    }
    result = m.copySign(result, x);
    if (name == "math.floor")
      result = correct(result, Cmp::OGT, x, -1);
    else if (name == "math.ceil")
      result = correct(result, Cmp::OLT, x, 1);
    result = m.copySign(result, x);
    rewriter.replaceOp(op, m.select(inside, result, x));
    return success();
  }
};

/// What stays: one instruction on every target.
bool isNative(Operation *op) {
  return isa<math::SqrtOp, math::AbsFOp, math::CopySignOp, math::FloorOp,
             math::CeilOp, math::TruncOp, math::RoundOp, math::RoundEvenOp,
             math::AbsIOp, math::CountLeadingZerosOp,
             math::CountTrailingZerosOp, math::CtPopOp, math::IsNaNOp,
             math::IsInfOp, math::IsFiniteOp>(op);
}

struct ExpandMath : PassWrapper<ExpandMath, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExpandMath)
  llvm::StringRef getArgument() const override { return "codegen-expand-math"; }
  llvm::StringRef getDescription() const override {
    return "Replace functions of the math dialect by polynomials";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, math::MathDialect,
                    memref::MemRefDialect, vector::VectorDialect>();
  }
  void runOnOperation() override {
    ModuleOp module = getOperation();
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    // x^2 and the like without a logarithm.
    populateMathAlgebraicSimplificationPatterns(patterns);
    for (const UnaryFunction &function : unaryFunctions)
      patterns.add<ExpandUnary>(context, function);
    patterns.add<ExpandPow, ExpandFPowI, ExpandFma>(context);
    patterns.add<ExpandSinCos>(context, "math.sin", 0);
    patterns.add<ExpandSinCos>(context, "math.cos", 1);
    Target target = Target::of(module);
    if (target.isX86() && !target.has("sse4.1"))
      for (llvm::StringRef name : {"math.floor", "math.ceil", "math.trunc",
                                   "math.round", "math.roundeven"})
        patterns.add<ExpandRounding>(context, name);
    if (failed(applyPatternsGreedily(module, std::move(patterns))))
      return signalPassFailure();
    bool failed = false;
    module.walk([&](Operation *op) {
      if (!isa_and_nonnull<math::MathDialect>(op->getDialect()) || isNative(op))
        return;
      op->emitOpError("has no expansion into instructions");
      failed = true;
    });
    if (failed)
      signalPassFailure();
  }
};

} // namespace

std::unique_ptr<Pass> createExpandMathPass() {
  return std::make_unique<ExpandMath>();
}

} // namespace cornu::codegen
