#!/usr/bin/env python3
"""Computes the minimax polynomials of codegen/emit/MathPolynomials.h.

Each is the Remez exchange on an interval with a weight, in 60 digits. Printed
are the rounded coefficients and the largest weighted error before and after
the rounding; the weight makes it an error of the function's result. Needs
mpmath:

    python3 tools/scripts/fit_polynomials.py | clang-format > codegen/emit/MathPolynomials.h
"""

import struct
import sys

from mpmath import (
    cos,
    erf,
    erfc,
    exp,
    expm1,
    log,
    log1p,
    lu_solve,
    matrix,
    mp,
    mpf,
    pi,
    sqrt,
    tanh,
)

mp.dps = 60


def rounded(value, bits):
    """The nearest f32 or f64."""
    value = float(value)
    return mpf(struct.unpack("f", struct.pack("f", value))[0] if bits == 32 else value)


def remez(f, weight, low, high, powers, iterations=12):
    """Coefficients c of sum(c[i] * x**powers[i]) nearest to f(x) in the norm
    max |weight(x) * error(x)|, and this maximum."""
    n = len(powers)
    half, middle = (high - low) / 2, (high + low) / 2
    points = [middle - half * cos(pi * i / n) for i in range(n + 1)]
    for _ in range(iterations):
        a, b = matrix(n + 1), matrix(n + 1, 1)
        for i, x in enumerate(points):
            for j, p in enumerate(powers):
                a[i, j] = x**p
            a[i, n] = (-1) ** i / weight(x)
            b[i] = f(x)
        solution = lu_solve(a, b)
        c = [solution[i] for i in range(n)]
        error = lambda x: weight(x) * (
            f(x) - sum(ci * x**p for ci, p in zip(c, powers))
        )
        # The extrema of the error between its sign changes, on a fine grid.
        count = 40 * (n + 1)
        grid = [middle - half * cos(pi * i / count) for i in range(count + 1)]
        values = [error(x) for x in grid]
        extrema, best = [], 0
        for i in range(1, count + 1):
            if values[i] * values[best] < 0:
                extrema.append(best)
                best = i
            elif abs(values[i]) > abs(values[best]):
                best = i
        extrema.append(best)
        while len(extrema) > n + 1:
            if abs(values[extrema[0]]) < abs(values[extrema[-1]]):
                extrema.pop(0)
            else:
                extrema.pop()
        if len(extrema) < n + 1:
            break
        points = [grid[i] for i in extrema]
    return c, max(abs(v) for v in values)


def fit(name, bits, f, weight, low, high, degree, note):
    """The polynomial with rounded coefficients, lowest degree first."""
    low, high = mpf(low), mpf(high)
    c, bound = remez(f, weight, low, high, list(range(degree + 1)))
    fixed = [rounded(value, bits) for value in c]
    grid = [low + (high - low) * i / 2000 for i in range(1, 2000)]
    worst = max(
        abs(weight(x) * (f(x) - sum(c * x**k for k, c in enumerate(fixed))))
        for x in grid
    )
    digits = 9 if bits == 32 else 17
    body = ",\n    ".join(f"{float(c):.{digits}g}" for c in fixed)
    print(f"// {note}\n// weighted error {float(worst):.2g}, minimax {float(bound):.2g}")
    print(f"inline constexpr double {name}[] = {{\n    {body}}};\n")
    print(name, float(worst), file=sys.stderr)


HALF_LN2 = log(2) / 2 * mpf("1.001")
LN2 = log(2) * mpf("1.001")

# Near 0 the quotients below lose all digits but the series have few terms.
def series(f, terms):
    return lambda x: f(x) if abs(x) > mpf("1e-9") else terms(x)


exp_q = series(lambda x: (exp(x) - 1 - x) / x**2, lambda x: mpf(1) / 2 + x / 6)
log_p = series(
    lambda x: (log1p(x) - x + x**2 / 2) / x**3, lambda x: mpf(1) / 3 - x / 4
)


def tanh_p(s):
    x = sqrt(s)
    return (tanh(x) - x) / x**3 if s > mpf("1e-12") else -mpf(1) / 3 + 2 * s / 15


def erf_p(s):
    x = sqrt(s)
    return (
        (erf(x) - x) / x if s > mpf("1e-24") else (2 / sqrt(pi)) * (1 - s / 3) - 1
    )


def erfc_q(x):
    return -log(erfc(x))


def main():
    print(
        """//===- MathPolynomials.h - Coefficients of ExpandMath ---------------------===//
//
// Written by tools/scripts/fit_polynomials.py. Lowest degree first.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_CODEGEN_EMIT_MATHPOLYNOMIALS_H
#define CORNU_CODEGEN_EMIT_MATHPOLYNOMIALS_H

namespace cornu::codegen::polynomials {
"""
    )
    for bits, degrees in ((32, (4, 6, 7, 5)), (64, (10, 12, 20, 14))):
        suffix = f"F{bits}"
        fit(
            "exp" + suffix, bits, exp_q, lambda x: HALF_LN2**2,
            -HALF_LN2, HALF_LN2, degrees[0],
            "exp(r) = 1 + r + r^2 q(r) for |r| <= ln(2)/2",
        )  # fmt: skip
        fit(
            "expm1" + suffix, bits, exp_q,
            lambda x: LN2,
            -LN2, LN2, degrees[1],
            "expm1(r) = r + r^2 q(r) for |r| <= ln(2)",
        )  # fmt: skip
        fit(
            "log" + suffix, bits, log_p,
            lambda x: mpf(1) / 9,
            -mpf(1) / 3, mpf(1) / 3, degrees[2],
            "log(1 + f) = f - f^2/2 + f^3 p(f) for |f| <= 1/3",
        )  # fmt: skip
        fit(
            "tanh" + suffix, bits, tanh_p,
            lambda s: mpf("0.39"), mpf("1e-10"), mpf("0.625") ** 2, degrees[3] if bits == 32 else 12,
            "tanh(x) = x + x^3 p(x^2) for |x| <= 0.625",
        )  # fmt: skip
    fit(
        "erfSmallF32", 32, erf_p, lambda s: 1 / (1 + erf_p(s)),
        mpf("1e-10"), mpf("0.93") ** 2, 6,
        "erf(x) = x + x p(x^2) for |x| <= 0.93",
    )  # fmt: skip
    fit(
        "erfLargeF32", 32, lambda x: erfc_q(x) / x - 1,
        lambda x: x * erfc(x) / erf(x),
        mpf("0.92"), mpf("4"), 6,
        "erf(x) = 1 - exp(-x - x q(x)) for 0.92 <= x <= 4",
    )  # fmt: skip
    fit(
        "erfcF32", 32,
        lambda x: erfc_q(x) / x - 1 if x > mpf("1e-20") else 2 / sqrt(pi) - 1,
        lambda x: x * erfc(x), mpf("1e-10"), mpf("4"), 7,
        "erfc(x) = exp(-x - x q(x)) for 0 <= x <= 4, to an absolute error",
    )  # fmt: skip
    fit(
        "erfSmallF64", 64, erf_p, lambda s: 1 / (1 + erf_p(s)),
        mpf("1e-20"), mpf(1), 11,
        "erf(x) = x + x p(x^2) for |x| <= 1",
    )  # fmt: skip
    fit(
        "erfLargeF64", 64, lambda x: erfc_q(x) / x - 1,
        lambda x: x * erfc(x) / erf(x),
        mpf("1"), mpf("6"), 20,
        "erf(x) = 1 - exp(-x - x q(x)) for 1 <= x <= 6",
    )  # fmt: skip
    print(
        """} // namespace cornu::codegen::polynomials

#endif // CORNU_CODEGEN_EMIT_MATHPOLYNOMIALS_H"""
    )


main()
