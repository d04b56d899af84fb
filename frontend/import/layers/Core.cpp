//===- Core.cpp - Dense, Embedding, Activation and the like ---------------===//

#include "frontend/import/ModelBuilder.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

// y = activation(x W + b), over the last axis of any rank.
static void importDense(LayerCall &call) {
  int64_t units = call.integer("units");
  call.refuse("quantization_config", "save the model before quantization");
  call.refuse("lora_rank", "merge the LoRA weights before saving");
  if (!call.expectRank(2, 16))
    return;
  Value x = call.math.toFloat(call.input());
  Value kernel = call.weight("kernel", {Math::size(x, -1), units});
  static constexpr StringRef letters = "bcdefghjklmnopqr";
  std::string batch = letters.take_front(Math::rank(x) - 1).str();
  Value y = call.math.contract(batch + "i,iu->" + batch + "u", x, kernel);
  if (call.boolean("use_bias", true))
    y = call.math.add(y, call.weight("bias", {units}));
  call.result(call.activate("activation", y));
}

// Einstein summation with a kernel, "ab,bc->ac", ellipsis for leading axes.
static void importEinsumDense(LayerCall &call) {
  Math &m = call.math;
  if (!call.expectRank(1, 16))
    return;
  Value x = m.toFloat(call.input());
  std::string equation = call.string("equation", "");
  call.refuse("quantization_config", "save the model before quantization");
  call.refuse("lora_rank", "merge the LoRA weights before saving");
  auto [operands, result] = StringRef(equation).split("->");
  auto [input, kernel] = operands.split(',');
  auto fail = [&] {
    call.errorAt("equation",
                 "the equation '" + equation + "' does not fit an input of " +
                     nn::formatShape(Math::shape(x)),
                 "equations have the form ab,bc->ac, ...x,xy->...y or "
                 "xa...,ab->xb...");
  };
  // Letters for the axes that an ellipsis stands for.
  std::string labels[3] = {input.str(), kernel.str(), result.str()};
  if (StringRef(input).contains("...")) {
    int64_t more = Math::rank(x) - static_cast<int64_t>(input.size() - 3);
    std::string fresh;
    for (char c = 'A'; c <= 'Z' && static_cast<int64_t>(fresh.size()) < more;
         ++c)
      if (!StringRef(equation).contains(c))
        fresh += c;
    for (std::string &text : labels) {
      size_t at = text.find("...");
      if (at != std::string::npos)
        text.replace(at, 3, fresh);
    }
  }
  if (static_cast<int64_t>(labels[0].size()) != Math::rank(x))
    return fail();
  const Json &shapeJson = call.config.at("output_shape");
  SmallVector<std::optional<int64_t>> stored;
  if (shapeJson.isArray())
    for (const Json *item : shapeJson.items())
      stored.push_back(item->asInteger());
  else
    stored.push_back(shapeJson.asInteger());
  // Sizes per letter: from the input, then from output_shape, whose entries
  // are the last axes of the result.
  llvm::SmallDenseMap<char, int64_t> sizes;
  for (auto [label, size] : llvm::zip(labels[0], Math::shape(x)))
    sizes[label] = size;
  size_t skip =
      labels[2].size() >= stored.size() ? labels[2].size() - stored.size() : 0;
  for (size_t i = 0; i < stored.size() && skip + i < labels[2].size(); ++i)
    if (stored[i] && !sizes.count(labels[2][skip + i]))
      sizes[labels[2][skip + i]] = *stored[i];
  Shape kernelShape;
  for (char label : labels[1]) {
    auto it = sizes.find(label);
    if (it == sizes.end())
      return fail();
    kernelShape.push_back(it->second);
  }
  // Keras tells the initializer which axes are inputs.
  Shape inputAxes, outputAxes;
  for (auto [axis, label] : llvm::enumerate(labels[1]))
    (StringRef(labels[2]).contains(label) ? outputAxes : inputAxes)
        .push_back(static_cast<int64_t>(axis));
  Value weights = call.weightWith(
      "kernel", kernelShape, call.initializer("kernel", inputAxes, outputAxes),
      "kernel");
  Value y =
      m.contract(labels[0] + "," + labels[1] + "->" + labels[2], x, weights);
  std::string biasAxes = call.string("bias_axes", "");
  if (!biasAxes.empty() && y) {
    Shape biasShape;
    for (auto [label, size] : llvm::zip(labels[2], Math::shape(y))) {
      bool in = StringRef(biasAxes).contains(label);
      if (in || !biasShape.empty())
        biasShape.push_back(in ? size : 1);
    }
    y = m.add(y, call.weight("bias", biasShape));
  }
  call.result(call.activate("activation", y));
}

static void importEmbedding(LayerCall &call) {
  Math &m = call.math;
  int64_t rows = call.integer("input_dim"), width = call.integer("output_dim");
  call.refuse("quantization_config", "save the model before quantization");
  call.refuse("lora_rank", "merge the LoRA weights before saving");
  Value ids = m.convert(call.input(), m.i32());
  if (ids)
    call.model.boundInputs(ids, rows);
  Value table = call.weight("embeddings", {rows, width});
  Value mask;
  if (call.boolean("mask_zero", false))
    mask = m.compare(nn::Predicate::ne, ids, 0.0);
  call.result(m.gather(table, ids), mask);
}

static void importActivation(LayerCall &call) {
  if (!call.config.has("activation"))
    call.error("the config has no activation");
  call.result(call.activate("activation", call.math.toFloat(call.input())));
}

static void importIdentity(LayerCall &call) { call.result(call.input()); }

// Steps whose features all equal mask_value are masked and zeroed.
static void importMasking(LayerCall &call) {
  Math &m = call.math;
  if (!call.expectRank(3, 16))
    return;
  Value differs =
      m.compare(nn::Predicate::ne, call.input(), call.number("mask_value", 0));
  Value mask = m.reduce(nn::ReductionKind::any, differs, {-1});
  call.result(m.select(m.expandDims(mask, -1), call.input(), 0.0), mask);
}

void cornu::frontend::registerCore(Registry &registry) {
  StringRef family = "Core";
  registry.add({"Dense", family, importDense, MaskRule::Pass, ""});
  registry.add({"EinsumDense", family, importEinsumDense, MaskRule::Drop, ""});
  registry.add({"Embedding", family, importEmbedding, MaskRule::Own, ""});
  registry.add({"Activation", family, importActivation, MaskRule::Pass,
                "every function of keras.activations"});
  registry.add({"Identity", family, importIdentity, MaskRule::Pass, ""});
  registry.add({"Masking", family, importMasking, MaskRule::Own, ""});
}
