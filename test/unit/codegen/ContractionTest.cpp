//===- ContractionTest.cpp - The contraction engine against loops ---------===//
//
// Random forms, shapes, paddings, fusions and strategies, compiled and
// compared with a plain loop over double:
//
//   CORNU_TEST_SEED=7 CORNU_TEST_CASES=5000 build/bin/contraction_test
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/contraction/Contraction.h"
#include "codegen/strategy/Candidates.h"
#include "codegen/strategy/Contraction.h"
#include "codegen/strategy/WeightLayout.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Parser/Parser.h"
#include "test/unit/codegen/ContractionCase.h"
#include "gtest/gtest.h"
#include <cmath>
#include <cstdlib>

using namespace mlir;
using namespace cornu;
using namespace cornu::test;

namespace {

int64_t fromEnvironment(const char *name, int64_t fallback) {
  const char *text = std::getenv(name);
  return text ? std::atoll(text) : fallback;
}

class ContractionTest : public ::testing::Test {
protected:
  ContractionTest() : random(fromEnvironment("CORNU_TEST_SEED", 1)) {
    context.loadDialect<
        arith::ArithDialect, func::FuncDialect, linalg::LinalgDialect,
        math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
        vector::VectorDialect, LLVM::LLVMDialect, codegen::CodegenDialect>();
  }

  int64_t pick(int64_t low, int64_t high) {
    return low + int64_t(random() % uint64_t(high - low + 1));
  }
  template <typename T> T oneOf(std::initializer_list<T> values) {
    return values.begin()[random() % values.size()];
  }
  bool chance(int percent) { return pick(1, 100) <= percent; }

  void decorate(ContractionCase &c);
  ContractionCase randomEinsum();
  ContractionCase randomConvolution();
  ContractionCase randomFewFilters();
  ContractionCase randomSquareWindow();
  /// Compiles the cases as one module and compares each.
  void check(std::vector<ContractionCase> &cases);
  /// So many cases, or as many as the environment says.
  void checkMany(int64_t count, llvm::function_ref<ContractionCase()> make);
  template <typename T> void compare(Jit &jit, ContractionCase &c, size_t i);
  void layOutWeight(linalg::GenericOp root, size_t i);

  int64_t divisor(int64_t number);

  /// An argument of a case that lies in panels.
  struct PackedArgument {
    unsigned number = 0;
    codegen::Panels panels;
  };
  std::map<size_t, PackedArgument> packed;

  MLIRContext context;
  std::mt19937 random;
};

/// Fusions, unknown extents, element type and odd strategies.
void ContractionTest::decorate(ContractionCase &c) {
  c.isDouble = chance(15);
  c.prologue[0] = chance(25);
  c.prologue[1] = chance(20);
  c.epilogue = chance(40);
  c.function = chance(40);
  c.secondResult = c.epilogue && chance(30);
  c.accumulate = !c.epilogue && chance(15);
  if (chance(60)) {
    // A loop that each operand indexes alone, if at all.
    for (size_t loop = 0; loop < c.extents.size() && c.dynamicLoop < 0;
         ++loop) {
      bool alone = true;
      for (auto &dims : c.operands)
        for (size_t d = 0; d < dims.size(); ++d)
          if (dims[d].coefficients[loop] != 0)
            alone &= d == 0 && dims[d].coefficients[loop] == 1 &&
                     dims[d].low == 0 && dims[d].high == 0;
      if (alone && chance(70))
        c.dynamicLoop = loop;
    }
  }
  if (chance(60)) {
    auto flag = [&] { return chance(30) ? "true" : "false"; };
    std::string text = "#codegen.contraction<mr = ";
    text += std::to_string(pick(1, 8)) + ", nr = ";
    text += std::to_string(oneOf<int64_t>({1, 4, 8, 12, 16, 24})) + ", mc = ";
    text += std::to_string(pick(1, 40)) + ", nc = ";
    text += std::to_string(pick(1, 40)) + ", kc = ";
    text += std::to_string(pick(1, 40)) + ", copy_left = ";
    text += std::string(flag()) + ", copy_right = " + flag();
    text +=
        std::string(", pack_right = ") + flag() + ", flatten_rows = " + flag() +
        ", along_reduction = " + flag() +
        ", single_row_nr = " + std::to_string(oneOf<int64_t>({0, 4, 32, 64})) +
        ", serial = 1000>";
    c.strategy = text;
  }
}

ContractionCase ContractionTest::randomEinsum() {
  std::string spec = oneOf<const char *>(
      {"mk,kn->mn",       "km,kn->mn",       "mk,nk->mn",       "km,nk->mn",
       "bmk,bkn->bmn",    "bth,hu->btu",     "bth,btu->hu",     "btu,hu->bth",
       "bqhd,bkhd->bhqk", "bhqk,bkhd->bqhd", "bhqk,bqhd->bkhd", "k,kn->n",
       "mk,k->m",         "k,k->",           "m,n->mn",         "bk,bk->b",
       "bm,bn->bmn",      "abk,kcd->abcd",   "mab,abn->mn",     "amk,kn->anm",
       "bk,bkn->bn",      "nk,mk->mn",       "mk,kn->nm",       "ab,cbd->acd"});
  if (spec == "k,k->")
    spec = "ak,ak->a";
  std::map<char, int64_t> sizes;
  for (char c : spec)
    if (std::isalpha(c) && !sizes.count(c))
      sizes[c] = chance(10) ? 1 : chance(15) ? pick(20, 70) : pick(1, 20);
  ContractionCase c = ContractionCase::einsum(spec, sizes);
  decorate(c);
  return c;
}

ContractionCase ContractionTest::randomConvolution() {
  ContractionCase::Conv conv;
  size_t rank = oneOf<size_t>({1, 2, 2, 2, 3});
  auto direction = oneOf<ContractionCase::Direction>(
      {ContractionCase::Direction::Forward, ContractionCase::Direction::Forward,
       ContractionCase::Direction::Kernel, ContractionCase::Direction::Input});
  bool toInput = direction == ContractionCase::Direction::Input;
  for (size_t i = 0; i < rank; ++i) {
    conv.kernel.push_back(pick(1, 5));
    conv.stride.push_back(toInput ? 1 : oneOf<int64_t>({1, 1, 2, 3}));
    conv.dilation.push_back(chance(20) ? 2 : 1);
    int64_t reach = (conv.kernel[i] - 1) * conv.dilation[i];
    conv.low.push_back(chance(50) ? pick(0, reach) : 0);
    conv.high.push_back(chance(50) ? pick(0, reach) : 0);
    conv.input.push_back(reach + pick(1, rank == 3 ? 4 : 10));
  }
  conv.batch = pick(1, 4);
  conv.groups = chance(30) ? pick(2, 9) : 1;
  conv.channels = conv.groups > 1 && chance(50) ? 1 : pick(1, 12);
  conv.filters = conv.groups > 1 && chance(50) ? 1 : pick(1, 20);
  ContractionCase c = ContractionCase::convolution(conv, direction);
  if (conv.groups > 1 && conv.channels == 1 && conv.filters == 1)
    c.dropUnitLoops(); // a depthwise convolution has neither c nor f
  decorate(c);
  return c;
}

/// Few filters: the sums run along the reduction, or the lanes along what is
/// contiguous in the input.
ContractionCase ContractionTest::randomFewFilters() {
  ContractionCase::Conv conv;
  size_t rank = pick(1, 2);
  auto direction = oneOf<ContractionCase::Direction>(
      {ContractionCase::Direction::Forward, ContractionCase::Direction::Forward,
       ContractionCase::Direction::Kernel});
  for (size_t i = 0; i < rank; ++i) {
    conv.kernel.push_back(oneOf<int64_t>({1, 1, 2, 3, 5}));
    conv.stride.push_back(chance(80) ? 1 : 2);
    conv.dilation.push_back(chance(10) ? 2 : 1);
    int64_t reach = (conv.kernel[i] - 1) * conv.dilation[i];
    conv.low.push_back(chance(50) ? pick(0, reach) : 0);
    conv.high.push_back(chance(50) ? pick(0, reach) : 0);
    conv.input.push_back(reach + (i + 1 == rank ? pick(1, 40) : pick(1, 6)));
  }
  conv.batch = pick(1, 4);
  conv.groups = 1;
  conv.channels =
      chance(50) ? 16 * pick(1, 4) : oneOf<int64_t>({1, 1, 2, 3, 24, 40});
  conv.filters = pick(1, 8);
  ContractionCase c = ContractionCase::convolution(conv, direction);
  decorate(c);
  return c;
}

/// A convolution that minimal filtering can compute, with odd blocking of it.
ContractionCase ContractionTest::randomSquareWindow() {
  ContractionCase::Conv conv;
  int64_t taps = oneOf<int64_t>({3, 3, 5, 5, 7});
  for (size_t i = 0; i < 2; ++i) {
    conv.kernel.push_back(taps);
    conv.stride.push_back(1);
    conv.dilation.push_back(1);
    conv.low.push_back(chance(60) ? pick(0, taps - 1) : 0);
    conv.high.push_back(chance(60) ? pick(0, taps - 1) : 0);
    conv.input.push_back(taps + pick(0, 6));
  }
  conv.batch = pick(1, 4);
  conv.channels = chance(50) ? 16 * pick(1, 2) : pick(1, 40);
  conv.filters = chance(50) ? 16 * pick(1, 3) : pick(1, 50);
  auto direction = oneOf<ContractionCase::Direction>(
      {ContractionCase::Direction::Forward, ContractionCase::Direction::Input,
       ContractionCase::Direction::Kernel});
  ContractionCase c = ContractionCase::convolution(conv, direction);
  decorate(c);
  c.isDouble = c.accumulate = false;
  // F(4x4, 3x3), F(2x2, 5x5), or parts of F(2x2, 3x3).
  bool inParts = taps == 7 || chance(50);
  auto block = [&](int64_t extent) {
    return extent % 16 == 0 && chance(50) ? 16 : extent;
  };
  if (chance(70))
    c.strategy =
        "#codegen.contraction<mr = " + std::to_string(pick(1, 6)) +
        ", nr = " + std::to_string(pick(1, 64)) +
        ", mc = 8, nc = 48, kc = 20, copy_left = false, copy_right = false, "
        "pack_right = true, flatten_rows = false, along_reduction = false, "
        "single_row_nr = 0, serial = 1000, winograd = <side = " +
        std::to_string(taps == 3 && !inParts ? 4 : 2) +
        ", taps = " + std::to_string(inParts ? 3 : taps) +
        ", squares = " + std::to_string(pick(1, 9)) +
        ", from = " + std::to_string(oneOf<int64_t>({0, 6})) +
        ", sums = " + std::to_string(pick(1, 3)) +
        ", channels = " + std::to_string(block(conv.channels)) +
        ", lanes = " + std::to_string(block(conv.filters)) + ">>";
  return c;
}

/// A random divisor.
int64_t ContractionTest::divisor(int64_t number) {
  int64_t result = pick(1, number);
  while (number % result != 0)
    --result;
  return result;
}

/// Half of the matrices that may lie in panels do, at most one in each case.
void ContractionTest::layOutWeight(linalg::GenericOp root, size_t i) {
  for (BlockArgument argument :
       root->getParentOfType<func::FuncOp>().getArguments()) {
    if (chance(50))
      continue;
    auto type = dyn_cast<MemRefType>(argument.getType());
    int64_t columns =
        type && type.getRank() && !type.isDynamicDim(type.getRank() - 1)
            ? type.getShape().back()
            : 1;
    SmallVector<linalg::GenericOp> ops;
    codegen::Panels panels = codegen::panelsWanted(argument, ops);
    bool isAlone = llvm::all_of(argument.getUsers(), [&](Operation *user) {
      return user == root || isa<linalg::FillOp>(user);
    });
    if (panels) {
      codegen::readPanels(root, panels.width);
    } else if (isAlone && codegen::canReadAlongReduction(root, argument)) {
      panels.width = divisor(columns);
      codegen::readAlongReduction(root, panels.width);
    } else {
      panels.width = divisor(columns);
      if (!isAlone || !codegen::canWritePanels(root, argument, panels.width))
        continue;
      codegen::writePanels(root, panels.width);
    }
    packed[i] = {argument.getArgNumber(), panels};
    return;
  }
}

/// A row-major matrix, the lane's dimension last or first, to matrices of
/// `width` of its columns.
template <typename A>
static void toPanels(A &array, ArrayRef<int64_t> shape,
                     codegen::Panels panels) {
  std::vector<std::decay_t<decltype(array[0])>> moved;
  int64_t columns = panels.laneFirst ? shape.front() : shape.back(), rows = 1;
  for (int64_t size : panels.laneFirst ? shape.drop_front() : shape.drop_back())
    rows *= size;
  for (int64_t start = 0; start < columns; start += panels.width)
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t c = start; c < std::min(start + panels.width, columns); ++c)
        moved.push_back(
            array[panels.laneFirst ? c * rows + row : row * columns + c]);
  for (size_t j = 0; j < moved.size(); ++j)
    array[j] = moved[j];
}

template <typename T>
void ContractionTest::compare(Jit &jit, ContractionCase &c, size_t i) {
  auto arguments = c.arguments<T>(random);
  auto expected = c.reference(arguments);
  size_t firstResult = arguments.arrays.size() - expected.size();
  if (auto found = packed.find(i); found != packed.end()) {
    auto [number, panels] = found->second;
    Array<T> &array = arguments.arrays[number];
    toPanels(array, array.shape, panels);
    if (number >= firstResult)
      toPanels(expected[number - firstResult], array.shape, panels);
  }
  ASSERT_TRUE(jit.call("kernel_" + std::to_string(i), arguments.pointers()));
  double terms = 1;
  for (size_t l = 0; l < c.extents.size(); ++l)
    if (c.reduction[l])
      terms *= double(c.extents[l]);
  double tolerance = (c.isDouble ? 1e-14 : 1e-6) * (4 + terms);
  for (size_t r = 0; r < expected.size(); ++r) {
    Array<T> &out = arguments.arrays[firstResult + r];
    ASSERT_TRUE(out.intact()) << "wrote outside\n" << c.describe();
    for (size_t j = 0; j < expected[r].size(); ++j)
      ASSERT_NEAR(double(out[j]), expected[r][j], tolerance)
          << "at " << j << " of result " << r << "\n"
          << (packed.count(i) ? "in panels " : "") << c.describe();
  }
}

void ContractionTest::check(std::vector<ContractionCase> &cases) {
  std::string text;
  for (size_t i = 0; i < cases.size(); ++i)
    text += cases[i].text("kernel_" + std::to_string(i));
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
  ASSERT_TRUE(module) << text;
  std::string error;
  auto target = codegen::Target::create({}, error);
  ASSERT_TRUE(target) << error;
  SmallVector<linalg::GenericOp> roots;
  module->walk([&](linalg::GenericOp op) {
    if (op->hasAttr("root"))
      roots.push_back(op);
  });
  ASSERT_EQ(roots.size(), cases.size());
  IRRewriter rewriter(&context);
  packed.clear();
  for (auto [i, root, c] : llvm::enumerate(roots, cases)) {
    ASSERT_TRUE(codegen::isContraction(root)) << c.describe();
    if (!root->hasAttr("codegen.strategy")) {
      auto chosen = codegen::chooseContraction(root, *target);
      ASSERT_TRUE(succeeded(chosen)) << c.describe();
      root->setAttr("codegen.strategy", *chosen);
      // Or what a tuner would try: some steps away.
      Attribute strategy = *chosen;
      for (int64_t steps = pick(0, 3); steps > 0; --steps) {
        auto near = codegen::candidatesNear(root, strategy, *target);
        if (near.empty())
          break;
        strategy = near[pick(0, near.size() - 1)];
        ASSERT_EQ(codegen::whyUnsuitable(root, strategy, *target), "")
            << c.describe();
      }
      root->setAttr("codegen.strategy", strategy);
    }
    layOutWeight(root, i);
    auto strategy =
        root->getAttrOfType<codegen::ContractionAttr>("codegen.strategy");
    ASSERT_TRUE(succeeded(
        codegen::scheduleContraction(rewriter, root, strategy, *target)))
        << c.describe();
  }
  std::string leftovers;
  llvm::raw_string_ostream stream(leftovers);
  module->walk([&](Operation *op) {
    if (isa<linalg::LinalgOp, memref::AllocOp, memref::CopyOp>(op))
      stream << op->getParentOfType<func::FuncOp>().getName() << ": " << *op
             << "\n";
  });
  ASSERT_EQ(leftovers, "") << "something was not absorbed in\n" << text;
  if (std::getenv("CORNU_TEST_PRINT"))
    module->dump();
  ASSERT_TRUE(succeeded(module->verify()));
  Jit::Options options;
  options.level = 1;
  auto jit = Jit::compile(*module, options);
  ASSERT_TRUE(jit);
  for (size_t i = 0; i < cases.size(); ++i) {
    if (cases[i].isDouble)
      compare<double>(*jit, cases[i], i);
    else
      compare<float>(*jit, cases[i], i);
    if (HasFatalFailure())
      return;
  }
}

void ContractionTest::checkMany(int64_t count,
                                llvm::function_ref<ContractionCase()> make) {
  count = fromEnvironment("CORNU_TEST_CASES", count);
  for (int64_t done = 0; done < count && !HasFatalFailure(); done += 20) {
    std::vector<ContractionCase> cases;
    for (int i = 0; i < 20; ++i)
      cases.push_back(make());
    check(cases);
  }
}

TEST_F(ContractionTest, RandomEinsums) {
  checkMany(200, [&] { return randomEinsum(); });
}

TEST_F(ContractionTest, RandomConvolutions) {
  checkMany(200, [&] { return randomConvolution(); });
}

TEST_F(ContractionTest, RandomFewFilters) {
  checkMany(80, [&] { return randomFewFilters(); });
}

TEST_F(ContractionTest, RandomSquareWindows) {
  checkMany(40, [&] { return randomSquareWindow(); });
}

} // namespace
