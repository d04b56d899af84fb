//===- Codegen.cpp - Decisions and grids of generated kernels -------------===//
//
// Registration, syntax and verification of the `codegen` dialect:
//
//   codegen.parallel (%task, %worker) to %count if %large { ... }
//
//===----------------------------------------------------------------------===//

#include "codegen/IR/Codegen.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace cornu::codegen;

#include "codegen/IR/CodegenDialect.cpp.inc"
#include "codegen/IR/CodegenEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "codegen/IR/CodegenAttrs.cpp.inc"

#define GET_OP_CLASSES
#include "codegen/IR/CodegenOps.cpp.inc"

void CodegenDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "codegen/IR/CodegenAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "codegen/IR/CodegenOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// ContractionAttr
//===----------------------------------------------------------------------===//

Blocking::Blocking(ContractionAttr attr)
    : mr(attr.getMr()), nr(attr.getNr()), mc(attr.getMc()), nc(attr.getNc()),
      kc(attr.getKc()), copyLeft(attr.getCopyLeft()),
      copyRight(attr.getCopyRight()), packRight(attr.getPackRight()),
      flattenRows(attr.getFlattenRows()),
      alongReduction(attr.getAlongReduction()),
      singleRowNr(attr.getSingleRowNr()), serial(attr.getSerial()),
      panels(attr.getPanels()), outputPanels(attr.getOutputPanels()),
      winograd(attr.getWinograd()) {}

ContractionAttr Blocking::get(MLIRContext *context) const {
  return ContractionAttr::get(
      context, mr, nr, mc, nc, kc, copyLeft, copyRight, packRight, flattenRows,
      alongReduction, singleRowNr, serial, panels, outputPanels, winograd);
}

//===----------------------------------------------------------------------===//
// ParallelOp
//===----------------------------------------------------------------------===//

void ParallelOp::build(
    OpBuilder &builder, OperationState &state, Value count, Value condition,
    llvm::function_ref<void(OpBuilder &, Location, Value, Value)> body) {
  state.addOperands(count);
  if (condition)
    state.addOperands(condition);
  Region *region = state.addRegion();
  OpBuilder::InsertionGuard guard(builder);
  Type index = builder.getIndexType();
  Block *block = builder.createBlock(region, {}, {index, index},
                                     {state.location, state.location});
  if (body)
    body(builder, state.location, block->getArgument(0), block->getArgument(1));
}

ParseResult ParallelOp::parse(OpAsmParser &parser, OperationState &result) {
  Builder &builder = parser.getBuilder();
  OpAsmParser::Argument task, worker;
  OpAsmParser::UnresolvedOperand count, condition;
  if (parser.parseLParen() || parser.parseArgument(task) ||
      parser.parseComma() || parser.parseArgument(worker) ||
      parser.parseRParen() || parser.parseKeyword("to") ||
      parser.parseOperand(count) ||
      parser.resolveOperand(count, builder.getIndexType(), result.operands))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("if")))
    if (parser.parseOperand(condition) ||
        parser.resolveOperand(condition, builder.getI1Type(), result.operands))
      return failure();
  if (parser.parseOptionalAttrDictWithKeyword(result.attributes))
    return failure();
  task.type = worker.type = builder.getIndexType();
  return parser.parseRegion(*result.addRegion(), {task, worker});
}

void ParallelOp::print(OpAsmPrinter &printer) {
  printer << " (" << getTask() << ", " << getWorker() << ") to " << getCount();
  if (getCondition())
    printer << " if " << getCondition();
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs());
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

LogicalResult ParallelOp::verify() {
  Block &block = getBody().front();
  if (block.getNumArguments() != 2 ||
      !llvm::all_of(block.getArgumentTypes(),
                    [](Type type) { return type.isIndex(); }))
    return emitOpError("region must have two index arguments, the task and "
                       "the worker");
  if ((*this)->getParentOfType<ParallelOp>())
    return emitOpError("must not stand inside another codegen.parallel");
  return success();
}

//===----------------------------------------------------------------------===//
// Workspace
//===----------------------------------------------------------------------===//

static int64_t bytesOf(func::FuncOp kernel, StringRef name) {
  auto attr = kernel->getAttrOfType<IntegerAttr>(name);
  return attr ? attr.getInt() : 0;
}

/// A part of the workspace starts at a multiple of the blocks' alignment.
static void setBytes(func::FuncOp kernel, StringRef name, int64_t bytes) {
  kernel->setAttr(name,
                  IntegerAttr::get(IntegerType::get(kernel.getContext(), 64),
                                   llvm::alignTo(bytes, 64)));
}

int64_t cornu::codegen::workspaceBytes(func::FuncOp kernel) {
  return bytesOf(kernel, CodegenDialect::kWorkspaceAttr);
}

int64_t cornu::codegen::sharedWorkspaceBytes(func::FuncOp kernel) {
  return bytesOf(kernel, CodegenDialect::kSharedWorkspaceAttr);
}

int64_t cornu::codegen::takeSharedWorkspace(func::FuncOp kernel,
                                            int64_t bytes) {
  int64_t start = sharedWorkspaceBytes(kernel);
  setBytes(kernel, CodegenDialect::kSharedWorkspaceAttr, start + bytes);
  return start;
}

void cornu::codegen::requireWorkspace(func::FuncOp kernel, int64_t bytes) {
  if (bytes > workspaceBytes(kernel))
    setBytes(kernel, CodegenDialect::kWorkspaceAttr, bytes);
}
