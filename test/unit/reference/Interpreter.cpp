//===- Interpreter.cpp - Control, variables, and the walk over a block ----===//

#include "test/unit/reference/Interpreter.h"

using namespace mlir;

namespace cornu::reference {

Array::Array(Sizes shape, double value)
    : shape(std::move(shape)), data(product(this->shape), value) {}

int64_t Array::offset(const Sizes &index) const {
  int64_t position = 0;
  for (size_t d = 0; d < shape.size(); ++d)
    position = position * shape[d] + index[d];
  return position;
}

double Array::atBroadcast(const Sizes &index) const {
  int64_t position = 0;
  size_t leading = index.size() - shape.size();
  for (size_t d = 0; d < shape.size(); ++d)
    position = position * shape[d] + (shape[d] == 1 ? 0 : index[leading + d]);
  return data[position];
}

bool increment(Sizes &index, const Sizes &shape) {
  for (size_t d = shape.size(); d-- > 0;) {
    if (++index[d] < shape[d])
      return true;
    index[d] = 0;
  }
  return false;
}

int64_t product(const Sizes &shape) {
  int64_t size = 1;
  for (int64_t n : shape)
    size *= n;
  return size;
}

std::vector<Array> Interpreter::call(StringRef name,
                                     std::vector<Array> arguments) {
  auto function = module.lookupSymbol<func::FuncOp>(name);
  if (!function)
    llvm::report_fatal_error("no function of this name");
  Values values;
  for (auto [argument, array] :
       llvm::zip_equal(function.getArguments(), arguments))
    values[argument] = array;
  return run(function.getBody().front(), values);
}

std::vector<Array> Interpreter::run(Block &block, Values &values) {
  for (Operation &op : block.without_terminator())
    evaluate(op, values);
  std::vector<Array> results;
  for (Value operand : block.getTerminator()->getOperands())
    results.push_back(values.lookup(operand));
  return results;
}

/// x[:, t] of an array (N, T, ...).
static Array element(const Array &sequence, int64_t t) {
  Sizes shape = sequence.shape;
  shape.erase(shape.begin() + 1);
  Array result(shape);
  int64_t inner = product(shape) / std::max<int64_t>(shape[0], 1);
  for (int64_t n = 0; n < shape[0]; ++n)
    for (int64_t i = 0; i < inner; ++i)
      result.data[n * inner + i] =
          sequence.data[(n * sequence.shape[1] + t) * inner + i];
  return result;
}

static void setElement(Array &sequence, int64_t t, const Array &value) {
  int64_t batch = value.shape[0];
  int64_t inner = value.size() / std::max<int64_t>(batch, 1);
  for (int64_t n = 0; n < batch; ++n)
    for (int64_t i = 0; i < inner; ++i)
      sequence.data[(n * sequence.shape[1] + t) * inner + i] =
          value.data[n * inner + i];
}

std::vector<Array> Interpreter::scan(nn::ScanOp op, Values &values) {
  int64_t steps = op.getSteps();
  size_t numState = op.getState().size();
  std::vector<Array> results(op->getNumResults());
  for (size_t i = 0; i < numState; ++i)
    results[i] = values.lookup(op.getState()[i]);
  for (int64_t step = 0; step < steps; ++step) {
    int64_t t = op.getReverse() ? steps - 1 - step : step;
    Values inner;
    for (auto [i, argument] : llvm::enumerate(op.getStateArguments()))
      inner[argument] = results[i];
    for (auto [argument, sequence] :
         llvm::zip_equal(op.getElementArguments(), op.getSequences()))
      inner[argument] = element(values.lookup(sequence), t);
    for (auto [argument, value] :
         llvm::zip_equal(op.getInvariantArguments(), op.getInvariants()))
      inner[argument] = values.lookup(value);
    std::vector<Array> yielded = run(*op.getBodyBlock(), inner);
    for (size_t i = 0; i < yielded.size(); ++i) {
      if (i < numState) {
        results[i] = yielded[i];
        continue;
      }
      if (step == 0) {
        Sizes shape = yielded[i].shape;
        shape.insert(shape.begin() + 1, steps);
        results[i] = Array(shape);
      }
      setElement(results[i], t, yielded[i]);
    }
  }
  return results;
}

void Interpreter::evaluate(Operation &op, Values &values) {
  std::vector<Array> results;
  if (auto read = dyn_cast<nn::ReadOp>(op)) {
    auto found = variables.find(read.getVariable().str());
    if (found == variables.end())
      llvm::report_fatal_error("a variable without a value is read");
    results = {found->second};
  } else if (auto assign = dyn_cast<nn::AssignOp>(op)) {
    variables[assign.getVariable().str()] = values.lookup(assign.getValue());
    return;
  } else if (auto loop = dyn_cast<nn::ScanOp>(op)) {
    results = scan(loop, values);
  } else if (auto choice = dyn_cast<nn::IfTrainingOp>(op)) {
    Region &region = isTraining ? choice.getTraining() : choice.getInference();
    results = run(region.front(), values);
  } else {
    std::vector<Array> operands;
    for (Value operand : op.getOperands())
      operands.push_back(values.lookup(operand));
    if (auto callee = dyn_cast<func::CallOp>(op))
      results = call(callee.getCallee(), operands);
    else
      results = {evaluatePure(op, operands)};
  }
  for (auto [result, array] : llvm::zip_equal(op.getResults(), results))
    values[result] = array;
}

} // namespace cornu::reference
