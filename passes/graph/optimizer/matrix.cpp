//===- matrix.cpp - Adafactor and Muon ------------------------------------===//
//
// What these do with a variable depends on its being a matrix. w the variable,
// g its gradient, lr the learning rate, k the step from 1.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/optimizer/Optimizer.h"

using namespace mlir;

namespace cornu::graph {

//===----------------------------------------------------------------------===//
// Adafactor (Shazeer and Stern, "Adafactor: Adaptive Learning Rates with
// Sublinear Memory Cost", 2018), as in Keras
//===----------------------------------------------------------------------===//

static Value meanOver(Update &u, Value x, ArrayRef<int64_t> axes, bool keep) {
  return u.make<nn::ReduceOp>(nn::ReductionKind::mean, x, axes, keep);
}

static Value rootMeanSquare(Update &u, Value x) {
  auto axes =
      llvm::to_vector(llvm::seq<int64_t>(0, nn::tensorType(x).getRank()));
  Value squares = u.square(x);
  return u.sqrt(axes.empty() ? squares : meanOver(u, squares, axes, false));
}

/// slot = b slot + (1 - b) mean of `squares` over an axis, which stays with
/// size 1 in the result.
static Value factor(Update &u, StringRef name, Value squares, int64_t axis,
                    Value b) {
  Value mean = meanOver(u, squares, {axis}, /*keep=*/false);
  RankedTensorType type = nn::tensorType(mean);
  Value slot = u.state.read(u.slotName(name), type);
  Value updated = u.add(u.multiply(b, slot), u.multiply(u.oneMinus(b), mean));
  u.assignSlot(name, updated);
  SmallVector<int64_t> shape(type.getShape());
  shape.insert(shape.begin() + axis, 1);
  return u.reshape(updated, type.clone(shape));
}

// v estimates g^2: of a matrix from the means of its rows and columns.
// w -= max(eps2, rms(w)) min(lr, 1/sqrt(k)) n, n = g / sqrt(v) scaled to an rms
// of at most the threshold
static Value adafactor(Update &u) {
  int64_t rank = nn::tensorType(u.variable).getRank();
  Value rate = u.minimum(u.learningRate, u.divide(u.scalar(1), u.sqrt(u.step)));
  Value alpha = u.multiply(u.maximum(u.scalar(u.number("epsilon_2", 1e-3)),
                                     rootMeanSquare(u, u.variable)),
                           rate);
  Value squares = u.add(u.square(u.gradient), u.number("epsilon_1", 1e-30));
  Value b =
      u.oneMinus(u.power(u.step, u.scalar(u.number("beta_2_decay", -0.8))));
  Value v = u.slot("velocity"); // a matrix's is only kept for the file
  if (rank >= 2) {
    Value rows = factor(u, "row", squares, rank - 1, b);
    Value columns = factor(u, "column", squares, rank - 2, b);
    Value all = meanOver(u, rows, {rank - 2}, /*keep=*/true);
    v = u.multiply(u.divide(rows, all), columns);
  } else {
    v = u.add(u.multiply(b, v), u.multiply(u.oneMinus(b), squares));
  }
  u.assignSlot("velocity", v);
  Value n = u.divide(u.gradient, u.sqrt(v));
  Value excess =
      u.divide(rootMeanSquare(u, n), u.scalar(u.number("clip_threshold", 1)));
  n = u.divide(n, u.maximum(u.scalar(1), excess));
  return u.subtract(u.variable, u.multiply(alpha, n));
}

//===----------------------------------------------------------------------===//
// Muon (Jordan et al., https://kellerjordan.github.io/posts/muon), as in Keras
//===----------------------------------------------------------------------===//

static Value transposed(Update &u, Value x) {
  return u.make<nn::TransposeOp>(ArrayRef<int64_t>{1, 0}, x);
}

static Value product(Update &u, StringRef equation, Value a, Value b) {
  return u.make<nn::ContractOp>(equation, a, b);
}

/// Brings the singular values of a matrix near 1: Newton and Schulz's iteration
/// with a polynomial of the fifth degree.
static Value orthogonal(Update &u, Value x) {
  ArrayRef<int64_t> shape = nn::tensorType(x).getShape();
  bool tall = shape[0] > shape[1];
  if (tall)
    x = transposed(u, x);
  double a = u.number("muon_a", 3.4445), b = u.number("muon_b", -4.775),
         c = u.number("muon_c", 2.0315);
  x = u.divide(x, u.add(u.sqrt(u.sumAll(u.square(x))), 1e-7));
  for (double i = 0; i < u.number("ns_steps", 5); ++i) {
    Value square = product(u, "ik,jk->ij", x, x);
    Value fourth = product(u, "ik,kj->ij", u.multiply(square, c), square);
    Value polynomial = u.add(u.multiply(square, b), fourth);
    x = u.add(u.multiply(x, a), product(u, "ik,kj->ij", polynomial, x));
  }
  return tall ? transposed(u, x) : x;
}

static bool usesAdam(const Config &config, StringRef path, Value variable) {
  return nn::tensorType(variable).getRank() != 2 ||
         config.lists("adam_variables", path);
}

// m = momentum m + g, w -= lr orthogonal(g + momentum m); Adam for variables
// that are listed, or no matrices.
static Value muon(Update &u) {
  if (usesAdam(u.config, u.path, u.variable))
    return adamStep(u, u.number("adam_beta_1", 0.9),
                    u.number("adam_beta_2", 0.999),
                    u.multiply(u.learningRate, u.number("adam_lr_ratio", 1)));
  double momentum = u.number("momentum", 0.95);
  Value old = u.slot("momentum");
  Value m = u.add(old, u.add(u.gradient, u.multiply(old, momentum - 1)));
  u.assignSlot("momentum", m);
  bool nesterov = u.config.flag("nesterov", true);
  Value direction = nesterov ? u.add(u.gradient, u.multiply(m, momentum)) : m;
  Value update = u.multiply(orthogonal(u, direction), u.learningRate);
  ArrayRef<int64_t> shape = nn::tensorType(update).getShape();
  if (double rate = u.number("rms_rate", 0); rate != 0)
    update = u.multiply(u.multiply(update, std::sqrt(static_cast<double>(
                                               std::max(shape[0], shape[1])))),
                        rate);
  return u.subtract(u.variable, update);
}

static double muonDecay(const Config &config, const Trained &v) {
  return config.number(usesAdam(config, v.path, v.value) ? "adam_weight_decay"
                                                         : "weight_decay",
                       0);
}

ArrayRef<OptimizerEntry> matrixOptimizers() {
  static const OptimizerEntry table[] = {
      {"Adafactor", adafactor, 0.001},
      {"Muon", muon, 0.001, 0.004, muonDecay},
  };
  return table;
}

} // namespace cornu::graph
