//===- NestBench.cpp - Speed of nests -------------------------------------===//
//
// Times named kernels (or those whose names contain an argument) on one thread
// and prints bytes moved per second, beside what a copy of the same size moves:
//
//   build/bin/nest_bench softmax pool
//   CORNU_BENCH_ASM=/tmp/k.s build/bin/nest_bench relu-large
//
//===----------------------------------------------------------------------===//

#include "codegen/IR/Codegen.h"
#include "codegen/emit/Passes.h"
#include "codegen/schedule/Schedule.h"
#include "codegen/strategy/Strategy.h"
#include "codegen/target/Target.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Parser/Parser.h"
#include "test/unit/codegen/Jit.h"
#include "llvm/Support/Format.h"
#include <algorithm>
#include <cstring>
#include <ctime>

using namespace mlir;
using namespace cornu;
using namespace cornu::test;

namespace {

struct Named {
  std::string name;
  int64_t batch;
  std::string text;
};

const char *kRelu = R"(
func.func @kernel(%x: memref<?x$Nxf32>, %o: memref<?x$Nxf32>, %w: memref<?xi8>) {
  %zero = arith.constant 0.0 : f32
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<?x$Nxf32>) outs(%o : memref<?x$Nxf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.maximumf %a, %zero : f32
    linalg.yield %0 : f32
  }
  return
})";

const char *kBias = R"(
func.func @kernel(%x: memref<?x$Nxf32>, %c: memref<$Nxf32>, %o: memref<?x$Nxf32>, %w: memref<?xi8>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x, %c : memref<?x$Nxf32>, memref<$Nxf32>) outs(%o : memref<?x$Nxf32>) {
  ^bb0(%a: f32, %s: f32, %b: f32):
    %0 = arith.addf %a, %s : f32
    %1 = math.$F %0 : f32
    linalg.yield %1 : f32
  }
  return
})";

const char *kTranspose = R"(
func.func @kernel(%x: memref<?x$Nx$Mxf32>, %o: memref<?x$Mx$Nxf32>, %w: memref<?xi8>) {
  linalg.generic {indexing_maps = [affine_map<(b, i, j) -> (b, j, i)>, affine_map<(b, i, j) -> (b, i, j)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x : memref<?x$Nx$Mxf32>) outs(%o : memref<?x$Mx$Nxf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  }
  return
})";

const char *kReduce = R"(
func.func @kernel(%x: memref<?x$Nxf32>, %o: memref<$O>, %w: memref<?xi8>) {
  %init = arith.constant 0.0 : f32
  linalg.fill ins(%init : f32) outs(%o : memref<$O>)
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> ($M)>], iterator_types = [$T]}
      ins(%x : memref<?x$Nxf32>) outs(%o : memref<$O>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  }
  return
})";

const char *kSoftmax = R"(
func.func @kernel(%x: memref<?x$Nxf32>, %y: memref<?x$Nxf32>, %w: memref<?xi8>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %n = memref.dim %x, %c0 : memref<?x$Nxf32>
  %m = memref.alloc(%n) : memref<?xf32>
  linalg.fill ins(%low : f32) outs(%m : memref<?xf32>)
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<?x$Nxf32>) outs(%m : memref<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.maximumf %a, %b : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x, %m : memref<?x$Nxf32>, memref<?xf32>) outs(%y : memref<?x$Nxf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.subf %a, %b : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  }
  %s = memref.alloc(%n) : memref<?xf32>
  linalg.fill ins(%zero : f32) outs(%s : memref<?xf32>)
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%y : memref<?x$Nxf32>) outs(%s : memref<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%s : memref<?xf32>) outs(%y : memref<?x$Nxf32>) {
  ^bb0(%b: f32, %c: f32):
    %0 = arith.divf %c, %b : f32
    linalg.yield %0 : f32
  }
  return
})";

const char *kPool = R"(
func.func @kernel(%x: memref<?x$Hx$Hx$Cxf32>, %o: memref<?x$Ox$Ox$Cxf32>, %w: memref<?xi8>) {
  %c0 = arith.constant 0 : index
  %init = arith.constant $I : f32
  %n = memref.dim %x, %c0 : memref<?x$Hx$Hx$Cxf32>
  %p = memref.alloc(%n) : memref<?x$Qx$Qx$Cxf32>
  linalg.fill ins(%init : f32) outs(%p : memref<?x$Qx$Qx$Cxf32>)
  %s = memref.subview %p[0, $P, $P, 0] [%n, $H, $H, $C] [1, 1, 1, 1] : memref<?x$Qx$Qx$Cxf32> to memref<?x$Hx$Hx$Cxf32, strided<[$A, $B, $C, 1], offset: $D>>
  memref.copy %x, %s : memref<?x$Hx$Hx$Cxf32> to memref<?x$Hx$Hx$Cxf32, strided<[$A, $B, $C, 1], offset: $D>>
  %k = memref.alloc() : memref<$Kx$Kxf32>
  linalg.fill ins(%init : f32) outs(%o : memref<?x$Ox$Ox$Cxf32>)
  linalg.generic {indexing_maps = [affine_map<(n, h, w, i, j, c) -> (n, h * $S + i, w * $S + j, c)>, affine_map<(n, h, w, i, j, c) -> (i, j)>, affine_map<(n, h, w, i, j, c) -> (n, h, w, c)>],
      iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "parallel"]}
      ins(%p, %k : memref<?x$Qx$Qx$Cxf32>, memref<$Kx$Kxf32>) outs(%o : memref<?x$Ox$Ox$Cxf32>) {
  ^bb0(%a: f32, %z: f32, %b: f32):
    %0 = $F %a, %b : f32
    linalg.yield %0 : f32
  }
  return
})";

const char *kScatter = R"(
func.func @kernel(%y: memref<?x$Ox$Ox$Cxf32>, %o: memref<?x$Hx$Hx$Cxf32>, %w: memref<?xi8>) {
  %zero = arith.constant 0.0 : f32
  %k = memref.alloc() : memref<$Kx$Kxf32>
  linalg.fill ins(%zero : f32) outs(%o : memref<?x$Hx$Hx$Cxf32>)
  linalg.generic {indexing_maps = [affine_map<(n, h, w, i, j, c) -> (n, h, w, c)>, affine_map<(n, h, w, i, j, c) -> (i, j)>, affine_map<(n, h, w, i, j, c) -> (n, h * $S + i, w * $S + j, c)>],
      iterator_types = ["parallel", "reduction", "reduction", "reduction", "reduction", "parallel"]}
      ins(%y, %k : memref<?x$Ox$Ox$Cxf32>, memref<$Kx$Kxf32>) outs(%o : memref<?x$Hx$Hx$Cxf32>) {
  ^bb0(%a: f32, %z: f32, %b: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  }
  return
})";

const char *kGather = R"(
func.func @kernel(%t: memref<1000x$Nxf32>, %i: memref<?xi32>, %o: memref<?x$Nxf32>, %w: memref<?xi8>) {
  linalg.generic {indexing_maps = [affine_map<(b, d) -> (b)>, affine_map<(b, d) -> (b, d)>], iterator_types = ["parallel", "parallel"]}
      ins(%i : memref<?xi32>) outs(%o : memref<?x$Nxf32>) {
  ^bb0(%a: i32, %b: f32):
    %d = linalg.index 1 : index
    %2 = arith.index_cast %a : i32 to index
    %3 = memref.load %t[%2, %d] : memref<1000x$Nxf32>
    linalg.yield %3 : f32
  }
  return
})";

std::vector<Named> namedCases() {
  std::vector<Named> cases;
  auto text = [](int64_t value) { return std::to_string(value); };
  auto add = [&](std::string name, int64_t batch, const char *kernel,
                 std::vector<std::pair<std::string, std::string>> values) {
    cases.push_back({name, batch, with(kernel, values)});
  };
  add("relu-large", 65536, kRelu, {{"$N", "256"}});
  add("relu-l2", 256, kRelu, {{"$N", "256"}});
  add("relu-32x10", 32, kRelu, {{"$N", "10"}});
  add("bias-sqrt-l2", 256, kBias, {{"$N", "256"}, {"$F", "absf"}});
  add("bias-exp-l2", 256, kBias, {{"$N", "256"}, {"$F", "exp"}});
  add("bias-tanh-l2", 256, kBias, {{"$N", "256"}, {"$F", "tanh"}});
  add("transpose-64x196", 4, kTranspose, {{"$N", "64"}, {"$M", "196"}});
  add("transpose-1024", 1, kTranspose, {{"$N", "1024"}, {"$M", "1024"}});
  const char *row = "\"parallel\", \"reduction\"";
  const char *column = "\"reduction\", \"parallel\"";
  const char *all = "\"reduction\", \"reduction\"";
  for (const char *n : {"10", "64", "256", "2048"}) {
    int64_t batch = 65536 / atoi(n);
    add(std::string("rows-") + n, batch, kReduce,
        {{"$M", "i"}, {"$O", "?xf32"}, {"$T", row}, {"$N", n}});
    add(std::string("columns-") + n, batch, kReduce,
        {{"$M", "j"}, {"$O", "$Nxf32"}, {"$T", column}, {"$N", n}});
  }
  add("columns-large-256", 65536, kReduce,
      {{"$M", "j"}, {"$O", "$Nxf32"}, {"$T", column}, {"$N", "256"}});
  add("everything-large", 65536, kReduce,
      {{"$M", ""}, {"$O", "f32"}, {"$T", all}, {"$N", "256"}});
  for (const char *n : {"10", "64", "128", "1000"})
    add(std::string("softmax-") + n, 65536 / atoi(n), kSoftmax, {{"$N", n}});
  auto pool = [&](std::string name, int64_t batch, int h, int c, int k, int s,
                  int p, const char *op, const char *init) {
    int q = h + 2 * p, o = (q - k) / s + 1;
    add(name, batch, kPool,
        {{"$F", op},
         {"$I", init},
         {"$A", text(q * q * c)},
         {"$B", text(q * c)},
         {"$D", text((p * q + p) * c)},
         {"$H", text(h)},
         {"$C", text(c)},
         {"$O", text(o)},
         {"$Q", text(q)},
         {"$P", text(p)},
         {"$K", text(k)},
         {"$S", text(s)}});
  };
  pool("maxpool-2x2-28-32", 8, 28, 32, 2, 2, 0, "arith.maximumf", "0xFF800000");
  pool("maxpool-3x3s2-112-64", 1, 112, 64, 3, 2, 1, "arith.maximumf",
       "0xFF800000");
  pool("sumpool-3x3-28-64", 4, 28, 64, 3, 1, 1, "arith.addf", "0.0");
  pool("sumpool-2x2-10-6", 32, 10, 6, 2, 2, 0, "arith.addf", "0.0");
  add("scatter-2x2-14-32", 8, kScatter,
      {{"$H", "28"}, {"$O", "14"}, {"$C", "32"}, {"$K", "2"}, {"$S", "2"}});
  add("scatter-3x3-27-32", 8, kScatter,
      {{"$H", "29"}, {"$O", "27"}, {"$C", "32"}, {"$K", "3"}, {"$S", "1"}});
  add("gather-64", 4096, kGather, {{"$N", "64"}});
  return cases;
}

double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + 1e-9 * time.tv_nsec;
}

/// Seconds of one run: the best of several batches of runs.
template <typename F> double seconds(F &&run) {
  run();
  double start = now();
  run();
  int repeat = std::clamp<int>(0.01 / (now() - start + 1e-9), 1, 100000);
  double best = 1e30;
  for (int batch = 0; batch < 10; ++batch) {
    start = now();
    for (int i = 0; i < repeat; ++i)
      run();
    best = std::min(best, (now() - start) / repeat);
  }
  return best;
}

void measure(MLIRContext &context, const Named &named) {
  auto module = parseSourceString<ModuleOp>(named.text, &context);
  if (!module)
    return;
  auto kernel = *module->getOps<func::FuncOp>().begin();
  SmallVector<Type> types(kernel.getArgumentTypes());
  codegen::TargetOptions options;
  std::string error;
  if (auto target = codegen::Target::create(options, error))
    target->attachTo(*module);
  PassManager manager(&context);
  manager.addNestedPass<func::FuncOp>(codegen::createStrategyPass());
  manager.addNestedPass<func::FuncOp>(codegen::createSchedulePass());
  manager.addPass(codegen::createExpandMathPass());
  if (failed(manager.run(*module)))
    return;
  if (getenv("CORNU_BENCH_IR"))
    module->dump();
  Jit::Options jitOptions;
  if (const char *file = getenv("CORNU_BENCH_ASM"))
    jitOptions.dumpAsm = file;
  auto jit = Jit::compile(*module, jitOptions);
  if (!jit)
    return;
  std::vector<std::unique_ptr<ArrayBase>> arrays;
  std::vector<ArrayBase *> arguments;
  double bytes = 0;
  for (Type type : llvm::drop_end(types)) {
    auto memref = cast<MemRefType>(type);
    std::vector<int64_t> shape(memref.getShape().begin(),
                               memref.getShape().end());
    for (int64_t &size : shape)
      if (ShapedType::isDynamic(size))
        size = named.batch;
    if (memref.getElementType().isF32())
      arrays.push_back(std::make_unique<Array<float>>(shape, 0.5f));
    else
      arrays.push_back(std::make_unique<Array<int32_t>>(shape, 7));
    arguments.push_back(arrays.back().get());
    bytes += 4.0 * arrays.back()->count();
  }
  double time = seconds([&] { jit->call("kernel", arguments); });
  std::vector<char> from(bytes / 2, 1), to(bytes / 2);
  double copy = seconds([&] {
    memcpy(to.data(), from.data(), from.size());
    asm volatile("" ::: "memory");
  });
  llvm::outs() << llvm::format("%-22s %9.2f us %7.1f GB/s   copy %7.1f GB/s\n",
                               named.name.c_str(), time * 1e6,
                               bytes / time * 1e-9, bytes / copy * 1e-9);
}

} // namespace

int main(int argc, char **argv) {
  DialectRegistry registry;
  registry.insert<affine::AffineDialect, arith::ArithDialect, func::FuncDialect,
                  linalg::LinalgDialect, LLVM::LLVMDialect, math::MathDialect,
                  memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect,
                  codegen::CodegenDialect>();
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  for (const Named &named : namedCases()) {
    bool wanted = argc == 1;
    for (int i = 1; i < argc; ++i)
      wanted |= named.name.find(argv[i]) != std::string::npos;
    if (wanted)
      measure(context, named);
  }
  return 0;
}
