//===- Attention.cpp - Attention layers -----------------------------------===//

#include "frontend/import/ModelBuilder.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

static bool literalFlag(LayerCall &call, size_t position, StringRef keyword) {
  const Argument *given = call.argument(position, keyword);
  return given && given->literal && given->literal->asBool() == true;
}

// (1, T, S): row >= column.
static Value causalMask(Math &m, int64_t rows, int64_t columns) {
  Value row = m.reshape(m.iota(rows, m.i32()), {1, rows, 1});
  Value column = m.reshape(m.iota(columns, m.i32()), {1, 1, columns});
  return m.compare(nn::Predicate::ge, row, column);
}

static Value both(Math &m, Value a, Value b) {
  return a && b ? m.logicalAnd(a, b) : a ? a : b;
}

//===----------------------------------------------------------------------===//
// MultiHeadAttention, GroupQueryAttention
//===----------------------------------------------------------------------===//

namespace {

/// A projection inside an attention layer, an EinsumDense.
struct Projection {
  StringRef name, attribute;
  Shape in, out; // sizes that are contracted, and those that result
};

} // namespace

// x (batch, time..., in...) -> (batch, time..., out...).
static Value project(LayerCall &call, const Projection &p, Value x) {
  Math &m = call.math;
  Scope scope = call.within(p.name, p.attribute);
  Shape kernelShape = p.in;
  kernelShape.append(p.out.begin(), p.out.end());
  // Keras tells the initializer which axes are inputs.
  auto axes = llvm::to_vector(
      llvm::seq<int64_t>(static_cast<int64_t>(kernelShape.size())));
  ArrayRef<int64_t> all(axes);
  Value kernel =
      call.weightWith("kernel", kernelShape,
                      call.initializer("kernel", all.take_front(p.in.size()),
                                       all.drop_front(p.in.size())),
                      "kernel", &scope);
  std::string free =
      StringRef("bcdefg").take_front(Math::rank(x) - p.in.size()).str();
  std::string in = StringRef("wxyz").take_front(p.in.size()).str();
  std::string out = StringRef("mnop").take_front(p.out.size()).str();
  Value y =
      m.contract(free + in + "," + in + out + "->" + free + out, x, kernel);
  if (call.boolean("use_bias", true))
    y = m.add(y, call.weight("bias", p.out, "bias", &scope));
  return y;
}

// softmax(scores) over the last `axes` axes together. Where a mask forbids,
// Keras has two ways: the fused path subtracts nothing from a row that is
// masked wholly (uniform weights), the other one gives it zeros.
static Value maskedSoftmax(Math &m, Value scores, Value mask, size_t axes,
                           bool fused) {
  auto softmax = [&](Value x) {
    if (axes == 1 || !x)
      return m.softmax(x, -1);
    Shape shape = Math::shape(x), rows = shape;
    for (size_t i = 1; i < axes; ++i) {
      int64_t last = rows.pop_back_val();
      rows.back() *= last;
    }
    return m.reshape(m.softmax(m.reshape(x, rows), -1), shape);
  };
  if (!mask)
    return softmax(scores);
  Type type = nn::elementType(scores);
  double low = fused ? -0.7 * 3.4028234663852886e38 : -1e9;
  Value weights = softmax(m.select(mask, scores, m.scalar(low, type)));
  return fused ? weights : m.select(mask, weights, 0.0);
}

namespace {

struct Heads {
  int64_t queryHeads, keyHeads, keyDim, valueDim;
  bool gated;
  Shape outputShape;
  Shape axes; // attended: from 1; empty for all between batch and features
};

} // namespace

// All masks of a call, as (B or 1, T, S), or null.
static Value attentionMask(LayerCall &call, Value query, Value value) {
  Math &m = call.math;
  int64_t rows = Math::size(query, 1), columns = Math::size(value, 1);
  Value mask;
  if (Value queryMask = call.mask())
    mask = m.expandDims(queryMask, -1);
  auto keyLike = [&](size_t position, StringRef tensor, StringRef maskName,
                     size_t maskPosition) {
    Value found;
    if (const Argument *given = call.argument(position, tensor))
      found = given->tensor.mask;
    if (const Argument *given = call.argument(maskPosition, maskName))
      if (given->kind == Argument::Kind::Tensor)
        found = m.convert(given->tensor.value, m.i1());
    if (found)
      mask = both(m, mask, m.expandDims(found, -2));
  };
  keyLike(1, "value", "value_mask", 4);
  keyLike(2, "key", "key_mask", 5);
  if (literalFlag(call, 9, "use_causal_mask"))
    mask = both(m, mask, causalMask(m, rows, columns));
  if (!call.config.at("sliding_window").isNull()) {
    int64_t window = call.integer("sliding_window");
    Value row = m.reshape(m.iota(rows, m.i32()), {1, rows, 1});
    Value column = m.reshape(m.iota(columns, m.i32()), {1, 1, columns});
    mask =
        both(m, mask,
             m.compare(nn::Predicate::lt, m.absolute(m.subtract(row, column)),
                       static_cast<double>(window)));
  }
  if (const Argument *given = call.argument(6, "attention_mask"))
    if (given->kind == Argument::Kind::Tensor) {
      Value own = m.convert(given->tensor.value, m.i1());
      if (mask && Math::rank(own) == 4)
        mask = m.expandDims(mask, 1);
      mask = both(m, own, mask);
    }
  return mask;
}

namespace {

/// The products of an attention over some axes of (batch, axes..., heads,
/// features); the other axes are like the batch.
struct AttentionEquations {
  std::string scores, values;

  AttentionEquations(int64_t rank, ArrayRef<int64_t> axes) {
    std::string query = StringRef("abcdefgh").take_front(rank).str(),
                key = query;
    std::string product, rows, columns;
    for (int64_t axis = 0; axis < rank; ++axis)
      if (llvm::is_contained(axes, axis)) {
        key[axis] = static_cast<char>('m' + axis);
        rows += query[axis];
        columns += key[axis];
      } else if (axis != rank - 1) {
        product += query[axis];
      }
    product += rows + columns;
    scores = query + "," + key + "->" + product;
    values = product + "," + key + "->" + query;
  }
};

} // namespace

static void attend(LayerCall &call, Heads h) {
  Math &m = call.math;
  if (!call.expectRank(3, 6))
    return;
  const Argument *valueArgument = call.argument(1, "value");
  if (!valueArgument || valueArgument->kind != Argument::Kind::Tensor ||
      !valueArgument->tensor.value) {
    call.error("is called without a value tensor");
    return;
  }
  Value query = m.toFloat(call.input());
  Value value = m.toFloat(valueArgument->tensor.value);
  Value key = value;
  if (const Argument *given = call.argument(2, "key"))
    if (given->kind == Argument::Kind::Tensor && given->tensor.value)
      key = m.toFloat(given->tensor.value);
  int64_t rank = Math::rank(query);
  if (Math::rank(value) != rank || Math::rank(key) != rank) {
    call.error("query, value and key must have the same rank");
    return;
  }
  for (int64_t &axis : h.axes) {
    axis += axis < 0 ? rank : 0;
    if (axis < 1 || axis > rank - 2) {
      call.errorAt("attention_axes",
                   "an attended axis must lie between the batch and the "
                   "features");
      return;
    }
  }
  if (h.axes.empty())
    h.axes = llvm::to_vector(llvm::seq<int64_t>(1, rank - 1));
  double dropout = call.number("dropout", 0);
  bool returnsScores = literalFlag(call, 7, "return_attention_scores");
  Value mask = attentionMask(call, query, value);
  auto width = [](Value x) { return Shape{Math::size(x, -1)}; };
  Value q = project(
      call, {"query", "query_dense", width(query), {h.queryHeads, h.keyDim}},
      query);
  Value k = project(
      call, {"key", "key_dense", width(key), {h.keyHeads, h.keyDim}}, key);
  Value gate;
  if (h.gated)
    gate = m.sigmoid(project(
        call, {"gate", "gate_dense", width(query), {h.queryHeads, h.valueDim}},
        query));
  Value v = project(
      call, {"value", "value_dense", width(value), {h.keyHeads, h.valueDim}},
      value);
  if (!q || !k || !v)
    return;
  if (h.queryHeads != h.keyHeads) {
    k = m.repeat(k, rank - 1, {h.queryHeads / h.keyHeads});
    v = m.repeat(v, rank - 1, {h.queryHeads / h.keyHeads});
  }
  AttentionEquations equations(rank + 1, h.axes);
  Value scaled = m.multiply(q, 1 / std::sqrt(static_cast<double>(h.keyDim)));
  Value scores = m.contract(equations.scores, scaled, k);
  // A mask has the attended axes last, and perhaps those before the heads.
  if (mask && scores) {
    int64_t attended = 2 * static_cast<int64_t>(h.axes.size());
    while (Math::rank(mask) < Math::rank(scores))
      mask =
          m.expandDims(mask, std::max<int64_t>(Math::rank(mask) - attended, 0));
  }
  // Keras has a fused kernel for one axis of time.
  bool fused = dropout == 0 && !returnsScores && rank == 3;
  Value weights = maskedSoftmax(m, scores, mask, h.axes.size(), fused);
  Value kept = weights;
  if (weights)
    kept = call.dropout(weights, dropout, Math::shape(weights));
  Value y = m.contract(equations.values, kept, v);
  if (gate)
    y = m.multiply(y, gate);
  Shape out = h.outputShape.empty() ? width(query) : h.outputShape;
  if (y)
    y = project(
        call,
        {"attention_output", "output_dense", {h.queryHeads, h.valueDim}, out},
        y);
  call.result(y, call.mask());
  if (returnsScores)
    call.result(weights);
}

static void importMultiHead(LayerCall &call) {
  Heads h;
  h.queryHeads = h.keyHeads = call.integer("num_heads");
  h.keyDim = call.integer("key_dim");
  h.valueDim = call.integer("value_dim", h.keyDim);
  h.gated = call.boolean("use_gate", false);
  const Json &axes = call.config.at("attention_axes");
  if (axes.isArray())
    h.axes = call.sizes("attention_axes", static_cast<int64_t>(axes.size()), {},
                        /*least=*/-8);
  else if (!axes.isNull())
    h.axes = {call.integer("attention_axes")};
  const Json &shape = call.config.at("output_shape");
  if (shape.isArray())
    h.outputShape =
        call.sizes("output_shape", static_cast<int64_t>(shape.size()));
  else if (!shape.isNull())
    h.outputShape = {call.integer("output_shape")};
  if (h.outputShape.size() > 4) {
    call.errorAt("output_shape", "more than 4 output axes are not supported");
    return;
  }
  attend(call, h);
}

static void importGroupQuery(LayerCall &call) {
  Heads h;
  h.queryHeads = call.integer("num_query_heads");
  h.keyHeads = call.integer("num_key_value_heads");
  h.keyDim = h.valueDim = call.integer("head_dim");
  h.gated = call.boolean("use_gate", false);
  if (h.queryHeads % h.keyHeads != 0) {
    call.errorAt("num_query_heads",
                 "num_query_heads must be a multiple of num_key_value_heads");
    return;
  }
  attend(call, h);
}

//===----------------------------------------------------------------------===//
// Attention, AdditiveAttention
//===----------------------------------------------------------------------===//

// Inputs [query, value] or [query, value, key]; without scaling by 1/sqrt(d).
static void importAttention(LayerCall &call) {
  Math &m = call.math;
  if (call.inputs().size() < 2 || call.inputs().size() > 3) {
    call.error("needs the inputs [query, value] or [query, value, key]");
    return;
  }
  for (const Tensor &tensor : call.inputs())
    if (Math::rank(tensor.value) != 3) {
      call.error("inputs must have shape (batch, time, features)");
      return;
    }
  Value query = call.input(0), value = call.input(1);
  Value key = call.inputs().size() > 2 ? call.input(2) : value;
  bool additive = call.className() == "AdditiveAttention";
  bool concat = call.string("score_mode", "dot") == "concat";
  bool scaled = call.boolean("use_scale", additive);
  Value scale;
  if (scaled)
    scale = call.weightWith(
        "scale", additive ? Shape{Math::size(query, -1)} : Shape{},
        call.initializerOf(additive ? "GlorotUniform" : "Ones"), "scale");
  Value scores;
  if (!additive && !concat) {
    scores = m.contract("bqd,bkd->bqk", query, key);
    if (scale)
      scores = m.multiply(scores, scale);
  } else {
    Value sum = m.add(m.expandDims(query, 2), m.expandDims(key, 1));
    if (additive) {
      Value bent = m.tanh(sum);
      scores = m.sum(scale ? m.multiply(bent, scale) : bent, {-1});
    } else {
      Value weight = call.weightWith("concat_score_weight", {},
                                     call.initializerOf("Ones"), "scale");
      Value bent = m.tanh(scale ? m.multiply(sum, scale) : sum);
      scores = m.multiply(m.sum(bent, {-1}), weight);
    }
  }
  Value queryMask = call.mask(0), valueMask = call.mask(1);
  if (const Argument *given = call.argument(1, "mask")) {
    auto entry = [&](size_t i) {
      bool has = given->kind == Argument::Kind::List &&
                 i < given->items.size() &&
                 given->items[i].kind == Argument::Kind::Tensor;
      return has ? m.convert(given->items[i].tensor.value, m.i1()) : Value();
    };
    if (Value own = entry(0))
      queryMask = own;
    if (Value own = entry(1))
      valueMask = own;
  }
  Value mask;
  if (valueMask)
    mask = m.expandDims(valueMask, 1);
  if (literalFlag(call, 4, "use_causal_mask"))
    mask =
        both(m, mask, causalMask(m, Math::size(query, 1), Math::size(key, 1)));
  if (mask && scores)
    scores = m.select(mask, scores, m.subtract(scores, 1e9));
  Value weights = m.softmax(scores, -1);
  if (weights)
    weights =
        call.dropout(weights, call.number("dropout", 0), Math::shape(weights));
  Value y = m.contract("bqk,bkd->bqd", weights, value);
  if (queryMask)
    y = m.select(m.expandDims(queryMask, -1), y, 0.0);
  call.result(y, queryMask);
}

void cornu::frontend::registerAttention(Registry &registry) {
  StringRef family = "Attention";
  registry.add(
      {"MultiHeadAttention", family, importMultiHead, MaskRule::Own, ""});
  registry.add(
      {"GroupQueryAttention", family, importGroupQuery, MaskRule::Own, ""});
  registry.alias("GroupedQueryAttention", "GroupQueryAttention");
  registry.add({"Attention", family, importAttention, MaskRule::Own, ""});
  registry.add(
      {"AdditiveAttention", family, importAttention, MaskRule::Own, ""});
}
