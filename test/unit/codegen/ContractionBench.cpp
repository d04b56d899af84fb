//===- ContractionBench.cpp - Speed of the contraction engine -------------===//
//
// Times named shapes, or those whose names contain an argument, on one thread
// and prints GFLOP/s:
//
//   build/bin/contraction_bench matmul resnet
//   CORNU_BENCH_ASM=/tmp/k.s build/bin/contraction_bench matmul-1024
//   CORNU_BENCH_STRATEGY='#codegen.contraction<...>' overrides the choice
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/contraction/Contraction.h"
#include "codegen/strategy/Contraction.h"
#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Parser/Parser.h"
#include "test/unit/codegen/ContractionCase.h"
#include "llvm/Support/Format.h"
#include <algorithm>
#include <ctime>

using namespace mlir;
using namespace cornu;
using namespace cornu::test;

namespace {

struct Named {
  std::string name;
  ContractionCase c;
};

std::vector<Named> namedCases() {
  std::vector<Named> result;
  auto matmul = [&](const std::string &name, const std::string &spec, int64_t m,
                    int64_t n, int64_t k, bool epilogue = false) {
    ContractionCase c =
        ContractionCase::einsum(spec, {{'m', m}, {'n', n}, {'k', k}});
    c.epilogue = epilogue;
    if (spec.substr(0, 2) == "mk" && m <= 64)
      c.dynamicLoop = 0;
    result.push_back({name, c});
  };
  matmul("matmul-1024", "mk,kn->mn", 1024, 1024, 1024);
  matmul("matmul-512", "mk,kn->mn", 512, 512, 512);
  matmul("matmul-256", "mk,kn->mn", 256, 256, 256);
  matmul("matmul-1000", "mk,kn->mn", 1000, 1000, 1000);
  matmul("dense-32x784x512", "mk,kn->mn", 32, 512, 784, true);
  matmul("dense-32x512x512", "mk,kn->mn", 32, 512, 512, true);
  matmul("dense-32x100x64", "mk,kn->mn", 32, 64, 100, true);
  matmul("dense-32x64x10", "mk,kn->mn", 32, 10, 64, true);
  matmul("dense-1x784x512", "mk,kn->mn", 1, 512, 784, true);
  matmul("dense-1x512x512", "mk,kn->mn", 1, 512, 512, true);
  matmul("dense-1x100x64", "mk,kn->mn", 1, 64, 100, true);
  matmul("dense-1x64x10", "mk,kn->mn", 1, 10, 64, true);
  matmul("dense-32x128x1", "mk,kn->mn", 32, 1, 128, true);
  matmul("dx-1x512x784", "mk,nk->mn", 1, 784, 512);
  matmul("dx-1x512x128", "mk,nk->mn", 1, 128, 512);
  matmul("dx-32x512x784", "mk,nk->mn", 32, 784, 512);
  matmul("dx-32x64x100", "mk,nk->mn", 32, 100, 64);
  matmul("dx-32x10x64", "mk,nk->mn", 32, 64, 10);
  matmul("dx-1024", "mk,nk->mn", 1024, 1024, 1024);
  matmul("dw-784x512x32", "km,kn->mn", 784, 512, 32);
  matmul("dw-100x64x32", "km,kn->mn", 100, 64, 32);
  matmul("dw-64x10x32", "km,kn->mn", 64, 10, 32);
  matmul("dw-1024", "km,kn->mn", 1024, 1024, 1024);
  matmul("lstm-32x128x512", "mk,kn->mn", 32, 512, 128);
  matmul("lstm-1x128x512", "mk,kn->mn", 1, 512, 128);
  matmul("lstm-dx-32x512x128", "mk,nk->mn", 32, 128, 512);
  matmul("lstm-dw-128x512x2560", "km,kn->mn", 128, 512, 2560);
  matmul("lstm-dx-2560x512x128", "mk,nk->mn", 2560, 128, 512);
  {
    ContractionCase c = ContractionCase::einsum(
        "bqhd,bkhd->bhqk",
        {{'b', 4}, {'q', 128}, {'k', 128}, {'h', 4}, {'d', 64}});
    result.push_back({"attention-qk", c});
    c = ContractionCase::einsum(
        "bhqk,bkhd->bqhd",
        {{'b', 4}, {'q', 128}, {'k', 128}, {'h', 4}, {'d', 64}});
    result.push_back({"attention-av", c});
    c = ContractionCase::einsum(
        "btd,du->btu", {{'b', 8}, {'t', 128}, {'d', 256}, {'u', 1024}});
    c.dynamicLoop = 0;
    c.epilogue = true;
    result.push_back({"ffn-8x128x256x1024", c});
  }
  auto conv = [&](const std::string &name, int64_t n, std::vector<int64_t> in,
                  std::vector<int64_t> k, int64_t s, bool same, int64_t ic,
                  int64_t oc, int64_t groups = 1, bool backward = true) {
    ContractionCase::Conv v;
    v.input = in;
    v.kernel = k;
    v.batch = n;
    v.channels = ic;
    v.filters = oc;
    v.groups = groups;
    for (size_t i = 0; i < in.size(); ++i) {
      v.stride.push_back(s);
      v.dilation.push_back(1);
      int64_t total =
          same ? std::max<int64_t>(((in[i] + s - 1) / s - 1) * s + k[i] - in[i],
                                   0)
               : 0;
      v.low.push_back(total / 2);
      v.high.push_back(total - total / 2);
    }
    ContractionCase c =
        ContractionCase::convolution(v, ContractionCase::Direction::Forward);
    c.epilogue = true;
    c.dynamicLoop = 0;
    result.push_back({name, c});
    if (!backward)
      return;
    c = ContractionCase::convolution(v, ContractionCase::Direction::Kernel);
    c.dynamicLoop = 0;
    result.push_back({name + "-dw", c});
    if (s == 1 && ic > 3) {
      c = ContractionCase::convolution(v, ContractionCase::Direction::Input);
      c.dynamicLoop = 0;
      result.push_back({name + "-dx", c});
    }
  };
  conv("lenet-1", 32, {28, 28}, {5, 5}, 1, true, 1, 32);
  conv("lenet-2", 32, {14, 14}, {5, 5}, 1, true, 32, 64);
  conv("resnet20-stem", 32, {32, 32}, {3, 3}, 1, true, 3, 16);
  conv("resnet20-16", 32, {32, 32}, {3, 3}, 1, true, 16, 16);
  conv("resnet20-16s2", 32, {32, 32}, {3, 3}, 2, true, 16, 32);
  conv("resnet20-32", 32, {16, 16}, {3, 3}, 1, true, 32, 32);
  conv("resnet20-64", 32, {8, 8}, {3, 3}, 1, true, 64, 64);
  conv("kws-stem", 32, {49, 10}, {10, 4}, 2, true, 1, 64);
  conv("kws-1x1", 32, {25, 5}, {1, 1}, 1, true, 64, 64);
  conv("mobilenet-stem", 1, {224, 224}, {3, 3}, 2, true, 3, 32);
  conv("mobilenet-1x1a", 1, {56, 56}, {1, 1}, 1, true, 24, 144);
  conv("mobilenet-1x1b", 1, {14, 14}, {1, 1}, 1, true, 96, 576);
  conv("mobilenet-1x1c", 1, {7, 7}, {1, 1}, 1, true, 320, 1280);
  conv("resnet50-stem", 1, {224, 224}, {7, 7}, 2, true, 3, 64);
  conv("resnet50-56", 1, {56, 56}, {3, 3}, 1, true, 64, 64);
  conv("resnet50-28", 1, {28, 28}, {3, 3}, 1, true, 128, 128);
  conv("resnet50-14", 1, {14, 14}, {3, 3}, 1, true, 256, 256);
  conv("resnet50-7", 1, {7, 7}, {3, 3}, 1, true, 512, 512);
  conv("resnet50-1x1-56a", 1, {56, 56}, {1, 1}, 1, true, 64, 256);
  conv("resnet50-1x1-56b", 1, {56, 56}, {1, 1}, 1, true, 256, 64);
  conv("resnet50-1x1-14", 1, {14, 14}, {1, 1}, 1, true, 1024, 256);
  conv("resnet50-1x1-7", 1, {7, 7}, {1, 1}, 1, true, 512, 2048);
  auto depthwise = [&](const std::string &name, int64_t n,
                       std::vector<int64_t> in, int64_t s, int64_t channels) {
    std::map<char, int64_t> sizes = {{'n', n}, {'g', channels}};
    ContractionCase::Conv v;
    v.input = in;
    v.kernel = {3, 3};
    v.batch = n;
    v.groups = channels;
    v.stride = {s, s};
    v.dilation = {1, 1};
    v.low = {1, 1};
    v.high = {1, 1};
    for (auto direction : {ContractionCase::Direction::Forward,
                           ContractionCase::Direction::Kernel}) {
      ContractionCase c = ContractionCase::convolution(v, direction);
      c.dropUnitLoops();
      c.dynamicLoop = 0;
      c.epilogue = direction == ContractionCase::Direction::Forward;
      result.push_back({name + (c.epilogue ? "" : "-dw"), c});
    }
  };
  depthwise("depthwise-kws", 32, {25, 5}, 1, 64);
  depthwise("depthwise-56", 1, {56, 56}, 1, 144);
  depthwise("depthwise-28s2", 1, {28, 28}, 2, 192);
  depthwise("depthwise-7", 1, {7, 7}, 1, 960);
  return result;
}

/// Time of this thread, so that other processes disturb less.
double seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

bool run(MLIRContext &context, const Named &named) {
  OwningOpRef<ModuleOp> module =
      parseSourceString<ModuleOp>(named.c.text("kernel"), &context);
  if (!module)
    return false;
  std::string error;
  auto target = codegen::Target::create({}, error);
  linalg::GenericOp root;
  module->walk([&](linalg::GenericOp op) {
    if (op->hasAttr("root"))
      root = op;
  });
  auto strategy = codegen::chooseContraction(root, *target);
  if (failed(strategy))
    return false;
  if (const char *text = std::getenv("CORNU_BENCH_STRATEGY"))
    *strategy = mlir::parseAttribute(text, &context);
  IRRewriter rewriter(&context);
  if (failed(codegen::scheduleContraction(
          rewriter, root, cast<codegen::ContractionAttr>(*strategy), *target)))
    return false;
  if (std::getenv("CORNU_BENCH_IR"))
    module->dump();
  Jit::Options options;
  if (const char *file = std::getenv("CORNU_BENCH_ASM"))
    options.dumpAsm = file;
  double compiling = seconds();
  auto jit = Jit::compile(*module, options);
  compiling = seconds() - compiling;
  if (!jit)
    return false;
  std::mt19937 random(1);
  auto arguments = named.c.arguments<float>(random);
  auto pointers = arguments.pointers();
  double flops = 2 * named.c.multiplyAdds();
  int64_t repeat = std::max<int64_t>(1, int64_t(5e7 / flops));
  double best = 1e9;
  for (int attempt = 0; attempt < 25; ++attempt) {
    double start = seconds();
    for (int64_t i = 0; i < repeat; ++i)
      jit->call("kernel", pointers);
    best = std::min(best, (seconds() - start) / double(repeat));
  }
  std::string text;
  llvm::raw_string_ostream(text) << *strategy;
  std::printf("%-22s %8.2f us %7.1f GF/s  %s (%.2f s)\n", named.name.c_str(),
              best * 1e6, flops / best / 1e9,
              text.substr(std::min<size_t>(text.size(), 21)).c_str(),
              compiling);
  std::fflush(stdout);
  return true;
}

} // namespace

int main(int argc, char **argv) {
  MLIRContext context;
  context.loadDialect<
      arith::ArithDialect, func::FuncDialect, linalg::LinalgDialect,
      math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
      vector::VectorDialect, LLVM::LLVMDialect, codegen::CodegenDialect>();
  for (const Named &named : namedCases()) {
    bool wanted = argc < 2;
    for (int i = 1; i < argc; ++i)
      wanted |= named.name.find(argv[i]) != std::string::npos;
    if (wanted && !run(context, named)) {
      std::fprintf(stderr, "%s failed\n", named.name.c_str());
      return 1;
    }
  }
  return 0;
}
