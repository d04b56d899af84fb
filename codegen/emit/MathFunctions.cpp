//===- MathFunctions.cpp - Polynomials in place of functions --------------===//

#include "codegen/emit/MathFunctions.h"
#include "codegen/emit/MathPolynomials.h"
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
Value buildExp(MathBuilder &m, Value x, bool bounded) {
  const Format &f = formatOf(m);
  if (!bounded)
    x = m.clamp(x, f.expLow, f.expHigh);
  Value rounded =
      m.mulAdd(x, m.constant(1 / std::log(2.0)), m.constant(f.roundToInteger));
  auto [r, n] = reduceByLn2(m, x, rounded);
  return buildScaledExp(m, r, n, bounded);
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

} // namespace

Value buildExp(MathBuilder &m, Value x) {
  return buildExp(m, x, /*bounded=*/false);
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

Value buildLog(MathBuilder &m, Value x) {
  auto [exponent, t, tail] = buildLogParts(m, x);
  Value result =
      m.mulAdd(exponent, m.constant(formatOf(m).ln2High), m.add(t, tail));
  return limitsOfLog(m, x, result);
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

/// 1 + erf(x) = erfc(-x): exp(-t - t q(t)) with t = |x| for negative x, else
/// 2 less that. Beyond 4 it goes on falling, to nothing.
Value buildOnePlusErf(MathBuilder &m, Value x) {
  Value t = m.minimum(m.abs(x), 19);
  Value q = m.polynomial(p::erfcF32, m.minimum(t, 4));
  Value small = buildExp(m, m.negate(m.mulAdd(q, t, t)), /*bounded=*/true);
  return m.select(m.compare(Cmp::OLT, x, m.constant(0)), small,
                  m.sub(m.constant(2), small));
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

} // namespace cornu::codegen
