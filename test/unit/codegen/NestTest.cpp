//===- NestTest.cpp - Scheduled nests against plain loops -----------------===//

#include "test/unit/codegen/NestFixture.h"

using namespace cornu::test;

namespace {

//===----------------------------------------------------------------------===//
// Maps
//===----------------------------------------------------------------------===//

TEST_F(NestTest, ElementwiseCollapsesToOneLoop) {
  for (const char *n : {"1", "7", "10", "64", "67"})
    check(with(R"(
func.func @kernel(%x: memref<?x$Nxf32>, %y: memref<?x$Nxf32>, %o: memref<?x$Nxf32>, %w: memref<?xi8>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]} ins(%x, %y : memref<?x$Nxf32>, memref<?x$Nxf32>) outs(%o : memref<?x$Nxf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %0, %a : f32
    linalg.yield %1 : f32
  }
  return
})",
               {{"$N", n}}));
}

TEST_F(NestTest, BiasAndInPlaceAndSeveralOutputs) {
  for (const char *n : {"1", "2", "3", "5", "10", "128"})
    check(with(R"(
func.func @kernel(%x: memref<?x$Nxf64>, %b: memref<$Nxf64>, %s: memref<?xf64>, %m: memref<?x$Nxi1>, %w: memref<?xi8>) {
  %zero = arith.constant 0.0 : f64
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]} ins(%b, %s : memref<$Nxf64>, memref<?xf64>) outs(%x, %m : memref<?x$Nxf64>, memref<?x$Nxi1>) {
  ^bb0(%a: f64, %c: f64, %o: f64, %p: i1):
    %0 = arith.addf %o, %a : f64
    %1 = arith.mulf %0, %c : f64
    %2 = arith.cmpf ogt, %1, %zero : f64
    %3 = arith.select %2, %1, %zero : f64
    linalg.yield %3, %2 : f64, i1
  }
  return
})",
               {{"$N", n}}));
}

TEST_F(NestTest, TransposesInRegisters) {
  for (const char *n : {"5", "8", "24", "67"})
    check(with(R"(
func.func @kernel(%x: memref<?x$Nx19xf32>, %o: memref<?x19x$Nxf32>, %w: memref<?xi8>) {
  linalg.generic {indexing_maps = [affine_map<(b, i, j) -> (b, j, i)>, affine_map<(b, i, j) -> (b, i, j)>],
      iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : memref<?x$Nx19xf32>) outs(%o : memref<?x19x$Nxf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %a : f32
    linalg.yield %0 : f32
  }
  return
})",
               {{"$N", n}}));
}

TEST_F(NestTest, ProducersAreInlinedAndNestsMerged) {
  check(R"(
func.func @kernel(%x: memref<?x33xf32>, %y: memref<?x33xf32>, %z: memref<?x33xf32>, %w: memref<?xi8>) {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x33xf32>
  %t = memref.alloc(%n) : memref<?x33xf32>
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<?x33xf32>) outs(%t : memref<?x33xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = math.exp %a : f32
    %1 = math.tanh %0 : f32
    linalg.yield %1 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%t : memref<?x33xf32>) outs(%y : memref<?x33xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %a : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%t : memref<?x33xf32>) outs(%z : memref<?x33xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.mulf %a, %a : f32
    linalg.yield %0 : f32
  }
  memref.dealloc %t : memref<?x33xf32>
  return
})");
}

TEST_F(NestTest, GathersRowsOfATable) {
  for (const char *n : {"1", "6", "64"})
    check(with(R"(
func.func @kernel(%t: memref<10x$Nxf32>, %i: memref<?x5xi32>, %o: memref<?x5x$Nxf32>, %w: memref<?xi8>) {
  %nan = arith.constant 0x7FC00000 : f32
  %limit = arith.constant 9 : i32
  %zero = arith.constant 0 : i32
  linalg.generic {indexing_maps = [affine_map<(b, s, d) -> (b, s)>, affine_map<(b, s, d) -> (b, s, d)>],
      iterator_types = ["parallel", "parallel", "parallel"]} ins(%i : memref<?x5xi32>) outs(%o : memref<?x5x$Nxf32>) {
  ^bb0(%a: i32, %b: f32):
    %d = linalg.index 2 : index
    %0 = arith.minsi %a, %limit : i32
    %1 = arith.maxsi %0, %zero : i32
    %2 = arith.index_cast %1 : i32 to index
    %3 = memref.load %t[%2, %d] : memref<10x$Nxf32>
    %4 = arith.cmpi eq, %1, %a : i32
    %5 = arith.select %4, %3, %nan : f32
    linalg.yield %5 : f32
  }
  return
})",
               {{"$N", n}}),
          0, -2, 12);
}

TEST_F(NestTest, ComputesOncePerFourWhatDependsOnAQuarterOfTheIndex) {
  for (const char *n : {"3", "16", "64"})
    check(with(R"(
func.func @kernel(%o: memref<?x$Nxi32>, %w: memref<?xi8>) {
  %n = arith.constant $N : i64
  %two = arith.constant 2 : i64
  %three = arith.constant 3 : i64
  %factor = arith.constant 3528531795 : i64
  %half = arith.constant 32 : i64
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} outs(%o : memref<?x$Nxi32>) {
  ^bb0(%b: i32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %0 = arith.index_cast %i : index to i64
    %1 = arith.index_cast %j : index to i64
    %2 = arith.muli %0, %n : i64
    %3 = arith.addi %2, %1 : i64
    %4 = arith.shrui %3, %two : i64
    %5 = arith.muli %4, %factor : i64
    %6 = arith.shrui %5, %half : i64
    %7 = arith.andi %3, %three : i64
    %8 = arith.addi %6, %7 : i64
    %9 = arith.trunci %8 : i64 to i32
    linalg.yield %9 : i32
  }
  return
})",
               {{"$N", n}}));
}

TEST_F(NestTest, PadsAMapWithAConstant) {
  check(R"(
func.func @kernel(%x: memref<?x5x7xf32>, %o: memref<?x8x9xf32>, %w: memref<?xi8>) {
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.5 : f32
  %n = memref.dim %x, %c0 : memref<?x5x7xf32>
  %p = memref.alloc(%n) : memref<?x8x9xf32>
  linalg.fill ins(%one : f32) outs(%p : memref<?x8x9xf32>)
  %s = memref.subview %p[0, 1, 2] [%n, 5, 7] [1, 1, 1] : memref<?x8x9xf32> to memref<?x5x7xf32, strided<[72, 9, 1], offset: 11>>
  memref.copy %x, %s : memref<?x5x7xf32> to memref<?x5x7xf32, strided<[72, 9, 1], offset: 11>>
  linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j, k)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%p : memref<?x8x9xf32>) outs(%o : memref<?x8x9xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %a : f32
    linalg.yield %0 : f32
  }
  return
})");
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

TEST_F(NestTest, RowsColumnsAndEverything) {
  const char *kernel = R"(
func.func @kernel(%x: memref<?x$Nxf32>, %o: memref<$O>, %w: memref<?xi8>) {
  %init = arith.constant $I : f32
  linalg.fill ins(%init : f32) outs(%o : memref<$O>)
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> ($M)>], iterator_types = [$T]}
      ins(%x : memref<?x$Nxf32>) outs(%o : memref<$O>) {
  ^bb0(%a: f32, %b: f32):
    %0 = $C %a, %b : f32
    linalg.yield %0 : f32
  }
  return
})";
  for (const char *n : {"1", "2", "3", "5", "10", "64", "200"})
    for (auto &choice :
         {std::pair("arith.addf", "0.0"), std::pair("arith.addf", "2.5"),
          std::pair("arith.maximumf", "0xFF800000")}) {
      std::string combiner = choice.first;
      std::vector<std::pair<std::string, std::string>> common = {
          {"$C", combiner}, {"$I", choice.second}};
      auto variant = [&](std::string map, std::string shape,
                         std::string types) {
        auto values = common;
        values.push_back({"$M", map});
        values.push_back({"$O", shape});
        values.push_back({"$T", types});
        values.push_back({"$N", n});
        SCOPED_TRACE(combiner + " of " + map + " with N = " + n);
        check(with(kernel, values), 2e-5);
      };
      variant("i", "?xf32", "\"parallel\", \"reduction\"");
      variant("j", "$Nxf32", "\"reduction\", \"parallel\"");
      variant("", "f32", "\"reduction\", \"reduction\"");
    }
}

TEST_F(NestTest, SumsOfFewChannels) {
  // Runs of channels that are no power of two are left of full vectors.
  for (const char *n : {"1", "2", "3", "5"})
    for (const char *p : {"7", "35", "49", "121"})
      check(with(R"(
func.func @kernel(%x: memref<?x$Px$Nxf32>, %o: memref<?x$Nxf32>, %w: memref<?xi8>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%o : memref<?x$Nxf32>)
  linalg.generic {indexing_maps = [affine_map<(n, c, p) -> (n, p, c)>, affine_map<(n, c, p) -> (n, c)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x : memref<?x$Px$Nxf32>) outs(%o : memref<?x$Nxf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  }
  return
})",
                 {{"$N", n}, {"$P", p}}),
            1e-5);
}

TEST_F(NestTest, MeanAndVarianceOfChannels) {
  for (const char *n : {"1", "2", "3", "6", "16", "100"})
    check(with(R"(
func.func @kernel(%x: memref<?x4x5x$Nxf32>, %y: memref<?x4x5x$Nxf32>, %g: memref<$Nxf32>, %w: memref<?xi8>) {
  %zero = arith.constant 0.0 : f32
  %eps = arith.constant 0.001 : f32
  %scale = arith.constant 0.01 : f32
  %s = memref.alloc() : memref<$Nxf32>
  %q = memref.alloc() : memref<$Nxf32>
  %m = memref.alloc() : memref<$Nxf32>
  %v = memref.alloc() : memref<$Nxf32>
  linalg.fill ins(%zero : f32) outs(%s : memref<$Nxf32>)
  linalg.fill ins(%zero : f32) outs(%q : memref<$Nxf32>)
  linalg.generic {indexing_maps = [affine_map<(n, h, w, c) -> (n, h, w, c)>, affine_map<(n, h, w, c) -> (c)>], iterator_types = ["reduction", "reduction", "reduction", "parallel"]}
      ins(%x : memref<?x4x5x$Nxf32>) outs(%s : memref<$Nxf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(n, h, w, c) -> (n, h, w, c)>, affine_map<(n, h, w, c) -> (c)>], iterator_types = ["reduction", "reduction", "reduction", "parallel"]}
      ins(%x : memref<?x4x5x$Nxf32>) outs(%q : memref<$Nxf32>) {
  ^bb0(%a: f32, %b: f32):
    %1 = arith.mulf %a, %a : f32
    %0 = arith.addf %1, %b : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(c) -> (c)>, affine_map<(c) -> (c)>], iterator_types = ["parallel"]}
      ins(%s : memref<$Nxf32>) outs(%m : memref<$Nxf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.mulf %a, %scale : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(c) -> (c)>, affine_map<(c) -> (c)>], iterator_types = ["parallel"]}
      ins(%q : memref<$Nxf32>) outs(%v : memref<$Nxf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.mulf %a, %scale : f32
    %1 = arith.addf %0, %eps : f32
    %2 = math.rsqrt %1 : f32
    linalg.yield %2 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(n, h, w, c) -> (n, h, w, c)>, affine_map<(n, h, w, c) -> (c)>, affine_map<(n, h, w, c) -> (c)>, affine_map<(n, h, w, c) -> (c)>, affine_map<(n, h, w, c) -> (n, h, w, c)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x, %m, %v, %g : memref<?x4x5x$Nxf32>, memref<$Nxf32>, memref<$Nxf32>, memref<$Nxf32>) outs(%y : memref<?x4x5x$Nxf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %d: f32, %e: f32):
    %0 = arith.subf %a, %b : f32
    %1 = arith.mulf %0, %c : f32
    %2 = arith.mulf %1, %d : f32
    linalg.yield %2 : f32
  }
  return
})",
               {{"$N", n}}),
          1e-5);
}

TEST_F(NestTest, ArgmaxOfRows) {
  for (const char *n : {"1", "10", "33"})
    check(with(R"(
func.func @kernel(%x: memref<?x$Nxf32>, %o: memref<?xi32>, %w: memref<?xi8>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0 : i32
  %low = arith.constant 0xFF800000 : f32
  %n = memref.dim %x, %c0 : memref<?x$Nxf32>
  %v = memref.alloc(%n) : memref<?xf32>
  linalg.fill ins(%low : f32) outs(%v : memref<?xf32>)
  linalg.fill ins(%zero : i32) outs(%o : memref<?xi32>)
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<?x$Nxf32>) outs(%v, %o : memref<?xf32>, memref<?xi32>) {
  ^bb0(%a: f32, %b: f32, %c: i32):
    %j = linalg.index 1 : index
    %k = arith.index_cast %j : index to i32
    %0 = arith.cmpf ogt, %a, %b : f32
    %1 = arith.select %0, %a, %b : f32
    %2 = arith.select %0, %k, %c : i32
    linalg.yield %1, %2 : f32, i32
  }
  return
})",
               {{"$N", n}}));
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

TEST_F(NestTest, SoftmaxIsOneLoopOverRows) {
  for (const char *n : {"1", "2", "3", "5", "8", "10", "64", "77"})
    check(with(R"(
func.func @kernel(%x: memref<?x3x$Nxf32>, %y: memref<?x3x$Nxf32>, %w: memref<?xi8>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %n = memref.dim %x, %c0 : memref<?x3x$Nxf32>
  %m = memref.alloc(%n) : memref<?x3xf32>
  linalg.fill ins(%low : f32) outs(%m : memref<?x3xf32>)
  linalg.generic {indexing_maps = [affine_map<(i, h, j) -> (i, h, j)>, affine_map<(i, h, j) -> (i, h)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x : memref<?x3x$Nxf32>) outs(%m : memref<?x3xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.maximumf %a, %b : f32
    linalg.yield %0 : f32
  }
  %e = memref.alloc(%n) : memref<?x3x$Nxf32>
  linalg.generic {indexing_maps = [affine_map<(i, h, j) -> (i, h, j)>, affine_map<(i, h, j) -> (i, h)>, affine_map<(i, h, j) -> (i, h, j)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %m : memref<?x3x$Nxf32>, memref<?x3xf32>) outs(%e : memref<?x3x$Nxf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.subf %a, %b : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  }
  %s = memref.alloc(%n) : memref<?x3xf32>
  linalg.fill ins(%zero : f32) outs(%s : memref<?x3xf32>)
  linalg.generic {indexing_maps = [affine_map<(i, h, j) -> (i, h, j)>, affine_map<(i, h, j) -> (i, h)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%e : memref<?x3x$Nxf32>) outs(%s : memref<?x3xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i, h, j) -> (i, h, j)>, affine_map<(i, h, j) -> (i, h)>, affine_map<(i, h, j) -> (i, h, j)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%e, %s : memref<?x3x$Nxf32>, memref<?x3xf32>) outs(%y : memref<?x3x$Nxf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.divf %a, %b : f32
    linalg.yield %0 : f32
  }
  return
})",
               {{"$N", n}}));
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

/// H x W input padded by `pad` on all sides; window KxK, stride S.
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
  linalg.generic {indexing_maps = [affine_map<(n, h, w, c, i, j) -> (n, h * $S + i, w * $S + j, c)>, affine_map<(n, h, w, c, i, j) -> (i, j)>, affine_map<(n, h, w, c, i, j) -> (n, h, w, c)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%p, %k : memref<?x$Qx$Qx$Cxf32>, memref<$Kx$Kxf32>) outs(%o : memref<?x$Ox$Ox$Cxf32>) {
  ^bb0(%a: f32, %z: f32, %b: f32):
    %0 = $F %a, %b : f32
    linalg.yield %0 : f32
  }
  return
})";

std::string pool(int h, int c, int k, int s, int p, const char *op,
                 const char *init) {
  int q = h + 2 * p, o = (q - k) / s + 1;
  auto text = [](int value) { return std::to_string(value); };
  return with(kPool, {{"$F", op},
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
}

TEST_F(NestTest, PoolsWithoutPadding) {
  check(pool(8, 16, 2, 2, 0, "arith.maximumf", "0xFF800000"));
  check(pool(9, 5, 3, 2, 0, "arith.addf", "0.0"));
}

TEST_F(NestTest, PoolsOfFewChannels) {
  for (int channels : {1, 2, 3, 4, 5, 6, 7}) {
    SCOPED_TRACE(std::to_string(channels) + " channels");
    check(pool(21, channels, 2, 2, 0, "arith.maximumf", "0xFF800000"));
    check(pool(19, channels, 3, 1, 1, "arith.addf", "0.0"));
    check(pool(23, channels, 3, 2, 1, "arith.maximumf", "0xFF800000"));
    check(pool(25, channels, 4, 3, 0, "arith.addf", "0.0"));
  }
}

TEST_F(NestTest, PoolsSkipThePadding) {
  check(pool(8, 24, 3, 1, 1, "arith.maximumf", "0xFF800000"));
  check(pool(11, 7, 3, 2, 1, "arith.maximumf", "0xFF800000"));
  check(pool(7, 64, 5, 1, 2, "arith.addf", "0.0"));
  check(pool(4, 8, 3, 1, 1, "arith.addf", "0.0"));
}

TEST_F(NestTest, PoolingWithAnotherPaddingSelects) {
  // The padding is 0, the identity of the maximum is not.
  std::string text = pool(7, 8, 3, 1, 1, "arith.maximumf", "0.0");
  check(text);
}

TEST_F(NestTest, WindowsThatTouchAreOneNestWithTheirConsumer) {
  // t[n, 2h + i, 3w + j, c] = y[n, h, w, c] * (2i + j); o = max(t, 0) + x
  for (const char *c : {"1", "2", "3", "6", "16", "40"})
    check(with(R"(
func.func @kernel(%y: memref<?x4x5x$Cxf32>, %x: memref<?x8x15x$Cxf32>, %o: memref<?x8x15x$Cxf32>, %w: memref<?xi8>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = memref.dim %y, %c0 : memref<?x4x5x$Cxf32>
  %t = memref.alloc(%n) : memref<?x8x15x$Cxf32>
  %k = memref.alloc() : memref<2x3xf32>
  linalg.generic {indexing_maps = [affine_map<(n, h, w, i, j, c) -> (n, h, w, c)>, affine_map<(n, h, w, i, j, c) -> (i, j)>, affine_map<(n, h, w, i, j, c) -> (n, h * 2 + i, w * 3 + j, c)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%y, %k : memref<?x4x5x$Cxf32>, memref<2x3xf32>) outs(%t : memref<?x8x15x$Cxf32>) {
  ^bb0(%a: f32, %z: f32, %b: f32):
    %i = linalg.index 3 : index
    %j = linalg.index 4 : index
    %0 = arith.addi %i, %i : index
    %1 = arith.addi %0, %j : index
    %2 = arith.index_cast %1 : index to i32
    %3 = arith.sitofp %2 : i32 to f32
    %4 = arith.mulf %a, %3 : f32
    linalg.yield %4 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(n, h, w, c) -> (n, h, w, c)>, affine_map<(n, h, w, c) -> (n, h, w, c)>, affine_map<(n, h, w, c) -> (n, h, w, c)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%t, %x : memref<?x8x15x$Cxf32>, memref<?x8x15x$Cxf32>) outs(%o : memref<?x8x15x$Cxf32>) {
  ^bb0(%a: f32, %d: f32, %b: f32):
    %0 = arith.maximumf %a, %zero : f32
    %1 = arith.addf %0, %d : f32
    linalg.yield %1 : f32
  }
  return
})",
               {{"$C", c}}));
}

TEST_F(NestTest, ScattersIntoOverlappingWindows) {
  // dx[n, 2h + i, 2w + j, c] += dy[n, h, w, c]
  for (const char *c : {"3", "8", "40"})
    check(with(R"(
func.func @kernel(%y: memref<?x4x4x$Cxf32>, %o: memref<?x9x9x$Cxf32>, %w: memref<?xi8>) {
  %zero = arith.constant 0.0 : f32
  %k = memref.alloc() : memref<3x3xf32>
  linalg.fill ins(%zero : f32) outs(%o : memref<?x9x9x$Cxf32>)
  linalg.generic {indexing_maps = [affine_map<(n, h, w, c, i, j) -> (n, h, w, c)>, affine_map<(n, h, w, c, i, j) -> (i, j)>, affine_map<(n, h, w, c, i, j) -> (n, h * 2 + i, w * 2 + j, c)>],
      iterator_types = ["parallel", "reduction", "reduction", "parallel", "reduction", "reduction"]}
      ins(%y, %k : memref<?x4x4x$Cxf32>, memref<3x3xf32>) outs(%o : memref<?x9x9x$Cxf32>) {
  ^bb0(%a: f32, %z: f32, %b: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  }
  return
})",
               {{"$C", c}}));
}

/// The gradient of a maximum over KxK windows: position p receives from output
/// p + K - 1 - k - shift through tap k, if that tap was its maximum.
TEST_F(NestTest, GivesBackToTheTapsThatWereChosen) {
  for (int channels : {1, 3, 16})
    for (int size : {5, 19}) {
      SCOPED_TRACE(std::to_string(channels) + " channels, " +
                   std::to_string(size) + " wide");
      auto text = [](int value) { return std::to_string(value); };
      int padded = size + 2;
      check(with(R"(
func.func @kernel(%t: memref<?x$Hx$Hx$Cxi32>, %y: memref<?x$Hx$Hx$Cxf32>, %o: memref<?x$Hx$Hx$Cxf32>, %w: memref<?xi8>) {
  %c0 = arith.constant 0 : index
  %none = arith.constant -1 : i32
  %zero = arith.constant 0.0 : f32
  %n = memref.dim %y, %c0 : memref<?x$Hx$Hx$Cxf32>
  %p = memref.alloc(%n) : memref<?x$Qx$Qx$Cxi32>
  linalg.fill ins(%none : i32) outs(%p : memref<?x$Qx$Qx$Cxi32>)
  %ps = memref.subview %p[0, 1, 1, 0] [%n, $H, $H, $C] [1, 1, 1, 1] : memref<?x$Qx$Qx$Cxi32> to memref<?x$Hx$Hx$Cxi32, strided<[$A, $B, $C, 1], offset: $D>>
  memref.copy %t, %ps : memref<?x$Hx$Hx$Cxi32> to memref<?x$Hx$Hx$Cxi32, strided<[$A, $B, $C, 1], offset: $D>>
  %q = memref.alloc(%n) : memref<?x$Qx$Qx$Cxf32>
  linalg.fill ins(%zero : f32) outs(%q : memref<?x$Qx$Qx$Cxf32>)
  %qs = memref.subview %q[0, 1, 1, 0] [%n, $H, $H, $C] [1, 1, 1, 1] : memref<?x$Qx$Qx$Cxf32> to memref<?x$Hx$Hx$Cxf32, strided<[$A, $B, $C, 1], offset: $D>>
  memref.copy %y, %qs : memref<?x$Hx$Hx$Cxf32> to memref<?x$Hx$Hx$Cxf32, strided<[$A, $B, $C, 1], offset: $D>>
  %k = memref.alloc() : memref<3x3xf32>
  linalg.fill ins(%zero : f32) outs(%o : memref<?x$Hx$Hx$Cxf32>)
  linalg.generic {indexing_maps = [affine_map<(n, h, w, i, j, c) -> (n, h - i + 2, w - j + 2, c)>, affine_map<(n, h, w, i, j, c) -> (n, h - i + 2, w - j + 2, c)>, affine_map<(n, h, w, i, j, c) -> (i, j)>, affine_map<(n, h, w, i, j, c) -> (n, h, w, c)>],
      iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "parallel"]}
      ins(%p, %q, %k : memref<?x$Qx$Qx$Cxi32>, memref<?x$Qx$Qx$Cxf32>, memref<3x3xf32>) outs(%o : memref<?x$Hx$Hx$Cxf32>) {
  ^bb0(%a: i32, %b: f32, %z: f32, %c: f32):
    %i = linalg.index 3 : index
    %j = linalg.index 4 : index
    %three = arith.constant 3 : index
    %0 = arith.muli %i, %three : index
    %1 = arith.addi %0, %j : index
    %2 = arith.index_cast %1 : index to i32
    %3 = arith.cmpi eq, %a, %2 : i32
    %4 = arith.select %3, %b, %zero : f32
    %5 = arith.addf %c, %4 : f32
    linalg.yield %5 : f32
  }
  return
})",
                 {{"$H", text(size)},
                  {"$Q", text(padded)},
                  {"$A", text(padded * padded * channels)},
                  {"$B", text(padded * channels)},
                  {"$D", text((padded + 1) * channels)},
                  {"$C", text(channels)}}),
            0, 0, 8);
    }
}

} // namespace
