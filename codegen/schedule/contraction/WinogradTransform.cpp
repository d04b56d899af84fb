//===- WinogradTransform.cpp - Minimal filtering in registers -------------===//
//
// Two rows (or columns) of a matrix that agree up to sign in every place share
// their sums: rows {0, -12, -4, 3, 1, 0} and {0, 12, -4, -3, 1, 0} are s + 3 d
// and s - 3 d of s = x4 - 4 x2, d = x3 - 4 x1.
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/contraction/WinogradTransform.h"

#include "codegen/schedule/Elementwise.h"

using namespace mlir;

namespace cornu::codegen {

using Row = ArrayRef<double>;

namespace {
/// Products of a matrix and vectors.
class Combiner {
public:
  Combiner(OpBuilder &builder, Location loc, unsigned width)
      : builder(builder), loc(loc), width(width) {}

  SmallVector<Value> apply(const TransformMatrix &matrix, ArrayRef<Value> in);

private:
  Value sum(ArrayRef<double> coefficients, ArrayRef<Value> in);
  Value add(Value a, Value b) {
    return !a ? b : !b ? a : arith::AddFOp::create(builder, loc, a, b);
  }
  Value sub(Value a, Value b) {
    return arith::SubFOp::create(builder, loc, a, b);
  }
  /// a + weight * b
  Value addScaled(Value a, Value b, double weight) {
    return weight == 1 ? add(a, b)
           : weight == -1
               ? sub(a, b)
               : vector::FMAOp::create(builder, loc, b, constant(weight), a);
  }
  Value constant(double value) {
    auto type = VectorType::get({width}, builder.getF32Type());
    return arith::ConstantOp::create(
        builder, loc, DenseElementsAttr::get(type, float(value)));
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
    result = result
                 ? addScaled(result, in[i], weight)
                 : arith::MulFOp::create(builder, loc, in[i], constant(weight));
  }
  return result;
}

/// True if columns a and a + 1 agree up to sign in every row: the sum and the
/// difference of their inputs are all that counts.
static bool columnsPair(const TransformMatrix &matrix, size_t a) {
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

SmallVector<Value> Combiner::apply(const TransformMatrix &matrix,
                                   ArrayRef<Value> in) {
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
    // The last weight of d is set aside: it costs nothing in s +- weight * d.
    double weight = *llvm::find_if(llvm::reverse(opposite),
                                   [](double value) { return value != 0; });
    for (double &value : opposite)
      value /= weight;
    Value s = sum(same, inputs), d = sum(opposite, inputs);
    out.append({addScaled(s, d, weight), addScaled(s, d, -weight)});
    ++i;
  }
  return out;
}

SmallVector<Value> transformSquare(OpBuilder &builder, Location loc,
                                   const TransformMatrix &down,
                                   const TransformMatrix &across,
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
