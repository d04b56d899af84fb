//===- Initialize.cpp - First values of the variables ---------------------===//
//
// Builds the entry that fills the state of a new model: what no file has a
// value for is drawn from its Keras initializer. It runs once, in place, and
// needs no memory of its own, so its loops are scalar.
//
//   func.func @initialize(%state: memref<?xi8>, %seed: i64) {
//     %w = memref.view %state[%c0][] : memref<?xi8> to memref<6400xf32>
//     scf.for %i = %c0 to %c6400 step %c1 { store draw(seed, i, stream) }
//
// Random numbers are counter-based (Philox 4x32-10), keyed by the seed; the
// stream is the variable's place in the table, so that each has its own.
//
//===----------------------------------------------------------------------===//

#include "passes/buffer/Buffer.h"
#include "passes/buffer/InitialValues.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"
#include <cmath>

using namespace mlir;

namespace cornu::buffer {

namespace {

/// Keras's fans of a weight: how many values go into and come out of an
/// element, with the receptive field of a convolution.
struct Fans {
  double in, out;

  Fans(ArrayRef<int64_t> shape, DictionaryAttr config) {
    auto inputs = config.getAs<ArrayAttr>("input_axes");
    auto outputs = config.getAs<ArrayAttr>("output_axes");
    if (inputs && outputs) {
      double all = product(shape);
      in = all / product(shape, outputs);
      out = all / product(shape, inputs);
    } else if (shape.size() < 2) {
      in = out = product(shape);
    } else {
      double receptive = product(shape.drop_back(2));
      in = receptive * shape[shape.size() - 2];
      out = receptive * shape.back();
    }
  }

  static double product(ArrayRef<int64_t> shape) {
    double result = 1;
    for (int64_t size : shape)
      result *= size;
    return result;
  }
  static double product(ArrayRef<int64_t> shape, ArrayAttr axes) {
    double result = 1;
    for (Attribute axis : axes) {
      size_t i = isa<FloatAttr>(axis)
                     ? size_t(cast<FloatAttr>(axis).getValueAsDouble())
                     : size_t(cast<IntegerAttr>(axis).getInt());
      result *= i < shape.size() ? shape[i] : 1;
    }
    return result;
  }
};

/// An initializer as the importer writes it.
struct Spec {
  StringRef className;
  DictionaryAttr config;

  double number(StringRef key, double otherwise) const {
    Attribute value = config.get(key);
    if (auto real = dyn_cast_or_null<FloatAttr>(value))
      return real.getValueAsDouble();
    if (auto integer = dyn_cast_or_null<IntegerAttr>(value))
      return static_cast<double>(integer.getInt());
    return otherwise;
  }
  StringRef text(StringRef key, StringRef otherwise) const {
    auto value = dyn_cast_or_null<StringAttr>(config.get(key));
    return value ? value.getValue() : otherwise;
  }
};

/// The named special cases of VarianceScaling.
struct Scaling {
  StringRef className;
  double scale;
  StringRef mode, distribution;
};
constexpr Scaling kScalings[] = {
    {"GlorotUniform", 1, "fan_avg", "uniform"},
    {"GlorotNormal", 1, "fan_avg", "truncated_normal"},
    {"HeUniform", 2, "fan_in", "uniform"},
    {"HeNormal", 2, "fan_in", "truncated_normal"},
    {"LecunUniform", 1, "fan_in", "uniform"},
    {"LecunNormal", 1, "fan_in", "truncated_normal"},
};

// The standard deviation of a normal distribution cut at two deviations.
constexpr double kTruncatedDeviation = 0.87962566103423978;

} // namespace

static void scaled(InitialValues &values, const InitialVariable &v,
                   const Spec &spec, Scaling s) {
  Fans fans(v.type.getShape(), spec.config);
  double n = s.mode == "fan_in"    ? fans.in
             : s.mode == "fan_out" ? fans.out
                                   : (fans.in + fans.out) / 2;
  double variance = s.scale / std::max(n, 1.0);
  if (s.distribution == "uniform") {
    double limit = std::sqrt(3 * variance);
    values.uniform(v, -limit, limit);
  } else if (s.distribution == "untruncated_normal") {
    values.normal(v, 0, std::sqrt(variance), /*truncated=*/false);
  } else {
    values.normal(v, 0, std::sqrt(variance) / kTruncatedDeviation,
                  /*truncated=*/true);
  }
}

static LogicalResult fill(InitialValues &values, const InitialVariable &v,
                          const Spec &spec) {
  StringRef name = spec.className;
  for (const Scaling &scaling : kScalings)
    if (name == scaling.className)
      return scaled(values, v, spec, scaling), success();
  if (name == "VarianceScaling")
    scaled(values, v, spec,
           {name, spec.number("scale", 1), spec.text("mode", "fan_in"),
            spec.text("distribution", "truncated_normal")});
  else if (name == "Zeros")
    ; // as the state is
  else if (name == "Ones")
    values.constant(v, 1);
  else if (name == "Constant")
    values.constant(v, spec.number("value", 0));
  else if (name == "RandomUniform")
    values.uniform(v, spec.number("minval", -0.05),
                   spec.number("maxval", 0.05));
  else if (name == "RandomNormal")
    values.normal(v, spec.number("mean", 0), spec.number("stddev", 0.05),
                  /*truncated=*/false);
  else if (name == "TruncatedNormal")
    values.normal(v, spec.number("mean", 0), spec.number("stddev", 0.05),
                  /*truncated=*/true);
  else if (name == "Orthogonal")
    values.orthogonal(v, spec.number("gain", 1));
  else if (name == "Identity")
    values.identity(v, spec.number("gain", 1));
  else if (name == "UnitForgetBias") {
    int64_t units = static_cast<int64_t>(spec.number("units", 0));
    values.constant(v, 1, units, 2 * units);
  } else
    return emitError(values.getLoc()) << "the initializer " << name << " of '"
                                      << v.name << "' is not supported";
  return success();
}

static LogicalResult build(ModuleOp module) {
  auto table = module->getAttrOfType<ArrayAttr>(kStateAttr);
  InitialValues values(module);
  for (auto [stream, attribute] : llvm::enumerate(table)) {
    auto row = cast<DictionaryAttr>(attribute);
    auto type = cast<RankedTensorType>(row.getAs<TypeAttr>("type").getValue());
    InitialVariable variable = {row.getAs<StringAttr>("name").getValue(), type,
                                row.getAs<IntegerAttr>("offset").getInt(),
                                static_cast<int64_t>(stream)};
    if (row.getAs<StringAttr>("kind").getValue() == "random")
      values.seed(variable);
    auto initializer = row.getAs<DictionaryAttr>("initializer");
    if (!initializer || row.get("value") || type.getNumElements() == 0)
      continue;
    auto config = initializer.getAs<DictionaryAttr>("config");
    Spec spec = {initializer.getAs<StringAttr>("class_name").getValue(),
                 config ? config
                        : DictionaryAttr::get(module.getContext(), {})};
    if (failed(fill(values, variable, spec)))
      return failure();
  }
  return success();
}

namespace {
struct Initialize : PassWrapper<Initialize, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(Initialize)

  StringRef getArgument() const override { return "buffer-initialize"; }
  StringRef getDescription() const override {
    return "Build the entry that draws the first values of the variables";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    InitialValues::addDialects(registry);
  }
  void runOnOperation() override {
    if (failed(build(getOperation())))
      signalPassFailure();
  }
};
} // namespace

std::unique_ptr<Pass> createInitializePass() {
  return std::make_unique<Initialize>();
}

} // namespace cornu::buffer
