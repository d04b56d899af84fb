//===- MathFunctions.h - Polynomials in place of functions ------*- C++ -*-===//
//
// Each builds its function of scalars or vectors without a branch or a call,
// within 2 units in the last place in f32, and right for zeros of both signs,
// infinities, NaN and denormals (test/unit/codegen/MathTest.cpp). Those after
// buildErf are for f64.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_CODEGEN_EMIT_MATHFUNCTIONS_H
#define CORNU_CODEGEN_EMIT_MATHFUNCTIONS_H

#include "codegen/emit/MathBuilder.h"

namespace cornu::codegen {

mlir::Value buildExp(MathBuilder &m, mlir::Value x);
mlir::Value buildExpm1(MathBuilder &m, mlir::Value x);
mlir::Value buildLog(MathBuilder &m, mlir::Value x);
mlir::Value buildLog1p(MathBuilder &m, mlir::Value x);
mlir::Value buildTanh(MathBuilder &m, mlir::Value x);
mlir::Value buildErf(MathBuilder &m, mlir::Value x);
/// 1 + erf(x) in f32: to half a place of 1, as the sum would be, without the
/// digits that erf has near 0.
mlir::Value buildOnePlusErf(MathBuilder &m, mlir::Value x);

mlir::Value buildPow(MathBuilder &m, mlir::Value x, mlir::Value y);
mlir::Value buildExp2(MathBuilder &m, mlir::Value x);
mlir::Value buildLog2(MathBuilder &m, mlir::Value x);
mlir::Value buildLog10(MathBuilder &m, mlir::Value x);
mlir::Value buildErfc(MathBuilder &m, mlir::Value x);
mlir::Value buildSinh(MathBuilder &m, mlir::Value x);
mlir::Value buildCosh(MathBuilder &m, mlir::Value x);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_MATHFUNCTIONS_H
