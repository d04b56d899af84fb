//===- BlocksTest.cpp - Chains of contractions against plain loops --------===//

#include "test/unit/codegen/NestFixture.h"
#include <map>
#include <random>

using namespace cornu::test;

namespace {

/// "memref<?x12x2x5xf32>" of the sizes of `labels`; b is the batch.
std::string typeOf(const std::string &labels,
                   const std::map<char, int64_t> &sizes) {
  std::string type = "memref<";
  for (char label : labels)
    type += (label == 'b' ? "?" : std::to_string(sizes.at(label))) + "x";
  return type + "f32>";
}

/// A kernel that grows generic by generic.
class KernelText {
public:
  explicit KernelText(std::map<char, int64_t> sizes) : sizes(sizes) {}

  std::string argument(const std::string &labels) {
    std::string name = "%a" + std::to_string(operands.size());
    arguments += name + ": " + typeOf(labels, sizes) + ", ";
    if (first.empty())
      first = name + " : " + typeOf(labels, sizes);
    operands[name] = labels;
    return name;
  }
  std::string buffer(const std::string &labels) {
    std::string name = "%t" + std::to_string(operands.size());
    body +=
        "  " + name + " = memref.alloc(%n) : " + typeOf(labels, sizes) + "\n";
    operands[name] = labels;
    return name;
  }
  /// `body` computes %r of %i0, %i1, ... and the old value %o.
  void generic(std::vector<std::string> inputs, const std::string &output,
               const std::string &ops, const std::string &fill = "") {
    std::string loops, maps, names, types;
    inputs.push_back(output);
    std::string all = operands[output];
    for (auto &input : inputs)
      for (char label : operands[input])
        if (all.find(label) == std::string::npos)
          all += label;
    for (char label : all)
      loops += std::string(loops.empty() ? "" : ", ") + label;
    std::string kinds, block;
    for (char label : all)
      kinds +=
          std::string(kinds.empty() ? "" : ", ") +
          (operands[output].find(label) == std::string::npos ? "\"reduction\""
                                                             : "\"parallel\"");
    for (unsigned i = 0; i < inputs.size(); ++i) {
      bool last = i + 1 == inputs.size();
      std::string results;
      for (char label : operands[inputs[i]])
        results += std::string(results.empty() ? "" : ", ") + label;
      maps += std::string(i ? ", " : "") + "affine_map<(" + loops + ") -> (" +
              results + ")>";
      block +=
          (i ? ", %" : "%") + (last ? "o" : "i" + std::to_string(i)) + ": f32";
      if (last)
        continue;
      names += (i ? ", " : "") + inputs[i];
      types += (i ? ", " : "") + typeOf(operands[inputs[i]], sizes);
    }
    std::string type = typeOf(operands[output], sizes);
    if (!fill.empty())
      body += "  linalg.fill ins(" + fill + " : f32) outs(" + output + " : " +
              type + ")\n";
    body += "  linalg.generic {indexing_maps = [" + maps +
            "], iterator_types = [" + kinds + "]} ins(" + names + " : " +
            types + ") outs(" + output + " : " + type + ") {\n  ^bb0(" + block +
            "):\n" + ops + "    linalg.yield %r : f32\n  }\n";
  }
  void contract(const std::string &a, const std::string &b,
                const std::string &output) {
    generic({a, b}, output,
            "    %p = arith.mulf %i0, %i1 : f32\n"
            "    %r = arith.addf %o, %p : f32\n",
            "%zero");
  }
  std::string text() const {
    return "func.func @kernel(" + arguments +
           "%w: memref<?xi8>) {\n"
           "  %c0 = arith.constant 0 : index\n"
           "  %zero = arith.constant 0.0 : f32\n"
           "  %low = arith.constant 0xFF800000 : f32\n"
           "  %n = memref.dim " +
           first.substr(0, first.find(' ')) + ", %c0" +
           first.substr(first.find(' ')) + "\n" + body + "  return\n}\n";
  }

private:
  std::map<char, int64_t> sizes;
  std::map<std::string, std::string> operands;
  std::string arguments, body, first;
};

/// p = softmax(q k^T).
void softmax(KernelText &kernel, const std::string &q, const std::string &k,
             const std::string &p) {
  std::string s = kernel.buffer("bhqk"), most = kernel.buffer("bhq"),
              sum = kernel.buffer("bhq");
  kernel.contract(q, k, s);
  kernel.generic({s}, most, "    %r = arith.maximumf %o, %i0 : f32\n", "%low");
  kernel.generic({s, most}, p,
                 "    %d = arith.subf %i0, %i1 : f32\n"
                 "    %r = math.exp %d : f32\n");
  kernel.generic({p}, sum, "    %r = arith.addf %o, %i0 : f32\n", "%zero");
  kernel.generic({sum}, p, "    %r = arith.divf %o, %i0 : f32\n");
}

/// softmax(q k^T) v, the weights stored or not.
std::string attention(const std::map<char, int64_t> &sizes, bool stored) {
  KernelText kernel(sizes);
  std::string q = kernel.argument("bqhd"), k = kernel.argument("bkhd"),
              v = kernel.argument("bkhe");
  std::string y = kernel.argument("bqhe");
  std::string p = stored ? kernel.argument("bhqk") : kernel.buffer("bhqk");
  softmax(kernel, q, k, p);
  kernel.contract(p, v, y);
  return kernel.text();
}

/// The gradients of softmax(q k^T) v from the weights p, which are there or
/// computed anew.
std::string attentionGradients(const std::map<char, int64_t> &sizes,
                               bool withValues, bool stored) {
  KernelText kernel(sizes);
  std::string q = kernel.argument("bqhd"), k = kernel.argument("bkhd"),
              v = kernel.argument("bkhe"), dy = kernel.argument("bqhe");
  std::string p = stored ? kernel.argument("bhqk") : kernel.buffer("bhqk");
  if (!stored)
    softmax(kernel, q, k, p);
  std::string dq = kernel.argument("bqhd"), dk = kernel.argument("bkhd"),
              dv = withValues ? kernel.argument("bkhe") : "";
  if (withValues)
    kernel.contract(p, dy, dv);
  std::string dp = kernel.buffer("bhqk"), sum = kernel.buffer("bhq"),
              ds = kernel.buffer("bhqk");
  kernel.contract(dy, v, dp);
  kernel.generic({dp, p}, sum,
                 "    %m = arith.mulf %i0, %i1 : f32\n"
                 "    %r = arith.addf %o, %m : f32\n",
                 "%zero");
  kernel.generic({dp, p, sum}, ds,
                 "    %d = arith.subf %i0, %i2 : f32\n"
                 "    %r = arith.mulf %d, %i1 : f32\n");
  kernel.contract(ds, k, dq);
  kernel.contract(ds, q, dk);
  return kernel.text();
}

/// A depthwise convolution before a pointwise one, each with a relu.
struct Separable {
  int64_t height, width, channels, filters, taps, stride, low, high;

  std::string text() const {
    int64_t tall = height + low + high, wide = width + low + high;
    int64_t rows = (tall - taps) / stride + 1,
            columns = (wide - taps) / stride + 1;
    std::string text = with(R"(
#in = affine_map<(b, y, x, c, i, j) -> (b, y * $S + i, x * $S + j, c)>
#tap = affine_map<(b, y, x, c, i, j) -> (i, j, c)>
#out = affine_map<(b, y, x, c, i, j) -> (b, y, x, c)>
#pixel = affine_map<(b, y, x, f, i, j, c) -> (b, y + i, x + j, c)>
#weight = affine_map<(b, y, x, f, i, j, c) -> (i, j, c, f)>
#sum = affine_map<(b, y, x, f, i, j, c) -> (b, y, x, f)>
#all = affine_map<(b, y, x, c) -> (b, y, x, c)>
func.func @kernel(%x: memref<?x$Hx$Wx$Cxf32>, %k: memref<$Kx$Kx$Cxf32>, %v: memref<1x1x$Cx$Fxf32>, %o: memref<?x$Yx$Xx$Fxf32>, %w: memref<?xi8>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = memref.dim %x, %c0 : memref<?x$Hx$Wx$Cxf32>
$PAD
  %t = memref.alloc(%n) : memref<?x$Yx$Xx$Cxf32>
  linalg.fill ins(%zero : f32) outs(%t : memref<?x$Yx$Xx$Cxf32>)
  linalg.generic {indexing_maps = [#in, #tap, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%p, %k : memref<?x$Tx$Dx$Cxf32>, memref<$Kx$Kx$Cxf32>) outs(%t : memref<?x$Yx$Xx$Cxf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  }
  %r = memref.alloc(%n) : memref<?x$Yx$Xx$Cxf32>
  linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%t : memref<?x$Yx$Xx$Cxf32>) outs(%r : memref<?x$Yx$Xx$Cxf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.maximumf %a, %zero : f32
    linalg.yield %0 : f32
  }
  %s = memref.alloc(%n) : memref<?x$Yx$Xx$Fxf32>
  linalg.fill ins(%zero : f32) outs(%s : memref<?x$Yx$Xx$Fxf32>)
  linalg.generic {indexing_maps = [#pixel, #weight, #sum], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%r, %v : memref<?x$Yx$Xx$Cxf32>, memref<1x1x$Cx$Fxf32>) outs(%s : memref<?x$Yx$Xx$Fxf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  }
  linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s : memref<?x$Yx$Xx$Fxf32>) outs(%o : memref<?x$Yx$Xx$Fxf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.maximumf %a, %zero : f32
    linalg.yield %0 : f32
  }
  return
})",
                            {{"$PAD", low + high ? R"(
  %p = memref.alloc(%n) : memref<?x$Tx$Dx$Cxf32>
  linalg.map outs(%p : memref<?x$Tx$Dx$Cxf32>) (%init: f32) { linalg.yield %zero : f32 }
  %i = memref.subview %p[0, $L, $L, 0] [%n, $H, $W, $C] [1, 1, 1, 1] : memref<?x$Tx$Dx$Cxf32> to memref<?x$Hx$Wx$Cxf32, strided<[$P, $Q, $C, 1], offset: $O>>
  memref.copy %x, %i : memref<?x$Hx$Wx$Cxf32> to memref<?x$Hx$Wx$Cxf32, strided<[$P, $Q, $C, 1], offset: $O>>)"
                                                 : R"(
  %p = memref.cast %x : memref<?x$Hx$Wx$Cxf32> to memref<?x$Tx$Dx$Cxf32>)"}});
    const std::pair<const char *, int64_t> sizes[] = {
        {"$H", height},
        {"$W", width},
        {"$C", channels},
        {"$F", filters},
        {"$K", taps},
        {"$S", stride},
        {"$T", tall},
        {"$D", wide},
        {"$Y", rows},
        {"$X", columns},
        {"$L", low},
        {"$P", tall * wide * channels},
        {"$Q", wide * channels},
        {"$O", (low * wide + low) * channels}};
    for (auto [name, size] : sizes)
      text = with(text, {{name, std::to_string(size)}});
    return text;
  }
};

TEST_F(NestTest, DepthwiseAndPointwiseInBlocks) {
  const Separable cases[] = {
      {25, 5, 64, 64, 3, 1, 1, 1}, {25, 5, 16, 24, 3, 1, 0, 0},
      {24, 24, 8, 16, 3, 2, 0, 1}, {24, 24, 8, 16, 3, 2, 1, 1},
      {40, 7, 12, 20, 5, 1, 2, 2}, {33, 9, 5, 3, 7, 2, 3, 3},
      {6, 6, 32, 8, 3, 1, 1, 1},   {9, 9, 32, 33, 5, 1, 4, 4},
      {17, 3, 16, 16, 3, 3, 1, 1}, {100, 4, 8, 8, 3, 1, 1, 1},
      {2, 2, 8, 2, 3, 5, 20, 20},  {12, 12, 8, 8, 1, 1, 2, 2}};
  for (int64_t cache : {0, 1 << 12})
    for (const Separable &one : cases) {
      l2Bytes = cache;
      SCOPED_TRACE(std::to_string(one.height) + " x " +
                   std::to_string(one.width) + ", " + std::to_string(one.taps) +
                   " taps, stride " + std::to_string(one.stride));
      check(one.text(), 1e-5);
      // Of a batch that is known, too, blocks are rows of the image.
      check(with(one.text(), {{"?x", "3x"},
                              {"memref<3xi8>", "memref<?xi8>"},
                              {"alloc(%n)", "alloc()"},
                              {"[%n, ", "[3, "}}),
            1e-5);
    }
}

/// Blocks without a rest, with one, of one row, and a single one.
TEST_F(NestTest, ChainsOfContractionsInBlocks) {
  std::mt19937 random(5);
  auto between = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  for (int i = 0; i < 12; ++i) {
    std::map<char, int64_t> sizes = {{'h', between(1, 3)},
                                     {'q', between(1, 100)},
                                     {'k', between(1, 70)},
                                     {'d', between(1, 20)},
                                     {'e', between(1, 20)}};
    // So that blocks are as small as they get.
    l2Bytes = i % 3 ? 1 << 12 : 0;
    SCOPED_TRACE("h " + std::to_string(sizes['h']) + ", q " +
                 std::to_string(sizes['q']) + ", k " +
                 std::to_string(sizes['k']) + ", d " +
                 std::to_string(sizes['d']) + ", e " +
                 std::to_string(sizes['e']));
    check(attention(sizes, i % 2), 1e-5);
    check(attentionGradients(sizes, i % 2, i / 2 % 2), 1e-5);
  }
}

} // namespace
