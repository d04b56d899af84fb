//===- Trigonometry.h - Sine and cosine -------------------------*- C++ -*-===//
#ifndef CORNU_CODEGEN_EMIT_TRIGONOMETRY_H
#define CORNU_CODEGEN_EMIT_TRIGONOMETRY_H

#include "codegen/emit/MathBuilder.h"

namespace cornu::codegen {

enum class Trigonometric { Sine, Cosine };

/// The sine or cosine of any f32, or of f64 below 2^30, without a branch or a
/// call. For f32 the module gets a table of 2/pi for each power of two, 1.7 KB.
mlir::Value buildSinCos(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x,
                        Trigonometric function);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_TRIGONOMETRY_H
