//===- ExpandMath.cpp - Functions of the math dialect to polynomials ------===//
//
//   %y = math.exp %x : vector<8xf32>     →   a range reduction, a polynomial of
//                                            degree 6 and two scalings
//
// The same code serves scalars and vectors of any width, f32 and f64, and has
// no branch and no call. Results are within 2 units in the last place (f32),
// right for zeros of both signs, infinities, NaN and denormals; proved over
// all f32 exponents by test/unit/codegen/MathTest.cpp. A multiply-add is
// written as `addf contract (mulf contract)`, so that it is one instruction
// where the target has it, and two where it has not.
//
// What a network seldom needs (powf, sin, cos, log2, ...) is computed in f64
// for f32.
//
//===----------------------------------------------------------------------===//

#include "codegen/emit/MathFunctions.h"
#include "codegen/emit/Passes.h"
#include "codegen/emit/Trigonometry.h"
#include "codegen/target/Target.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/IR/Threading.h"
#include <cmath>

using namespace mlir;

namespace cornu::codegen {

namespace {

using UnaryBuilder = Value (*)(MathBuilder &, Value);

/// Builds `function` in f64 whatever the type of x is.
template <UnaryBuilder function> Value inF64(MathBuilder &m, Value x) {
  if (m.isF64())
    return function(m, x);
  MathBuilder wide = m.withWidth(64);
  return wide.truncate(function(wide, wide.extend(x)));
}

struct UnaryFunction {
  llvm::StringLiteral op;
  UnaryBuilder build;
};

const UnaryFunction unaryFunctions[] = {
    {"math.exp", buildExp},
    {"math.expm1", buildExpm1},
    {"math.log", buildLog},
    {"math.log1p", buildLog1p},
    {"math.tanh", buildTanh},
    {"math.erf", buildErf},
    {"math.rsqrt",
     [](MathBuilder &m, Value x) {
       return m.div(m.constant(1), m.squareRoot(x));
     }},
    {"math.exp2", inF64<buildExp2>},
    {"math.log2", inF64<buildLog2>},
    {"math.log10", inF64<buildLog10>},
    {"math.erfc", inF64<buildErfc>},
    {"math.sinh", inF64<buildSinh>},
    {"math.cosh", inF64<buildCosh>},
};

struct ExpandUnary : RewritePattern {
  ExpandUnary(MLIRContext *context, const UnaryFunction &function)
      : RewritePattern(function.op, 1, context), function(function) {}
  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    Value x = op->getOperand(0);
    if (!MathBuilder::isSupported(x.getType()))
      return failure();
    MathBuilder m(rewriter, op->getLoc(), x.getType());
    rewriter.replaceOp(op, function.build(m, x));
    return success();
  }
  const UnaryFunction &function;
};

/// The part of a gelu.
void expandOnePlusErf(Operation *function) {
  function->walk([](arith::AddFOp op) {
    for (auto [term, other] : {std::pair(op.getLhs(), op.getRhs()),
                               std::pair(op.getRhs(), op.getLhs())}) {
      auto erf = term.getDefiningOp<math::ErfOp>();
      if (!erf || !matchPattern(other, m_OneFloat()) ||
          !MathBuilder::isSupported(op.getType()))
        continue;
      IRRewriter rewriter(op.getContext());
      rewriter.setInsertionPoint(op);
      MathBuilder m(rewriter, op.getLoc(), op.getType());
      if (m.isF64())
        continue;
      rewriter.replaceOp(op, buildOnePlusErf(m, erf.getOperand()));
      if (erf->use_empty())
        rewriter.eraseOp(erf);
      return;
    }
  });
}

struct ExpandPow : OpRewritePattern<math::PowFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::PowFOp op,
                                PatternRewriter &rewriter) const override {
    if (!MathBuilder::isSupported(op.getType()))
      return failure();
    MathBuilder m(rewriter, op.getLoc(), op.getType());
    MathBuilder wide = m.withWidth(64);
    Value result =
        buildPow(wide, wide.extend(op.getLhs()), wide.extend(op.getRhs()));
    rewriter.replaceOp(op, m.isF64() ? result : wide.truncate(result));
    return success();
  }
};

/// x^n for integers n: by f64's pow, exact enough for the n that occur.
struct ExpandFPowI : OpRewritePattern<math::FPowIOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::FPowIOp op,
                                PatternRewriter &rewriter) const override {
    if (!MathBuilder::isSupported(op.getType()))
      return failure();
    Value y = arith::SIToFPOp::create(rewriter, op.getLoc(), op.getType(),
                                      op.getRhs());
    rewriter.replaceOpWithNewOp<math::PowFOp>(op, op.getLhs(), y);
    return success();
  }
};

/// A fused multiply-add where the target has it.
struct ExpandFma : OpRewritePattern<math::FmaOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::FmaOp op,
                                PatternRewriter &rewriter) const override {
    if (!MathBuilder::isSupported(op.getType()))
      return failure();
    MathBuilder m(rewriter, op.getLoc(), op.getType());
    rewriter.replaceOp(op, m.mulAdd(op.getA(), op.getB(), op.getC()));
    return success();
  }
};

struct ExpandSinCos : RewritePattern {
  ExpandSinCos(MLIRContext *context, llvm::StringRef name,
               Trigonometric function)
      : RewritePattern(name, 1, context), function(function) {}
  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    Value x = op->getOperand(0);
    if (!MathBuilder::isSupported(x.getType()))
      return failure();
    rewriter.replaceOp(op, buildSinCos(rewriter, op->getLoc(), x, function));
    return success();
  }
  Trigonometric function;
};

/// Roundings are instructions on AArch64 and from SSE4.1 on; before, LLVM
/// would call libm. |x| < 2^mantissa goes through the integers and back.
struct ExpandRounding : RewritePattern {
  ExpandRounding(MLIRContext *context, llvm::StringRef name)
      : RewritePattern(name, 1, context) {}
  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    Value x = op->getOperand(0);
    if (!MathBuilder::isSupported(x.getType()))
      return failure();
    MathBuilder m(rewriter, op->getLoc(), x.getType());
    using Cmp = arith::CmpFPredicate;
    Value magnitude = m.abs(x);
    Value limit = m.constant(std::ldexp(1.0, m.isF64() ? 52 : 23));
    Value inside = m.compare(Cmp::OLT, magnitude, limit);
    // To the nearest even integer, then one back or forth.
    Value even = m.sub(m.add(magnitude, limit), limit);
    Value zero = m.constant(0);
    Value result = even;
    llvm::StringRef name = op->getName().getStringRef();
    auto correct = [&](Value rounded, Cmp predicate, Value reference,
                       double by) {
      return m.add(rounded, m.select(m.compare(predicate, rounded, reference),
                                     m.constant(by), zero));
    };
    if (name == "math.trunc")
      result = correct(even, Cmp::OGT, magnitude, -1);
    else if (name == "math.round") {
      result = correct(even, Cmp::OGT, magnitude, -1);
      Value rest = m.sub(magnitude, result);
      result =
          m.add(result, m.select(m.compare(Cmp::OGE, rest, m.constant(0.5)),
                                 m.constant(1), zero));
    }
    result = m.copySign(result, x);
    if (name == "math.floor")
      result = correct(result, Cmp::OGT, x, -1);
    else if (name == "math.ceil")
      result = correct(result, Cmp::OLT, x, 1);
    result = m.copySign(result, x);
    rewriter.replaceOp(op, m.select(inside, result, x));
    return success();
  }
};

bool isMath(Operation *op) {
  return isa_and_nonnull<math::MathDialect>(op->getDialect());
}

/// What stays: one instruction on every target.
bool isNative(Operation *op) {
  return isa<math::SqrtOp, math::AbsFOp, math::CopySignOp, math::FloorOp,
             math::CeilOp, math::TruncOp, math::RoundOp, math::RoundEvenOp,
             math::AbsIOp, math::CountLeadingZerosOp,
             math::CountTrailingZerosOp, math::CtPopOp, math::IsNaNOp,
             math::IsInfOp, math::IsFiniteOp>(op);
}

struct ExpandMath : PassWrapper<ExpandMath, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExpandMath)
  llvm::StringRef getArgument() const override { return "codegen-expand-math"; }
  llvm::StringRef getDescription() const override {
    return "Replace functions of the math dialect by polynomials";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, math::MathDialect,
                    memref::MemRefDialect, vector::VectorDialect>();
  }
  void runOnOperation() override {
    ModuleOp module = getOperation();
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    // x^2 and the like without a logarithm.
    populateMathAlgebraicSimplificationPatterns(patterns);
    for (const UnaryFunction &function : unaryFunctions)
      patterns.add<ExpandUnary>(context, function);
    patterns.add<ExpandPow, ExpandFPowI, ExpandFma>(context);
    patterns.add<ExpandSinCos>(context, "math.sin", Trigonometric::Sine);
    patterns.add<ExpandSinCos>(context, "math.cos", Trigonometric::Cosine);
    Target target = Target::of(module);
    if (target.isX86() && !target.has("sse4.1"))
      for (llvm::StringRef name : {"math.floor", "math.ceil", "math.trunc",
                                   "math.round", "math.roundeven"})
        patterns.add<ExpandRounding>(context, name);
    FrozenRewritePatternSet expansions(std::move(patterns));
    // Most functions have none. Sine and cosine share a table, which is the
    // module's: functions with these, one after the other.
    SmallVector<Operation *> separate, sharing;
    for (Operation &function : *module.getBody()) {
      bool any = false, shared = false;
      function.walk([&](Operation *op) {
        any |= isMath(op);
        shared |= isa<math::SinOp, math::CosOp>(op);
      });
      if (any)
        (shared ? sharing : separate).push_back(&function);
    }
    auto expand = [&](Operation *function) {
      expandOnePlusErf(function);
      GreedyRewriteConfig config;
      config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
      if (failed(applyPatternsGreedily(function, expansions, config)))
        return failure();
      WalkResult result = function->walk([&](Operation *op) -> WalkResult {
        if (!isMath(op) || isNative(op))
          return WalkResult::advance();
        return op->emitOpError("has no expansion into instructions");
      });
      return failure(result.wasInterrupted());
    };
    for (Operation *function : sharing)
      if (failed(expand(function)))
        return signalPassFailure();
    if (failed(failableParallelForEach(context, separate, expand)))
      signalPassFailure();
  }
};

} // namespace

std::unique_ptr<Pass> createExpandMathPass() {
  return std::make_unique<ExpandMath>();
}

} // namespace cornu::codegen
