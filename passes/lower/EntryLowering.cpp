//===- EntryLowering.cpp - An entry on its way to buffers -----------------===//

#include "passes/lower/EntryLowering.h"
#include "passes/lower/KernelLowering.h"
#include "passes/lower/Lower.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace cornu::nn;

namespace cornu::lower {

//===----------------------------------------------------------------------===//
// The signature
//===----------------------------------------------------------------------===//

LogicalResult EntryLowering::collectVariables() {
  llvm::StringSet<> used;
  source.walk([&](Operation *op) {
    if (auto read = dyn_cast<ReadOp>(op))
      used.insert(read.getVariable());
    if (auto assign = dyn_cast<AssignOp>(op)) {
      used.insert(assign.getVariable());
      assigned.insert(assign.getVariable());
    }
  });
  for (auto variable : source->getParentOfType<ModuleOp>().getOps<VariableOp>())
    if (used.contains(variable.getSymName()))
      variables[variable.getSymName()] = Value();
  return success(variables.size() == used.size());
}

/// The attributes of an argument, and whether its integers are unsigned.
static DictionaryAttr attributesOf(DictionaryAttr old, Type type) {
  NamedAttrList list(old);
  if (cast<RankedTensorType>(type).getElementType().isUnsignedInteger())
    list.set(kUnsignedAttr, UnitAttr::get(type.getContext()));
  return list.getDictionary(type.getContext());
}

func::FuncOp EntryLowering::createFunction() {
  MLIRContext *context = builder.getContext();
  SmallVector<Type> arguments, results;
  SmallVector<DictionaryAttr> argumentAttrs, resultAttrs;
  auto dictionary = [&](DictionaryAttr attrs) {
    return attrs ? attrs : DictionaryAttr::get(context);
  };
  for (auto [i, type] : llvm::enumerate(source.getArgumentTypes())) {
    arguments.push_back(loweredType(type));
    argumentAttrs.push_back(
        attributesOf(dictionary(source.getArgAttrDict(i)), type));
  }
  for (auto [i, type] : llvm::enumerate(source.getResultTypes())) {
    results.push_back(loweredType(type));
    resultAttrs.push_back(
        attributesOf(dictionary(source.getResultAttrDict(i)), type));
  }
  for (auto &[name, value] : variables) {
    Type type = loweredType(symbols.lookup<VariableOp>(name).getType());
    DictionaryAttr attrs = builder.getDictionaryAttr(builder.getNamedAttr(
        kVariableAttr, FlatSymbolRefAttr::get(context, name)));
    arguments.push_back(type);
    argumentAttrs.push_back(attrs);
    if (assigned.contains(name)) {
      results.push_back(type);
      resultAttrs.push_back(attrs);
    }
  }
  builder.setInsertionPoint(source);
  auto function =
      func::FuncOp::create(builder, source.getLoc(), source.getName(),
                           builder.getFunctionType(arguments, results));
  function->setDialectAttrs(source->getDialectAttrs());
  function.setVisibility(source.getVisibility());
  function.setAllArgAttrs(argumentAttrs);
  function.setAllResultAttrs(resultAttrs);
  return function;
}

LogicalResult EntryLowering::run() {
  if (!source.getBody().hasOneBlock())
    return source.emitError("an entry has one block");
  if (failed(collectVariables()))
    return failure();
  func::FuncOp function = createFunction();
  Block *block = function.addEntryBlock();
  builder.setInsertionPointToEnd(block);
  unsigned next = source.getNumArguments();
  mapping.map(source.getArguments(), block->getArguments().take_front(next));
  for (auto &[name, value] : variables)
    value = block->getArgument(next++);

  Block &body = source.getBody().front();
  if (failed(lowerBlock(body)))
    return failure();
  SmallVector<Value> results;
  for (Value value : body.getTerminator()->getOperands())
    results.push_back(mapping.lookup(value));
  for (auto &[name, value] : variables)
    if (assigned.contains(name))
      results.push_back(value);
  func::ReturnOp::create(builder, body.getTerminator()->getLoc(), results);
  source.erase();
  return success();
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

LogicalResult EntryLowering::lowerBlock(Block &block) {
  for (Operation &op : block.without_terminator()) {
    Location loc = op.getLoc();
    if (auto read = dyn_cast<ReadOp>(op)) {
      mapping.map(read.getResult(), variables[read.getVariable()]);
    } else if (auto assign = dyn_cast<AssignOp>(op)) {
      variables[assign.getVariable()] = mapping.lookup(assign.getValue());
    } else if (auto reshape = dyn_cast<ReshapeOp>(op)) {
      auto type = cast<RankedTensorType>(loweredType(reshape.getType()));
      mapping.map(reshape.getResult(),
                  reshapeTensor(builder, loc,
                                mapping.lookup(reshape.getInput()), type));
    } else if (auto constant = dyn_cast<ConstantOp>(op)) {
      auto type = cast<RankedTensorType>(loweredType(constant.getType()));
      ElementsAttr elements = constant.getValue();
      if (elements.getType() != type)
        elements =
            cast<DenseElementsAttr>(elements).bitcast(type.getElementType());
      mapping.map(
          constant.getResult(),
          arith::ConstantOp::create(builder, loc, type, elements).getResult());
    } else if (auto call = dyn_cast<func::CallOp>(op)) {
      if (failed(lowerCall(call)))
        return failure();
    } else if (auto scan = dyn_cast<ScanOp>(op)) {
      if (failed(lowerScan(scan)))
        return failure();
    } else {
      return op.emitError("stands outside of a kernel: fusion puts every op "
                          "into one (--nn-outline-remaining does so for "
                          "those that are left)");
    }
  }
  return success();
}

LogicalResult EntryLowering::lowerCall(func::CallOp op) {
  auto kernel = symbols.lookup<func::FuncOp>(op.getCallee());
  if (!kernel || !kernel->hasAttr(kKernelAttr))
    return op.emitError("calls @") << op.getCallee() << ", not a kernel";
  SmallVector<Value> operands;
  SmallVector<Type> types;
  for (Value operand : op.getOperands())
    operands.push_back(mapping.lookup(operand));
  for (Value result : op.getResults()) {
    Value destination = destinations.lookup(result);
    operands.push_back(destination ? destination : emptyLike(result));
    types.push_back(loweredType(result.getType()));
  }
  auto call = func::CallOp::create(builder, op.getLoc(), op.getCallee(), types,
                                   operands);
  mapping.map(op.getResults(), call.getResults());
  return success();
}

OpFoldResult EntryLowering::sizeOf(Value value, int64_t dim) {
  if (Value known = mapping.lookupOrNull(value))
    return tensorSize(builder, value.getLoc(), known, dim);
  RankedTensorType type = tensorType(value);
  if (!type.isDynamicDim(dim))
    return builder.getIndexAttr(type.getDimSize(dim));

  if (auto argument = dyn_cast<BlockArgument>(value)) {
    // An argument of a scan's body: elements lack the time axis.
    auto scan = cast<ScanOp>(argument.getOwner()->getParentOp());
    unsigned number = argument.getArgNumber(), states = scan.getState().size();
    bool isElement =
        number >= states && number < states + scan.getSequences().size();
    return sizeOf(scan.getOperand(number),
                  isElement && dim > 0 ? dim + 1 : dim);
  }
  if (auto scan = value.getDefiningOp<ScanOp>()) {
    unsigned number = cast<OpResult>(value).getResultNumber();
    bool isOutput = number >= scan.getState().size();
    Value yielded = scan.getBodyBlock()->getTerminator()->getOperand(number);
    return sizeOf(yielded, isOutput && dim > 0 ? dim - 1 : dim);
  }
  SizeSource from{value, dim};
  if (auto call = value.getDefiningOp<func::CallOp>()) {
    // Through the kernel to one of its arguments.
    auto kernel = symbols.lookup<func::FuncOp>(call.getCallee());
    Operation *end = kernel.getBody().front().getTerminator();
    from.value = end->getOperand(cast<OpResult>(value).getResultNumber());
    while (from.value.getDefiningOp()) {
      SizeSource next = sizeSource(from.value, from.dim);
      next.factor *= from.factor;
      next.divisor *= from.divisor;
      from = next;
    }
    from.value =
        call.getOperand(cast<BlockArgument>(from.value).getArgNumber());
  } else {
    from = sizeSource(value, dim);
  }
  return scaleSize(builder, value.getLoc(), sizeOf(from.value, from.dim),
                   from.factor, from.divisor);
}

Value EntryLowering::emptyLike(Value value) {
  RankedTensorType type = tensorType(value);
  Sizes sizes;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    sizes.push_back(sizeOf(value, dim));
  return tensor::EmptyOp::create(builder, value.getLoc(), sizes,
                                 loweredType(type.getElementType()));
}

} // namespace cornu::lower
