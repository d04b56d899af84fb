//===- MathTest.cpp - Vector math against libm, over all of f32 -----------===//
//
// Each function is compiled as a loop over vectors of eight and applied to
// every 1021st f32 (all exponents, both signs, denormals, infinities, NaN), and
// compared with libm in f64. f64 is compared with long double.
//
//===----------------------------------------------------------------------===//

#include "codegen/emit/Object.h"
#include "codegen/emit/Passes.h"
#include "codegen/target/Target.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "tools/registry/Registry.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"
#include <cmath>
#include <cstring>
#include <random>

using namespace mlir;
using namespace cornu;

namespace {

/// memref arguments as LLVM functions take them.
template <typename T>
using Loop = void (*)(const T *, const T *, int64_t, int64_t, int64_t,
                      const T *, const T *, int64_t, int64_t, int64_t, T *, T *,
                      int64_t, int64_t, int64_t);

class Compiled {
public:
  /// A loop that applies `op` to vectors of 8. `after` may compute `stored` of
  /// what it gives, %r.
  static std::unique_ptr<Compiled> create(const std::string &op, bool binary,
                                          const std::string &type,
                                          const std::string &cpu,
                                          const std::string &after = "",
                                          const std::string &stored = "%r") {
    std::string source = llvm::formatv(
        R"(func.func @loop(%a: memref<?x{0}>, %b: memref<?x{0}>, %y: memref<?x{0}>) {{
          %c0 = arith.constant 0 : index
          %c8 = arith.constant 8 : index
          %n = memref.dim %a, %c0 : memref<?x{0}>
          scf.for %i = %c0 to %n step %c8 {{
            %u = vector.load %a[%i] : memref<?x{0}>, vector<8x{0}>
            %v = vector.load %b[%i] : memref<?x{0}>, vector<8x{0}>
            %r = {1} %u{2} : vector<8x{0}>
            {3}
            vector.store {4}, %y[%i] : memref<?x{0}>, vector<8x{0}>
          }
          return
        })",
        type, op, binary ? ", %v" : "", after, stored);
    DialectRegistry registry;
    tools::registerCompilerDialects(registry);
    MLIRContext context(registry);
    auto module = parseSourceString<ModuleOp>(source, &context);
    std::string error;
    auto target = codegen::Target::create({"", cpu, ""}, error);
    if (!module || !target)
      return nullptr;
    target->attachTo(*module);
    PassManager pm(&context);
    codegen::buildToLLVMPipeline(pm, codegen::ToLLVMOptions());
    std::vector<codegen::MachineCode> objects;
    if (failed(pm.run(*module)) ||
        failed(codegen::emitMachineCode(*module, {}, objects)))
      return nullptr;
    auto jit = llvm::orc::LLJITBuilder().create();
    if (!jit)
      return nullptr;
    // No symbol of libm is there to be found.
    if ((*jit)->addObjectFile(llvm::MemoryBuffer::getMemBufferCopy(
            llvm::StringRef(objects[0].data(), objects[0].size()))))
      return nullptr;
    auto symbol = (*jit)->lookup("loop");
    if (!symbol) {
      llvm::logAllUnhandledErrors(symbol.takeError(), llvm::errs());
      return nullptr;
    }
    auto result = std::make_unique<Compiled>();
    result->jit = std::move(*jit);
    result->address = symbol->getValue();
    return result;
  }

  template <typename T>
  std::vector<T> apply(std::vector<T> a, std::vector<T> b = {}) {
    size_t count = a.size();
    size_t padded = (count + 7) / 8 * 8;
    a.resize(padded);
    b.resize(padded);
    std::vector<T> y(padded);
    int64_t n = padded;
    reinterpret_cast<Loop<T>>(address)(a.data(), a.data(), 0, n, 1, b.data(),
                                       b.data(), 0, n, 1, y.data(), y.data(), 0,
                                       n, 1);
    y.resize(count);
    return y;
  }

private:
  std::unique_ptr<llvm::orc::LLJIT> jit;
  uint64_t address = 0;
};

/// The distance of `value` from `exact` in units of the last place of T.
template <typename T, typename Wide> double ulps(T value, Wide exact) {
  if (std::isnan(exact))
    return std::isnan(value) ? 0 : INFINITY;
  T rounded = static_cast<T>(exact);
  if (std::isinf(rounded) || std::isinf(value) || rounded == 0) {
    if (value == rounded)
      return std::signbit(value) == std::signbit(rounded) ? 0 : INFINITY;
    if (rounded != 0 && !std::isinf(rounded))
      return INFINITY;
  }
  int exponent;
  std::frexp(static_cast<Wide>(rounded), &exponent);
  int last = std::max(exponent - std::numeric_limits<T>::digits,
                      std::numeric_limits<T>::min_exponent -
                          std::numeric_limits<T>::digits);
  return static_cast<double>(
      std::ldexp(std::fabs(static_cast<Wide>(value) - exact), -last));
}

struct Function {
  const char *op;
  double (*reference)(double);
  long double (*wideReference)(long double);
  double bound64; ///< accepted error in f64; 0: not made for f64's whole range
};

const Function functions[] = {
    {"math.exp", std::exp, std::exp, 1.5},
    {"math.expm1", std::expm1, std::expm1, 2},
    {"math.log", std::log, std::log, 1.5},
    {"math.log1p", std::log1p, std::log1p, 2},
    {"math.tanh", std::tanh, std::tanh, 2},
    {"math.erf", std::erf, std::erf, 2},
    {"math.sin", std::sin, std::sin, 2},
    {"math.cos", std::cos, std::cos, 2},
    {"math.sqrt", std::sqrt, std::sqrt, 0.51},
    {"math.rsqrt", [](double x) { return 1 / std::sqrt(x); },
     [](long double x) { return 1 / std::sqrt(x); }, 1.5},
    {"math.exp2", std::exp2, std::exp2, 2},
    {"math.log2", std::log2, std::log2, 2},
    {"math.log10", std::log10, std::log10, 2},
    {"math.sinh", std::sinh, std::sinh, 2},
    {"math.cosh", std::cosh, std::cosh, 2},
    {"math.floor", std::floor, std::floor, 0},
    {"math.ceil", std::ceil, std::ceil, 0},
    {"math.trunc", std::trunc, std::trunc, 0},
    {"math.round", std::round, std::round, 0},
    {"math.roundeven", std::nearbyint, std::nearbyint, 0},
};

std::vector<float> allFloats(uint32_t step) {
  std::vector<float> values;
  for (uint64_t bits = 0; bits <= UINT32_MAX; bits += step) {
    uint32_t word = bits;
    float value;
    std::memcpy(&value, &word, 4);
    values.push_back(value);
  }
  for (float value : {0.0f, -0.0f, 1.0f, -1.0f, INFINITY, -INFINITY, NAN,
                      0x1p-149f, -0x1p-149f, 0x1p-126f, 88.72283f, 88.72284f,
                      -103.97f, -103.98f, -87.4f, 0.5f, 1.5f, 2.5f, -0.5f})
    values.push_back(value);
  return values;
}

class MathF32 : public testing::TestWithParam<const char *> {};

TEST_P(MathF32, IsWithinTwoUlps) {
  for (const Function &function : functions) {
    auto code = Compiled::create(function.op, false, "f32", GetParam());
    ASSERT_TRUE(code) << function.op;
    // A prime step meets all patterns of low bits.
    std::vector<float> x = allFloats(1021);
    std::vector<float> y = code->apply(x);
    double worst = 0;
    float where = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      double error = ulps<float, double>(y[i], function.reference(x[i]));
      if (error > worst) {
        worst = error;
        where = x[i];
      }
    }
    EXPECT_LE(worst, 2.0) << function.op << " at " << where;
    RecordProperty(function.op, std::to_string(worst));
    llvm::errs() << llvm::formatv("{0} f32 {1}: {2:f3} ulp\n", GetParam(),
                                  function.op, worst);
  }
}

// With and without a multiply-add, and with SSE2 alone.
INSTANTIATE_TEST_SUITE_P(Cpus, MathF32, testing::Values("x86-64-v3", "x86-64"));

TEST_P(MathF32, OnePlusErfIsAsNearAsTheSum) {
  // %one and the sum, before the store of %r.
  auto code = Compiled::create("math.erf", false, "f32", GetParam(),
                               "%one = arith.constant dense<1.0> : "
                               "vector<8xf32>\n"
                               "%s = arith.addf %one, %r : vector<8xf32>",
                               "%s");
  ASSERT_TRUE(code);
  std::vector<float> x = allFloats(1021);
  std::vector<float> y = code->apply(x);
  for (size_t i = 0; i < x.size(); ++i)
    if (std::isnan(x[i]))
      ASSERT_TRUE(std::isnan(y[i]));
    else
      ASSERT_LE(std::fabs(y[i] - std::erfc(-double(x[i]))), 1.3e-7) << x[i];
}

TEST(MathF32Pow, IsWithinTwoUlps) {
  auto code = Compiled::create("math.powf", true, "f32", "x86-64-v3");
  ASSERT_TRUE(code);
  std::mt19937 random(1);
  std::vector<float> x, y;
  const float special[] = {0.0f,  -0.0f, 1.0f,       -1.0f,     2.0f, -2.0f,
                           0.5f,  -0.5f, INFINITY,   -INFINITY, NAN,  3.0f,
                           -3.0f, 1e30f, 16777217.f, 1e-40f};
  for (float a : special)
    for (float b : special) {
      x.push_back(a);
      y.push_back(b);
    }
  std::uniform_real_distribution<float> base(-20, 20), power(-30, 30);
  for (int i = 0; i < 200000; ++i) {
    x.push_back(std::exp(base(random)));
    y.push_back(i % 3 ? power(random) : std::round(power(random)));
    if (i % 3 == 0)
      x.back() = -x.back();
  }
  std::vector<float> z = code->apply(x, y);
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_LE((ulps<float, double>(z[i], std::pow(double(x[i]), double(y[i])))),
              2.0)
        << x[i] << " ^ " << y[i] << " = " << z[i];
}

TEST(MathF64, IsNearLongDouble) {
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> mantissa(-1, 1);
  std::uniform_int_distribution<int> exponent(-40, 9);
  std::vector<double> x = {0.0,       -0.0, 1.0,    -1.0,  INFINITY,
                           -INFINITY, NAN,  1e-310, 709.7, -745.0};
  for (int i = 0; i < 400000; ++i)
    x.push_back(std::ldexp(mantissa(random), exponent(random)));
  for (const Function &function : functions) {
    if (!function.bound64)
      continue;
    auto code = Compiled::create(function.op, false, "f64", "x86-64-v3");
    ASSERT_TRUE(code) << function.op;
    std::vector<double> y = code->apply(x);
    double worst = 0, where = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      double error = ulps<double, long double>(
          y[i], function.wideReference(static_cast<long double>(x[i])));
      if (error > worst) {
        worst = error;
        where = x[i];
      }
    }
    EXPECT_LE(worst, function.bound64) << function.op << " at " << where;
    llvm::errs() << llvm::formatv("f64 {0}: {1:f3} ulp at {2}\n", function.op,
                                  worst, where);
  }
}

} // namespace
