//===- Elementwise.cpp - Formulas of elementwise ops --------------------------
//===//

#include "test/unit/reference/Formulas.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
namespace nn = cornu::nn;

namespace cornu::reference {

static bool holds(nn::Predicate predicate, double a, double b) {
  switch (predicate) {
  case nn::Predicate::eq:
    return a == b;
  case nn::Predicate::ne:
    return a != b;
  case nn::Predicate::lt:
    return a < b;
  case nn::Predicate::le:
    return a <= b;
  case nn::Predicate::gt:
    return a > b;
  case nn::Predicate::ge:
    return a >= b;
  }
  llvm_unreachable("unknown predicate");
}

static double convert(double x, Type type) {
  if (type.isInteger(1))
    return x != 0;
  return isa<FloatType>(type) ? x : std::trunc(x);
}

Array elementwise(Operation &op, Operands x) {
  bool isFloat = isa<FloatType>(resultElement(op));
  using P = const double *;
  std::function<double(P)> f =
      llvm::TypeSwitch<Operation *, std::function<double(P)>>(&op)
          .Case([](nn::NegateOp) { return [](P a) { return -a[0]; }; })
          .Case([](nn::AbsoluteOp) {
            return [](P a) { return std::fabs(a[0]); };
          })
          .Case([](nn::SignOp) {
            return [](P a) {
              return std::isnan(a[0]) ? a[0] : double((a[0] > 0) - (a[0] < 0));
            };
          })
          .Case([](nn::ExpOp) { return [](P a) { return std::exp(a[0]); }; })
          .Case(
              [](nn::Expm1Op) { return [](P a) { return std::expm1(a[0]); }; })
          .Case([](nn::LogOp) { return [](P a) { return std::log(a[0]); }; })
          .Case(
              [](nn::Log1pOp) { return [](P a) { return std::log1p(a[0]); }; })
          .Case([](nn::SqrtOp) { return [](P a) { return std::sqrt(a[0]); }; })
          .Case([](nn::RsqrtOp) {
            return [](P a) { return 1 / std::sqrt(a[0]); };
          })
          .Case([](nn::SinOp) { return [](P a) { return std::sin(a[0]); }; })
          .Case([](nn::CosOp) { return [](P a) { return std::cos(a[0]); }; })
          .Case([](nn::TanhOp) { return [](P a) { return std::tanh(a[0]); }; })
          .Case([](nn::SigmoidOp) {
            return [](P a) { return 1 / (1 + std::exp(-a[0])); };
          })
          .Case([](nn::ErfOp) { return [](P a) { return std::erf(a[0]); }; })
          .Case([](nn::SoftplusOp) {
            return [](P a) {
              return maximum(a[0], 0) + std::log1p(std::exp(-std::fabs(a[0])));
            };
          })
          .Case(
              [](nn::FloorOp) { return [](P a) { return std::floor(a[0]); }; })
          .Case([](nn::ReluOp) { return [](P a) { return maximum(a[0], 0); }; })
          .Case([](nn::LogicalNotOp) {
            return [](P a) { return double(!a[0]); };
          })
          .Case([](nn::StopGradientOp) { return [](P a) { return a[0]; }; })
          .Case([](nn::AddOp) { return [](P a) { return a[0] + a[1]; }; })
          .Case([](nn::SubtractOp) { return [](P a) { return a[0] - a[1]; }; })
          .Case([](nn::MultiplyOp) { return [](P a) { return a[0] * a[1]; }; })
          .Case([&](nn::DivideOp) -> std::function<double(P)> {
            if (isFloat)
              return [](P a) { return a[0] / a[1]; };
            return [](P a) { return std::trunc(a[0] / a[1]); };
          })
          .Case([](nn::MaximumOp) {
            return [](P a) { return maximum(a[0], a[1]); };
          })
          .Case([](nn::MinimumOp) {
            return [](P a) { return minimum(a[0], a[1]); };
          })
          .Case([](nn::PowerOp) {
            return [](P a) { return std::pow(a[0], a[1]); };
          })
          .Case([](nn::RemainderOp) {
            return [](P a) { return a[0] - a[1] * std::floor(a[0] / a[1]); };
          })
          .Case([](nn::LogicalAndOp) {
            return [](P a) { return double(a[0] && a[1]); };
          })
          .Case([](nn::LogicalOrOp) {
            return [](P a) { return double(a[0] || a[1]); };
          })
          .Case([](nn::LogicalXorOp) {
            return [](P a) { return double(!a[0] != !a[1]); };
          })
          .Case([](nn::CompareOp compare) {
            nn::Predicate predicate = compare.getPredicate();
            return [=](P a) { return double(holds(predicate, a[0], a[1])); };
          })
          .Case([](nn::SelectOp) {
            return [](P a) { return a[0] ? a[1] : a[2]; };
          })
          .Case([](nn::ConvertOp op) {
            Type type = nn::elementType(op.getResult());
            return [=](P a) { return convert(a[0], type); };
          })
          .Default(std::function<double(P)>());
  if (!f)
    llvm::report_fatal_error("the interpreter lacks an elementwise op");
  return map(x, f);
}

} // namespace cornu::reference
