//===- Trigonometry.cpp - Sine and cosine ---------------------------------===//

#include "codegen/emit/Trigonometry.h"
#include <cmath>
#include <limits>

using namespace mlir;

namespace cornu::codegen {

namespace {

/// Added to a number below 2^51 and taken away, it rounds it to an integer.
constexpr double roundToInteger = 0x1.8p52;
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

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

/// For k = 0..104: 2^k * 2/pi modulo 4, in two parts of 29 and 53 bits, and
/// NaN for the exponent of infinity and NaN. First all high parts, then all
/// low parts.
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

constexpr llvm::StringLiteral tableName = "cornu_two_over_pi";

/// The table, one for the module.
Value getTable(OpBuilder &b, Location loc) {
  auto module =
      b.getInsertionBlock()->getParentOp()->getParentOfType<ModuleOp>();
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

/// sin (shift 0) or cos (shift 1) in f64, |x| < 2^30: x - n pi/2 with pi/2 in
/// three parts (fdlibm).
Value buildF64(MathBuilder &m, Value x, int64_t shift) {
  Value rounding = m.constant(roundToInteger);
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
Value buildF32(MathBuilder &m, Value x, int64_t shift, Value table) {
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
  Value rounding = wide.constant(roundToInteger);
  Value rounded = wide.add(turns, rounding);
  Value fraction = wide.sub(turns, wide.sub(rounded, rounding));
  fraction = wide.mulAdd(mantissa, low, fraction);
  Value r = wide.mul(fraction, wide.constant(M_PI / 2));
  Value quadrant =
      wide.addInt(wide.toIntegerBits(rounded), wide.integer(shift));
  return wide.truncate(buildQuadrant(wide, r, quadrant));
}

} // namespace

Value buildSinCos(OpBuilder &b, Location loc, Value x, Trigonometric function) {
  MathBuilder m(b, loc, x.getType());
  int64_t shift = function == Trigonometric::Cosine;
  Value result = m.isF64() ? buildF64(m, x, shift)
                           : buildF32(m, x, shift, getTable(b, loc));
  if (function == Trigonometric::Cosine)
    return result;
  // sin(-0) is -0
  return m.select(m.compare(arith::CmpFPredicate::OEQ, x, m.constant(0)), x,
                  result);
}

} // namespace cornu::codegen
