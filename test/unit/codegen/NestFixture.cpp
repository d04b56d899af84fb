//===- NestFixture.cpp - Kernels by the schedule and by plain loops -------===//

#include "test/unit/codegen/NestFixture.h"

#include "codegen/IR/Codegen.h"
#include "codegen/schedule/Schedule.h"
#include "codegen/strategy/Candidates.h"
#include "codegen/strategy/GivenStrategies.h"
#include "codegen/strategy/Strategy.h"
#include "codegen/target/Target.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Transforms/Passes.h"
#include <cmath>
#include <random>

using namespace mlir;

namespace cornu::test {

namespace {

/// One argument of a kernel, in two copies.
struct Argument {
  Type element;
  std::unique_ptr<ArrayBase> mine, reference;
};

template <typename T>
Argument makeArgument(Type element, ArrayRef<int64_t> shape,
                      std::mt19937 &random, int64_t low, int64_t high) {
  std::vector<int64_t> dims(shape.begin(), shape.end());
  auto array = std::make_unique<Array<T>>(dims);
  for (int64_t i = 0; i < array->count(); ++i) {
    if (std::is_floating_point<T>::value)
      (*array)[i] = std::uniform_real_distribution<double>(-2, 2)(random);
    else
      (*array)[i] = std::uniform_int_distribution<int64_t>(low, high)(random);
  }
  auto copy = std::make_unique<Array<T>>(*array);
  return {element, std::move(array), std::move(copy)};
}

template <typename T>
void compare(Argument &argument, unsigned number, double tolerance) {
  auto &mine = static_cast<Array<T> &>(*argument.mine);
  auto &reference = static_cast<Array<T> &>(*argument.reference);
  EXPECT_TRUE(mine.intact()) << "argument " << number << " written outside";
  double largest = 1;
  for (int64_t i = 0; i < mine.count(); ++i)
    if (std::isfinite(double(reference[i])))
      largest = std::max(largest, std::abs(double(reference[i])));
  int wrong = 0;
  for (int64_t i = 0; i < mine.count() && wrong < 4; ++i) {
    double a = mine[i], b = reference[i];
    bool same = std::isnan(a)
                    ? std::isnan(b)
                    : a == b || std::abs(a - b) <= tolerance * largest;
    if (!same) {
      ++wrong;
      ADD_FAILURE() << "argument " << number << "[" << i << "]: " << a
                    << " instead of " << b;
    }
  }
}

/// memref.copy would call a library that the JIT does not have.
static void replaceCopies(ModuleOp module) {
  SmallVector<memref::CopyOp> copies;
  module.walk([&](memref::CopyOp op) { copies.push_back(op); });
  for (memref::CopyOp op : copies) {
    OpBuilder builder(op);
    linalg::CopyOp::create(builder, op.getLoc(), op.getSource(),
                           op.getTarget());
    op.erase();
  }
}

} // namespace

NestTest::NestTest() {
  DialectRegistry registry;
  registry.insert<affine::AffineDialect, arith::ArithDialect, func::FuncDialect,
                  linalg::LinalgDialect, LLVM::LLVMDialect, math::MathDialect,
                  memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect,
                  codegen::CodegenDialect>();
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
}

/// Each op's strategy becomes another, up to three steps of a tuner away.
static void takeCandidates(ModuleOp module, const codegen::Target &target) {
  std::mt19937 random(1);
  for (auto kernel : module.getOps<func::FuncOp>())
    for (linalg::GenericOp op : codegen::opsWithStrategies(kernel)) {
      Attribute strategy = op->getAttr("codegen.strategy");
      for (unsigned steps = 1 + random() % 3; steps > 0; --steps) {
        auto near = codegen::candidatesNear(op, strategy, target);
        if (near.empty())
          break;
        strategy = near[random() % near.size()];
        EXPECT_EQ(codegen::whyUnsuitable(op, strategy, target), "");
      }
      op->setAttr("codegen.strategy", strategy);
    }
}

std::unique_ptr<Jit> NestTest::compile(const std::string &text, Way way,
                                       SmallVector<Type> &types) {
  const bool scheduled = way != Way::Loops;
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
  if (!module)
    return nullptr;
  auto kernel = *module->getOps<func::FuncOp>().begin();
  types.assign(kernel.getArgumentTypes().begin(),
               kernel.getArgumentTypes().end());
  PassManager manager(&context);
  if (scheduled) {
    codegen::TargetOptions options;
    std::string error;
    if (auto target = codegen::Target::create(options, error)) {
      if (l2Bytes)
        target->l2Bytes = l2Bytes;
      target->attachTo(*module);
    }
    manager.addNestedPass<func::FuncOp>(codegen::createStrategyPass());
    if (way == Way::Candidates) {
      PassManager strategies(&context);
      strategies.addNestedPass<func::FuncOp>(codegen::createStrategyPass());
      if (failed(strategies.run(*module)))
        return nullptr;
      takeCandidates(*module, codegen::Target::of(*module));
    }
    manager.addNestedPass<func::FuncOp>(codegen::createSchedulePass());
  } else {
    replaceCopies(*module);
    manager.addNestedPass<func::FuncOp>(createConvertLinalgToLoopsPass());
  }
  if (failed(manager.run(*module)))
    return nullptr;
  if (scheduled && getenv("NEST_DUMP"))
    module->dump();
  if (scheduled) {
    module->walk([&](linalg::LinalgOp op) {
      ADD_FAILURE() << "left unscheduled: "
                    << op->getName().getStringRef().str();
    });
    // What scales with the batch is scratch of the caller's.
    module->walk([&](memref::AllocOp op) {
      if (op.getType().hasStaticShape())
        ADD_FAILURE() << "an allocation is left";
    });
  }
  Jit::Options options;
  if (getenv("NEST_ASM") && scheduled)
    options.dumpAsm = getenv("NEST_ASM");
  return Jit::compile(*module, options);
}

void NestTest::check(const std::string &text, double tolerance, int64_t low,
                     int64_t high) {
  SmallVector<Type> types;
  auto reference = compile(text, Way::Loops, types);
  ASSERT_TRUE(reference);
  for (Way way : {Way::Default, Way::Candidates}) {
    auto mine = compile(text, way, types);
    ASSERT_TRUE(mine);
    SCOPED_TRACE(way == Way::Default ? "the defaults" : "candidates");
    compareRuns(*mine, *reference, types, tolerance, low, high);
    if (HasFailure())
      return;
  }
}

void NestTest::compareRuns(Jit &mine, Jit &reference, ArrayRef<Type> types,
                           double tolerance, int64_t low, int64_t high) {
  for (int64_t batch : {1, 2, 3, 17, 1000}) {
    std::mt19937 random(batch);
    std::vector<Argument> arguments;
    for (Type type : types) {
      auto memref = cast<MemRefType>(type);
      Type element = memref.getElementType();
      bool workspace = memref.getRank() == 1 && element.isInteger(8) &&
                       memref.isDynamicDim(0) && type == types.back();
      if (workspace)
        continue;
      SmallVector<int64_t> shape(memref.getShape());
      for (int64_t &size : shape)
        if (ShapedType::isDynamic(size))
          size = batch;
      if (element.isF32())
        arguments.push_back(
            makeArgument<float>(element, shape, random, low, high));
      else if (element.isF64())
        arguments.push_back(
            makeArgument<double>(element, shape, random, low, high));
      else if (element.isInteger(32))
        arguments.push_back(
            makeArgument<int32_t>(element, shape, random, low, high));
      else if (element.isInteger(1))
        arguments.push_back(makeArgument<int8_t>(element, shape, random, 0, 1));
      else
        arguments.push_back(
            makeArgument<int8_t>(element, shape, random, low, high));
    }
    std::vector<ArrayBase *> a, b;
    for (Argument &argument : arguments) {
      a.push_back(argument.mine.get());
      b.push_back(argument.reference.get());
    }
    ASSERT_TRUE(mine.call("kernel", a));
    ASSERT_TRUE(reference.call("kernel", b));
    SCOPED_TRACE("batch " + std::to_string(batch));
    for (auto [i, argument] : llvm::enumerate(arguments)) {
      if (argument.element.isF32())
        compare<float>(argument, i, tolerance);
      else if (argument.element.isF64())
        compare<double>(argument, i, tolerance * 1e-6);
      else if (argument.element.isInteger(32))
        compare<int32_t>(argument, i, 0);
      else
        compare<int8_t>(argument, i, 0);
    }
    if (HasFailure())
      return;
  }
}

} // namespace cornu::test
