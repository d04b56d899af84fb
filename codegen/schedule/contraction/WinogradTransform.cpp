//===- WinogradTransform.cpp - Minimal filtering in registers -------------===//
//
// Two rows (or columns) of a matrix that agree up to sign in every place share
// their sums: rows {0, -4, -4, 1, 1, 0} and {0, 4, -4, -1, 1, 0} are s + d and
// s - d of s = x4 - 4 x2, d = x3 - 4 x1.
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/contraction/WinogradTransform.h"

#include "codegen/schedule/Elementwise.h"

using namespace mlir;

namespace cornu::codegen {

//===----------------------------------------------------------------------===//
// Matrices
//===----------------------------------------------------------------------===//

using Row = ArrayRef<double>;

static const double kInput4[4][4] = {
    {1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
static const double kInput6[6][6] = {{4, 0, -5, 0, 1, 0},  {0, -4, -4, 1, 1, 0},
                                     {0, 4, -4, -1, 1, 0}, {0, -2, -1, 2, 1, 0},
                                     {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1}};
static const double kKernel42[3][2] = {{1, 0}, {.5, .5}, {.5, -.5}};
static const double kKernel43[4][3] = {
    {1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}};
static const double kKernel63[6][3] = {{1. / 4, 0, 0},
                                       {-1. / 6, -1. / 6, -1. / 6},
                                       {-1. / 6, 1. / 6, -1. / 6},
                                       {1. / 24, 1. / 12, 1. / 6},
                                       {1. / 24, -1. / 12, 1. / 6},
                                       {0, 0, 1}};
static const double kKernel65[6][5] = {
    {1. / 4, 0, 0, 0, 0},
    {-1. / 6, -1. / 6, -1. / 6, -1. / 6, -1. / 6},
    {-1. / 6, 1. / 6, -1. / 6, 1. / 6, -1. / 6},
    {1. / 24, 1. / 12, 1. / 6, 1. / 3, 2. / 3},
    {1. / 24, -1. / 12, 1. / 6, -1. / 3, 2. / 3},
    {0, 0, 0, 0, 1}};
static const double kOutput24[2][4] = {{1, 1, 1, 0}, {0, 1, -1, -1}};
static const double kOutput26[2][6] = {{1, 1, 1, 1, 1, 0},
                                       {0, 1, -1, 2, -2, 1}};
static const double kOutput46[4][6] = {{1, 1, 1, 1, 1, 0},
                                       {0, 1, -1, 2, -2, 0},
                                       {0, 1, 1, 4, 4, 0},
                                       {0, 1, -1, 8, -8, 1}};

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

//===----------------------------------------------------------------------===//
// Application
//===----------------------------------------------------------------------===//

namespace {
/// Products of a matrix and vectors.
class Combiner {
public:
  Combiner(OpBuilder &builder, Location loc, unsigned width)
      : builder(builder), loc(loc), width(width) {}

  SmallVector<Value> apply(TransformMatrix matrix, ArrayRef<Value> in);

private:
  Value sum(ArrayRef<double> coefficients, ArrayRef<Value> in);
  Value add(Value a, Value b) {
    return !a ? b : !b ? a : arith::AddFOp::create(builder, loc, a, b);
  }
  Value sub(Value a, Value b) {
    return arith::SubFOp::create(builder, loc, a, b);
  }
  Value constant(double value) {
    return splat(
        builder, loc,
        arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(value)),
        width);
  }

  OpBuilder &builder;
  Location loc;
  unsigned width;
};
} // namespace

/// The weighted sum of `in`; null where all weights are 0.
Value Combiner::sum(ArrayRef<double> coefficients, ArrayRef<Value> in) {
  // A term of weight 1, if there is one, saves a multiplication.
  size_t first = llvm::find(coefficients, 1.0) - coefficients.begin();
  Value result = first < coefficients.size() ? in[first] : Value();
  for (auto [i, weight] : llvm::enumerate(coefficients)) {
    if (weight == 0 || i == first)
      continue;
    if (!result)
      result = arith::MulFOp::create(builder, loc, in[i], constant(weight));
    else if (weight == 1)
      result = add(result, in[i]);
    else if (weight == -1)
      result = sub(result, in[i]);
    else
      result =
          vector::FMAOp::create(builder, loc, in[i], constant(weight), result);
  }
  return result;
}

/// True if columns a and a + 1 agree up to sign in every row: the sum and the
/// difference of their inputs are all that counts.
static bool columnsPair(TransformMatrix matrix, size_t a) {
  bool sums = false, differences = false;
  for (size_t i = 0; i < matrix.rows; ++i) {
    Row row = matrix.row(i);
    if (std::abs(row[a]) != std::abs(row[a + 1]))
      return false;
    sums |= row[a] != 0 && row[a] == row[a + 1];
    differences |= row[a] != 0 && row[a] == -row[a + 1];
  }
  return sums && differences;
}

static bool rowsPair(Row a, Row b) {
  bool sums = false, differences = false;
  for (auto [x, y] : llvm::zip(a, b)) {
    if (std::abs(x) != std::abs(y))
      return false;
    sums |= x != 0 && x == y;
    differences |= x != 0 && x == -y;
  }
  return sums && differences;
}

SmallVector<Value> Combiner::apply(TransformMatrix matrix, ArrayRef<Value> in) {
  SmallVector<std::vector<double>> rows;
  for (size_t i = 0; i < matrix.rows; ++i)
    rows.push_back(matrix.row(i).vec());
  SmallVector<Value> inputs(in);
  for (size_t a = 0; a + 1 < inputs.size(); ++a) {
    if (!columnsPair(matrix, a))
      continue;
    inputs[a] = add(in[a], in[a + 1]);
    inputs[a + 1] = sub(in[a], in[a + 1]);
    for (auto [i, row] : llvm::enumerate(rows)) {
      Row weights = matrix.row(i);
      bool difference = weights[a] == -weights[a + 1];
      row[a] = difference ? 0 : weights[a];
      row[a + 1] = difference ? weights[a] : 0;
    }
    ++a;
  }
  SmallVector<Value> out;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i + 1 == rows.size() || !rowsPair(rows[i], rows[i + 1])) {
      out.push_back(sum(rows[i], inputs));
      continue;
    }
    std::vector<double> same = rows[i], opposite = rows[i];
    for (size_t j = 0; j < same.size(); ++j)
      (rows[i][j] == rows[i + 1][j] ? opposite : same)[j] = 0;
    Value s = sum(same, inputs), d = sum(opposite, inputs);
    out.append({add(s, d), sub(s, d)});
    ++i;
  }
  return out;
}

SmallVector<Value> transformSquare(OpBuilder &builder, Location loc,
                                   TransformMatrix down, TransformMatrix across,
                                   ValueRange square) {
  unsigned width = cast<VectorType>(square[0].getType()).getNumElements();
  Combiner combiner(builder, loc, width);
  // Columns first: half[i][j] = sum over k of down[i][k] * square[k][j].
  SmallVector<SmallVector<Value>> half(down.rows);
  for (size_t j = 0; j < across.columns; ++j) {
    SmallVector<Value> column;
    for (size_t k = 0; k < down.columns; ++k)
      column.push_back(square[k * across.columns + j]);
    for (auto [i, value] : llvm::enumerate(combiner.apply(down, column)))
      half[i].push_back(value);
  }
  SmallVector<Value> result;
  for (ArrayRef<Value> row : half)
    llvm::append_range(result, combiner.apply(across, row));
  return result;
}

} // namespace cornu::codegen
