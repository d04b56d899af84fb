//===- WinogradMatrices.cpp - The maps of minimal filtering ---------------===//

#include "codegen/strategy/WinogradMatrices.h"

using namespace mlir;

namespace cornu::codegen {

// Four points: 0, 1, -1 and infinity.
static const double kInput4[4][4] = {
    {1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
static const double kKernel42[3][2] = {{1, 0}, {.5, .5}, {.5, -.5}};
static const double kKernel43[4][3] = {
    {1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}};
static const double kOutput24[2][4] = {{1, 1, 1, 0}, {0, 1, -1, -1}};

// Six points: 0, a, -a, b, -b and infinity. Powers of 1 and 2, the simplest
// choice, spread the magnitudes of the products: the results have 2.4 times
// the error of these, which are near the best pair of short binary fractions.
static constexpr double a = 5. / 8, b = 3. / 2;
static constexpr double a2 = a * a, b2 = b * b, a3 = a * a2, b3 = b * b2;
// The scale of a row of G: the product of its point's distances to the others.
static constexpr double g0 = 1 / (a2 * b2), ga = 1 / (2 * a2 * (a2 - b2)),
                        gb = 1 / (2 * b2 * (b2 - a2));
static const double kInput6[6][6] = {
    {a2 * b2, 0, -a2 - b2, 0, 1, 0}, {0, -a * b2, -b2, a, 1, 0},
    {0, a * b2, -b2, -a, 1, 0},      {0, -b * a2, -a2, b, 1, 0},
    {0, b * a2, -a2, -b, 1, 0},      {0, a2 * b2, 0, -a2 - b2, 0, 1}};
static const double kKernel63[6][3] = {{g0, 0, 0},
                                       {ga, a * ga, a2 * ga},
                                       {ga, -a * ga, a2 * ga},
                                       {gb, b * gb, b2 * gb},
                                       {gb, -b * gb, b2 * gb},
                                       {0, 0, 1}};
static const double kKernel65[6][5] = {
    {g0, 0, 0, 0, 0},
    {ga, a * ga, a2 * ga, a3 * ga, a2 * a2 * ga},
    {ga, -a * ga, a2 * ga, -a3 * ga, a2 * a2 * ga},
    {gb, b * gb, b2 * gb, b3 * gb, b2 * b2 * gb},
    {gb, -b * gb, b2 * gb, -b3 * gb, b2 * b2 * gb},
    {0, 0, 0, 0, 1}};
static const double kOutput26[2][6] = {{1, 1, 1, 1, 1, 0},
                                       {0, a, -a, b, -b, 1}};
static const double kOutput46[4][6] = {{1, 1, 1, 1, 1, 0},
                                       {0, a, -a, b, -b, 0},
                                       {0, a2, a2, b2, b2, 0},
                                       {0, a3, -a3, b3, -b3, 1}};

TransformMatrix TransformMatrix::transposed() const {
  TransformMatrix result;
  result.rows = columns;
  result.columns = rows;
  for (size_t j = 0; j < columns; ++j)
    for (size_t i = 0; i < rows; ++i)
      result.values.push_back(row(i)[j]);
  return result;
}

std::optional<WinogradTransform>
WinogradTransform::of(int64_t side, int64_t taps, int64_t partTaps) {
  WinogradTransform result;
  result.side = side;
  result.patch = side + partTaps - 1;
  if (side == 2 && partTaps == 3 && taps % 2 == 1) {
    result.input = TransformMatrix(kInput4);
    result.output = TransformMatrix(kOutput24);
    for (int64_t tap = 0; tap + 3 < taps; tap += side)
      result.parts.push_back({tap, TransformMatrix(kKernel42)});
    result.parts.push_back({taps - 3, TransformMatrix(kKernel43)});
    return result;
  }
  if (taps != partTaps)
    return std::nullopt;
  result.input = TransformMatrix(kInput6);
  if (side == 4 && taps == 3) {
    result.output = TransformMatrix(kOutput46);
    result.parts.push_back({0, TransformMatrix(kKernel63)});
    return result;
  }
  if (side == 2 && taps == 5) {
    result.output = TransformMatrix(kOutput26);
    result.parts.push_back({0, TransformMatrix(kKernel65)});
    return result;
  }
  return std::nullopt;
}

} // namespace cornu::codegen
