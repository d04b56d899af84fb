//===- RecurrentCell.cpp - The step of a recurrent layer ------------------===//

#include "frontend/import/layers/RecurrentCell.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

using Step = RecurrentCell::Step;

// Masks of the input and of each gate's recurrent input, drawn once per call.
static Value dropMask(LayerCall &cell, Value like, int64_t width, double rate) {
  Math &m = cell.math;
  Value drawn = cell.random({Math::size(like, 0), width}, like);
  Value keep = m.compare(nn::Predicate::ge, drawn, rate);
  Value scale = m.scalar(1 / (1 - rate), cell.floatType());
  return m.select(keep, scale, 0.0);
}

namespace {

/// What the three kinds of cells share.
struct Gates {
  int64_t units, count;
  bool useBias;
  size_t bias, inputMask, recurrentMask; // indices of invariants
  bool dropInput = false, dropRecurrent = false;
};

} // namespace

// Columns [gate * units, (gate + 1) * units).
static Value block(Math &m, Value x, int64_t gate, int64_t units) {
  return m.slice(x, -1, gate * units, (gate + 1) * units);
}

static Gates readGates(LayerCall &cell, RecurrentCell &out, Value input,
                       int64_t count, bool training) {
  Gates g;
  g.units = cell.integer("units");
  g.count = count;
  g.useBias = cell.boolean("use_bias", true);
  int64_t width = count * g.units;
  out.invariants.push_back(
      cell.weight("kernel", {Math::size(input, -1), width}));
  out.invariants.push_back(
      cell.weight("recurrent_kernel", {g.units, width}, "recurrent"));
  double dropout = cell.number("dropout", 0);
  double recurrent = cell.number("recurrent_dropout", 0);
  auto valid = [&](StringRef key, double rate) {
    if (rate >= 0 && rate < 1)
      return true;
    cell.errorAt(key, key + " must lie in [0, 1)");
    return false;
  };
  g.dropInput = training && valid("dropout", dropout) && dropout > 0;
  g.dropRecurrent =
      training && valid("recurrent_dropout", recurrent) && recurrent > 0;
  out.stateSizes.push_back(g.units);
  out.outputSize = g.units;
  if (g.dropInput) {
    g.inputMask = out.invariants.size();
    out.invariants.push_back(
        dropMask(cell, input, Math::size(input, -1), dropout));
  }
  if (g.dropRecurrent) {
    g.recurrentMask = out.invariants.size();
    for (int64_t gate = 0; gate < count; ++gate)
      out.invariants.push_back(dropMask(cell, input, g.units, recurrent));
  }
  return g;
}

static void addBias(LayerCall &cell, RecurrentCell &out, Gates &g,
                    ArrayRef<int64_t> shape, DictionaryAttr initializer = {}) {
  if (!g.useBias)
    return;
  g.bias = out.invariants.size();
  out.invariants.push_back(
      initializer ? cell.weightWith("bias", shape, initializer, "bias")
                  : cell.weight("bias", shape));
}

// x W, or with dropout (x * mask) W.
static Value projectInput(Math &m, const Gates &g, Value x,
                          ValueRange invariants) {
  if (g.dropInput)
    x = m.multiply(x, invariants[g.inputMask]);
  return m.contract("bi,iu->bu", x, invariants[0]);
}

// h U for some gates; with recurrent dropout each gate has its own mask.
static Value projectState(Math &m, const Gates &g, Value h,
                          ValueRange invariants, int64_t first, int64_t last) {
  if (!g.dropRecurrent) {
    Value u = invariants[1];
    if (first != 0 || last != g.count)
      u = m.slice(u, 1, first * g.units, last * g.units);
    return m.contract("bi,iu->bu", h, u);
  }
  SmallVector<Value> blocks;
  for (int64_t gate = first; gate < last; ++gate) {
    Value dropped = m.multiply(h, invariants[g.recurrentMask + gate]);
    blocks.push_back(m.contract("bi,iu->bu", dropped,
                                block(m, invariants[1], gate, g.units)));
  }
  return m.concatenate(blocks, -1);
}

// The step functions run after makeCell has returned: they own what they need.
using Shared = std::shared_ptr<LayerCall>;

// h = f(x W + b + h U)
static void makeSimple(Shared cell, RecurrentCell &out, Value input,
                       bool training) {
  Gates g = readGates(*cell, out, input, 1, training);
  addBias(*cell, out, g, {g.units});
  out.step = [cell, g](Value x, ValueRange state, ValueRange in) {
    Math &m = cell->math;
    Value z = projectInput(m, g, x, in);
    if (g.useBias)
      z = m.add(z, in[g.bias]);
    z = m.add(z, projectState(m, g, state[0], in, 0, 1));
    Value h = cell->activate("activation", z, "tanh");
    return Step{h, {h}};
  };
}

// Blocks i, f, c, o: c = f c + i f_act(z_c), h = o f_act(c).
static void makeLSTM(Shared cell, RecurrentCell &out, Value input,
                     bool training) {
  Gates g = readGates(*cell, out, input, 4, training);
  DictionaryAttr forgetBias;
  Builder &b = cell->model.builder;
  // The forget gate starts open.
  if (cell->boolean("unit_forget_bias", true)) {
    auto units = b.getNamedAttr(
        "units", b.getF64FloatAttr(static_cast<double>(g.units)));
    forgetBias = cell->initializerOf("UnitForgetBias", units);
  }
  addBias(*cell, out, g, {4 * g.units}, forgetBias);
  out.stateSizes.push_back(g.units);
  out.step = [cell, g](Value x, ValueRange state, ValueRange in) {
    Math &m = cell->math;
    Value z = m.add(projectInput(m, g, x, in),
                    projectState(m, g, state[0], in, 0, 4));
    if (g.useBias)
      z = m.add(z, in[g.bias]);
    auto gate = [&](int64_t index) {
      return cell->activate("recurrent_activation", block(m, z, index, g.units),
                            "sigmoid");
    };
    auto bend = [&](Value x) {
      return cell->activate("activation", x, "tanh");
    };
    Value i = gate(0), f = gate(1);
    Value candidate = bend(block(m, z, 2, g.units));
    Value o = gate(3);
    Value c = m.add(m.multiply(f, state[1]), m.multiply(i, candidate));
    Value h = m.multiply(o, bend(c));
    return Step{h, {h, c}};
  };
}

// Blocks z, r, h: h' = z h + (1 - z) hh.
static void makeGRU(Shared cell, RecurrentCell &out, Value input,
                    bool training) {
  Gates g = readGates(*cell, out, input, 3, training);
  bool resetAfter = cell->boolean("reset_after", true);
  addBias(*cell, out, g,
          resetAfter ? Shape{2, 3 * g.units} : Shape{3 * g.units});
  out.step = [cell, g, resetAfter](Value x, ValueRange state, ValueRange in) {
    Math &m = cell->math;
    Value h = state[0];
    auto biasRow = [&](int64_t row) {
      return resetAfter ? m.squeeze(m.slice(in[g.bias], 0, row, row + 1), 0)
                        : in[g.bias];
    };
    Value xs = projectInput(m, g, x, in);
    if (g.useBias)
      xs = m.add(xs, biasRow(0));
    int64_t together = resetAfter ? 3 : 2;
    Value hs = projectState(m, g, h, in, 0, together);
    if (g.useBias && resetAfter)
      hs = m.add(hs, biasRow(1));
    auto gate = [&](int64_t index) {
      return cell->activate(
          "recurrent_activation",
          m.add(block(m, xs, index, g.units), block(m, hs, index, g.units)),
          "sigmoid");
    };
    Value z = gate(0), r = gate(1);
    Value inner = resetAfter ? m.multiply(r, block(m, hs, 2, g.units))
                             : projectState(m, g, m.multiply(r, h), in, 2, 3);
    Value candidate = cell->activate(
        "activation", m.add(block(m, xs, 2, g.units), inner), "tanh");
    Value next =
        m.add(m.multiply(z, h), m.multiply(m.subtract(1.0, z), candidate));
    return Step{next, {next}};
  };
}

// Each cell reads the output of the one below.
static void makeStack(LayerCall &call, const Json &object, const Scope &scope,
                      Value input, bool training, RecurrentCell &out) {
  const Json &cells = object.at("config").at("cells");
  auto stack = std::make_shared<std::vector<RecurrentCell>>();
  llvm::StringMap<unsigned> used;
  Value x = input;
  for (const Json *cellObject : cells.items()) {
    std::string key = snakeCase(cellObject->at("class_name").str());
    unsigned number = used[key]++;
    Scope inner = scope;
    inner.path += "/" + cellObject->at("config").at("name").str().str();
    inner.group +=
        "/cells/" + key + (number ? "_" + std::to_string(number) : "");
    RecurrentCell cell = makeCell(call, *cellObject, inner, x, training);
    if (!cell.valid)
      return;
    out.outputState = out.stateSizes.size() + cell.outputState;
    llvm::append_range(out.stateSizes, cell.stateSizes);
    llvm::append_range(out.invariants, cell.invariants);
    out.outputSize = cell.outputSize;
    // Stands for the next cell's input; folded away, as only its width counts.
    x = call.math.broadcast(call.math.scalar(0, nn::elementType(input)),
                            {Math::size(input, 0), cell.outputSize}, input);
    stack->push_back(std::move(cell));
  }
  out.step = [stack](Value x, ValueRange state, ValueRange in) {
    Step result;
    for (RecurrentCell &cell : *stack) {
      size_t states = cell.stateSizes.size(), inputs = cell.invariants.size();
      Step step = cell.step(x, state.take_front(states), in.take_front(inputs));
      state = state.drop_front(states);
      in = in.drop_front(inputs);
      llvm::append_range(result.state, step.state);
      x = step.output;
    }
    result.output = x;
    return result;
  };
  out.valid = !stack->empty();
}

static StringRef kindOf(StringRef className) {
  className.consume_back("Cell");
  return className;
}

bool cornu::frontend::isCell(StringRef className) {
  return className == "SimpleRNNCell" || className == "LSTMCell" ||
         className == "GRUCell" || className == "StackedRNNCells";
}

bool cornu::frontend::hasDropout(const Json &object) {
  const Json &config = object.at("config");
  if (config.at("dropout").asNumber().value_or(0) > 0 ||
      config.at("recurrent_dropout").asNumber().value_or(0) > 0)
    return true;
  for (const Json *cell : config.at("cells").items())
    if (hasDropout(*cell))
      return true;
  return config.has("cell") && hasDropout(config.at("cell"));
}

RecurrentCell cornu::frontend::makeCell(LayerCall &call, const Json &object,
                                        const Scope &scope, Value input,
                                        bool training) {
  RecurrentCell out;
  StringRef className = object.at("class_name").str();
  StringRef kind = kindOf(className);
  if (className == "StackedRNNCells") {
    makeStack(call, object, scope, input, training, out);
    return out;
  }
  auto make =
      llvm::StringSwitch<void (*)(Shared, RecurrentCell &, Value, bool)>(kind)
          .Case("SimpleRNN", makeSimple)
          .Case("LSTM", makeLSTM)
          .Case("GRU", makeGRU)
          .Default(nullptr);
  if (!make) {
    call.error("the cell " + className + " is not supported",
               "SimpleRNNCell, LSTMCell, GRUCell or StackedRNNCells");
    return out;
  }
  Arguments arguments;
  arguments.positional.push_back(Argument::of({input, {}}));
  auto cell = std::make_shared<LayerCall>(call.model, object, scope,
                                          std::move(arguments));
  make(cell, out, input, training);
  out.valid = llvm::all_of(out.invariants, [](Value v) { return bool(v); });
  return out;
}
