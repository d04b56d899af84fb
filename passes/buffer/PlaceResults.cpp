//===- PlaceResults.cpp - Results written where they belong ---------------===//
//
// The results of an entry become arguments, those that are variables the
// arguments they have already:
//
//   call @sgd(%w, %g, %0)                       call @sgd(%w, %g)
//   return %0 : memref<4x4xf32>                 return
//     // {nn.variable = @w}, as is %w
//
// Each result is first a copy at the end. A copy from an allocation then goes
// away: the allocation becomes the copy's target, where in between nobody
// needs what the target held. The same removes the copies of states in loops,
// and of what a loop puts into its part of a sequence or changes there; and an
// elementwise kernel writes over its operand if that was its last use.
//
//===----------------------------------------------------------------------===//

#include "passes/buffer/Buffer.h"
#include "passes/buffer/InPlace.h"
#include "passes/buffer/Views.h"
#include "passes/lower/Lower.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;

namespace cornu::buffer {

//===----------------------------------------------------------------------===//
// Results to arguments
//===----------------------------------------------------------------------===//

static void resultsToArguments(func::FuncOp entry) {
  auto end = cast<func::ReturnOp>(entry.getBody().front().getTerminator());
  OpBuilder builder(end);
  SmallVector<Value> values(end.getOperands());
  SmallVector<DictionaryAttr> attributes;
  for (unsigned i = 0; i < values.size(); ++i) {
    DictionaryAttr attrs = entry.getResultAttrDict(i);
    attributes.push_back(attrs ? attrs : builder.getDictionaryAttr({}));
  }
  llvm::DenseMap<Attribute, Value> variables;
  for (unsigned i = 0; i < entry.getNumArguments(); ++i)
    if (Attribute name = entry.getArgAttr(i, lower::kVariableAttr))
      variables[name] = entry.getArgument(i);

  SmallVector<Value> targets;
  for (auto [value, attrs] : llvm::zip_equal(values, attributes)) {
    if (Value variable = variables.lookup(attrs.get(lower::kVariableAttr))) {
      targets.push_back(variable);
      continue;
    }
    auto type = cast<MemRefType>(value.getType());
    NamedAttrList list(attrs);
    list.set(kRoleAttr, builder.getStringAttr("output"));
    unsigned index = entry.getNumArguments();
    (void)entry.insertArgument(
        index, MemRefType::get(type.getShape(), type.getElementType()),
        list.getDictionary(builder.getContext()), value.getLoc());
    targets.push_back(entry.getArgument(index));
  }
  end->setOperands({});
  entry.removeResAttrsAttr();
  entry.setFunctionType(builder.getFunctionType(entry.getArgumentTypes(), {}));

  // A variable that becomes the old value of another one is read before any
  // is written.
  for (auto [value, target] : llvm::zip_equal(values, targets)) {
    Value root = rootOf(value);
    bool overwritten = root != target && llvm::is_contained(targets, root);
    if (!overwritten)
      continue;
    auto type = cast<MemRefType>(value.getType());
    SmallVector<Value> sizes;
    for (int64_t d = 0; d < type.getRank(); ++d)
      if (type.isDynamicDim(d))
        sizes.push_back(
            memref::DimOp::create(builder, value.getLoc(), value, d));
    Value saved = memref::AllocOp::create(
        builder, value.getLoc(),
        MemRefType::get(type.getShape(), type.getElementType()), sizes);
    memref::CopyOp::create(builder, value.getLoc(), value, saved);
    value = saved;
  }
  for (auto [value, target] : llvm::zip_equal(values, targets))
    if (rootOf(value) != target)
      memref::CopyOp::create(builder, value.getLoc(), value, target);
}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

namespace {

class Placement {
public:
  Placement(func::FuncOp entry, SymbolTable &symbols)
      : entry(entry), symbols(symbols) {}

  void run() {
    SmallVector<memref::CopyOp> copies;
    entry.walk([&](memref::CopyOp copy) { copies.push_back(copy); });
    for (memref::CopyOp copy : copies) {
      if (copy.getSource() == copy.getTarget())
        copy.erase();
      else
        forward(copy);
    }
    SmallVector<func::CallOp> calls;
    entry.walk([&](func::CallOp call) { calls.push_back(call); });
    for (func::CallOp call : calls)
      overwrite(call);
  }

private:
  /// Lets the source of a copy live in its target, if it can.
  void forward(memref::CopyOp copy);
  /// Lets the outputs of a call take the memory of its operands.
  void overwrite(func::CallOp call);
  /// True if `call` may read `in` and write `out` in one memory: all views of
  /// both among its operands are one of each, and the kernel allows it.
  bool mayShare(Operation *call, Value in, Value out);
  Value viewAs(Value target, memref::AllocOp allocation);

  func::FuncOp entry;
  SymbolTable &symbols;
};

} // namespace

bool Placement::mayShare(Operation *op, Value in, Value out) {
  auto call = dyn_cast<func::CallOp>(op);
  if (!call)
    return false;
  auto kernel = symbols.lookup<func::FuncOp>(call.getCallee());
  SmallVector<unsigned> inputs, outputs;
  for (auto [i, operand] : llvm::enumerate(call.getOperands())) {
    if (rootOf(operand) == in)
      inputs.push_back(i);
    if (rootOf(operand) == out)
      outputs.push_back(i);
  }
  if (inputs.size() != 1 || outputs.size() != 1)
    return false;
  return isWhole(call.getOperand(inputs[0])) &&
         isWhole(call.getOperand(outputs[0])) &&
         mayOverwrite(kernel, inputs[0], outputs[0]);
}

/// True if all uses of the allocation are as well with the layout of `type`:
/// as are casts to a type that leaves the layout open.
static bool hasOpenLayout(memref::AllocOp allocation, MemRefType type) {
  return llvm::all_of(allocation->getUsers(), [&](Operation *user) {
    if (auto cast = dyn_cast<memref::CastOp>(user))
      return memref::CastOp::areCastCompatible(type, cast.getType());
    return isa<memref::DimOp, memref::CopyOp>(user);
  });
}

/// `target` for the uses of the allocation; null if that is not possible.
Value Placement::viewAs(Value target, memref::AllocOp allocation) {
  MemRefType type = allocation.getType();
  auto from = cast<MemRefType>(target.getType());
  if (from == type)
    return target;
  if (from.getElementType() != type.getElementType())
    return {};
  if (from.getShape() == type.getShape() && hasOpenLayout(allocation, from))
    return target;
  if (!from.getLayout().isIdentity() || !isWhole(target))
    return {};
  // As many elements in another shape.
  OpBuilder builder(allocation);
  Location loc = allocation.getLoc();
  SmallVector<OpFoldResult> sizes = allocation.getMixedSizes(), strides;
  int64_t stride = 1;
  for (int64_t d = type.getRank() - 1; d >= 0; --d) {
    strides.insert(strides.begin(), builder.getIndexAttr(stride));
    if (type.isDynamicDim(d) && d > 0)
      return {};
    stride *= type.isDynamicDim(d) ? 1 : type.getDimSize(d);
  }
  return memref::ReinterpretCastOp::create(
      builder, loc, type, target, builder.getIndexAttr(0), sizes, strides);
}

/// What an op is called in a reason.
static std::string nameOf(Operation *op) {
  if (auto call = dyn_cast<func::CallOp>(op))
    return ("@" + call.getCallee()).str();
  return op->getName().getStringRef().str();
}

void Placement::forward(memref::CopyOp copy) {
  auto keep = [&](const Twine &reason) {
    copy->setAttr(kReasonAttr, StringAttr::get(copy.getContext(), reason));
  };
  auto allocation = rootOf(copy.getSource()).getDefiningOp<memref::AllocOp>();
  Value target = copy.getTarget(), targetRoot = rootOf(target);
  if (!allocation)
    return keep("the source is an argument or a constant");
  if (!isWhole(copy.getSource()))
    return keep("the source is a part of a buffer");
  if (allocation->getBlock() != copy->getBlock())
    return keep("the source is not computed beside the copy");
  if (allocation == targetRoot.getDefiningOp() ||
      !moveBefore(target, allocation,
                  [](Operation *op) { return isa<ViewLikeOpInterface>(op); }))
    return keep("the target comes later than the source");

  Block *block = copy->getBlock();
  Accesses written(allocation.getResult(), block), held(targetRoot, block);
  Operation *first = written.first(), *last = written.last();
  // What the target held may have been copied in, to be changed in part.
  auto in = dyn_cast<memref::CopyOp>(first);
  if (in &&
      (in == copy || in.getSource() != target || !isWhole(in.getTarget())))
    in = nullptr;
  for (Operation *op : held.ops) {
    if (op == copy || op == in || op->isBeforeInBlock(first))
      continue;
    if (op == first && mayShare(op, targetRoot, allocation))
      continue;
    // Later than the last use of the source nothing can be lost.
    if (last->isBeforeInBlock(op) && copy->isBeforeInBlock(op))
      continue;
    return keep(nameOf(op) + " still uses what the target holds");
  }
  Value place = viewAs(target, allocation);
  if (!place)
    return keep("the target has gaps between its elements");
  copy.erase();
  if (in)
    in.erase();
  for (Operation *user : llvm::make_early_inc_range(allocation->getUsers()))
    if (auto cast = dyn_cast<memref::CastOp>(user);
        cast && place.getType() != allocation.getType()) {
      OpBuilder builder(cast);
      cast.replaceAllUsesWith(
          memref::CastOp::create(builder, cast.getLoc(), cast.getType(), place)
              .getResult());
      cast.erase();
    }
  allocation.getResult().replaceAllUsesWith(place);
  allocation.erase();
}

void Placement::overwrite(func::CallOp call) {
  Block *block = call->getBlock();
  for (Value operand : call.getOperands()) {
    auto output = operand.getDefiningOp<memref::AllocOp>();
    if (!output || output->getBlock() != block)
      continue;
    if (Accesses(output.getResult(), block).first() != call)
      continue;
    for (Value other : call.getOperands()) {
      auto input = other.getDefiningOp<memref::AllocOp>();
      if (!input || input == output || input.getType() != output.getType() ||
          input->getBlock() != block ||
          Accesses(input.getResult(), block).last() != call ||
          !mayShare(call, input.getResult(), output.getResult()))
        continue;
      // The input must dominate the output's views, which stand anywhere
      // before the call.
      for (Value view : viewsOf(output.getResult()))
        if (Operation *op = view.getDefiningOp(); op && op != output &&
                                                  op->getBlock() == block &&
                                                  op->isBeforeInBlock(input))
          op->moveAfter(input);
      output.getResult().replaceAllUsesWith(input.getResult());
      output.erase();
      break;
    }
  }
}

namespace {
struct PlaceResults : PassWrapper<PlaceResults, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(PlaceResults)

  StringRef getArgument() const override { return "buffer-place-results"; }
  StringRef getDescription() const override {
    return "Let kernels write results where they belong";
  }

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function->hasAttr(lower::kKernelAttr) || function.isExternal())
        continue;
      function->setAttr(kEntryAttr, UnitAttr::get(&getContext()));
      // One kind of copy.
      function.walk([&](linalg::CopyOp copy) {
        OpBuilder builder(copy);
        memref::CopyOp::create(builder, copy.getLoc(), copy.getInputs()[0],
                               copy.getOutputs()[0]);
        copy.erase();
      });
      resultsToArguments(function);
      Placement(function, symbols).run();
    }
    specializeCallsInPlace(getOperation());
  }
};
} // namespace

std::unique_ptr<Pass> createPlaceResultsPass() {
  return std::make_unique<PlaceResults>();
}

} // namespace cornu::buffer
