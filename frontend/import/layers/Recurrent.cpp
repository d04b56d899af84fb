//===- Recurrent.cpp - Recurrent layers as scans --------------------------===//

#include "frontend/import/layers/RecurrentCell.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

namespace {

/// A recurrent layer's call, taken apart.
struct Recurrence {
  const Json *cellObject;
  Scope cellScope;
  Value sequence; // (batch, time, features)
  Value mask;     // (batch, time) or null
  SmallVector<Value> initialState;
  bool returnSequences, returnState, goBackwards, zeroOutput;
};

} // namespace

static Value zeros(LayerCall &call, Value like, int64_t size) {
  Math &m = call.math;
  return m.broadcast(m.scalar(0, call.floatType()), {Math::size(like, 0), size},
                     like);
}

// One pass over the sequence: the outputs of all steps or the last one, then
// the final states.
static SmallVector<Value> runScan(LayerCall &call, const Recurrence &r,
                                  bool training) {
  Math &m = call.math;
  OpBuilder &b = call.model.builder;
  Value first = m.squeeze(m.slice(r.sequence, 1, 0, 1), 1);
  RecurrentCell cell =
      makeCell(call, *r.cellObject, r.cellScope, first, training);
  if (!cell.valid)
    return {};
  SmallVector<Value> state;
  for (auto [i, size] : llvm::enumerate(cell.stateSizes)) {
    Value given = i < r.initialState.size() ? r.initialState[i] : Value();
    if (given && (Math::rank(given) != 2 || Math::size(given, 1) != size)) {
      call.error("initial_state #" + Twine(i) + " has shape " +
                 nn::formatShape(Math::shape(given)) + ", needs " +
                 Twine(size) + " features");
      return {};
    }
    state.push_back(given ? m.convert(given, call.floatType())
                          : zeros(call, r.sequence, size));
  }
  size_t states = state.size();
  // The output of a masked step repeats the last one, which is not always part
  // of the state (a stack of cells): it is carried along.
  bool carriesOutput = r.mask && !r.zeroOutput && r.returnSequences;
  if (carriesOutput)
    state.push_back(zeros(call, r.sequence, cell.outputSize));
  SmallVector<Value> sequences{r.sequence};
  if (r.mask)
    sequences.push_back(r.mask);
  bool complete = true;
  auto body = [&](OpBuilder &, Location, ValueRange old, ValueRange elements,
                  ValueRange invariants) {
    RecurrentCell::Step step =
        cell.step(elements[0], old.take_front(states), invariants);
    SmallVector<Value> next = step.state;
    Value output = step.output;
    if (r.mask) {
      Value valid = m.expandDims(elements[1], -1);
      for (auto [value, before] : llvm::zip(next, old))
        value = m.select(valid, value, before);
      if (r.zeroOutput)
        output = m.select(valid, output, 0.0);
      else if (carriesOutput)
        output = m.select(valid, output, old[states]);
    }
    if (carriesOutput)
      next.push_back(output);
    if (r.returnSequences)
      next.push_back(output);
    for (Value &value : next)
      if (!value) {
        complete = false;
        value = old[0]; // the error was reported
      }
    return next;
  };
  int64_t steps = Math::size(r.sequence, 1);
  auto scan = nn::ScanOp::create(b, m.getLoc(), steps, r.goBackwards, state,
                                 sequences, cell.invariants, body);
  if (!complete)
    return {};
  SmallVector<Value> results;
  if (r.returnSequences) {
    // Keras leaves the outputs in the order of processing.
    Value outputs = scan.getOutputs()[0];
    results.push_back(r.goBackwards ? m.reverse(outputs, 1) : outputs);
  } else {
    // The first state of the (last) cell is its output.
    Value last = scan.getFinalState()[cell.outputState];
    if (r.mask && r.zeroOutput) {
      int64_t at = r.goBackwards ? 0 : steps - 1;
      Value valid = m.slice(r.mask, 1, at, at + 1);
      last = m.select(valid, last, 0.0);
    }
    results.push_back(last);
  }
  for (size_t i = 0; i < states && r.returnState; ++i)
    results.push_back(scan.getFinalState()[i]);
  return results;
}

static bool readOptions(LayerCall &call, Recurrence &r) {
  if (!call.expectRank(3, 3))
    return false;
  r.sequence = call.math.toFloat(call.input());
  r.mask = call.maskArgument(2);
  if (r.mask && Math::rank(r.mask) != 2)
    r.mask = {};
  r.returnSequences = call.boolean("return_sequences", false);
  r.returnState = call.boolean("return_state", false);
  r.goBackwards = call.boolean("go_backwards", false);
  r.zeroOutput = call.boolean("zero_output_for_mask", false);
  call.refuse("stateful", "state that outlives a batch is not supported: pass "
                          "it as initial_state");
  call.refuse("time_major", "give sequences as (batch, time, features)");
  // [x, h, c] in the first argument, or the argument initial_state.
  SmallVector<Tensor> given(call.inputs().drop_front());
  if (const Argument *state = call.argument(1, "initial_state"))
    state->flatten(given);
  for (const Tensor &tensor : given)
    r.initialState.push_back(tensor.value);
  return true;
}

static void importRecurrence(LayerCall &call, Recurrence &r) {
  SmallVector<Value> results;
  if (hasDropout(call.layer) && !call.model.options.inferenceOnly)
    results = call.math.ifTraining([&] { return runScan(call, r, true); },
                                   [&] { return runScan(call, r, false); });
  else
    results = runScan(call, r, false);
  for (auto [i, value] : llvm::enumerate(results))
    call.result(value, i == 0 && r.returnSequences ? call.mask() : Value());
}

// SimpleRNN, LSTM, GRU: the layer's configuration is its cell's.
static void importLayer(LayerCall &call) {
  Recurrence r;
  if (!readOptions(call, r))
    return;
  r.cellObject = &call.layer;
  std::string cellName = snakeCase((call.className() + "Cell").str());
  r.cellScope = call.within(cellName, "cell");
  importRecurrence(call, r);
}

static void importRNN(LayerCall &call) {
  Recurrence r;
  if (!readOptions(call, r))
    return;
  r.cellObject = &call.config.at("cell");
  if (!isCell(r.cellObject->at("class_name").str())) {
    call.errorAt("cell",
                 "the cell " + r.cellObject->at("class_name").str() +
                     " is not supported",
                 "SimpleRNNCell, LSTMCell, GRUCell or StackedRNNCells");
    return;
  }
  r.cellScope =
      call.within(r.cellObject->at("config").at("name").str(), "cell");
  importRecurrence(call, r);
}

void cornu::frontend::registerRecurrent(Registry &registry) {
  StringRef family = "Recurrent";
  StringRef note = "not stateful";
  registry.add({"SimpleRNN", family, importLayer, MaskRule::Own, note});
  registry.add({"LSTM", family, importLayer, MaskRule::Own, note});
  registry.add({"GRU", family, importLayer, MaskRule::Own, note});
  registry.add({"RNN", family, importRNN, MaskRule::Own,
                "SimpleRNNCell, LSTMCell, GRUCell and StackedRNNCells"});
}
