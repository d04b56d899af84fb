//===- Lowered.cpp - Runs a lowered model inside a test -------------------===//

#include "test/unit/lower/Lowered.h"

#include "passes/buffer/Buffer.h"
#include "passes/lower/Lower.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Transforms/Passes.h"

#include <cstring>
#include <type_traits>

using namespace mlir;

namespace cornu::test {

void Lowered::registerDialects(DialectRegistry &registry) {
  registry
      .insert<nn::NNDialect, arith::ArithDialect, func::FuncDialect,
              linalg::LinalgDialect, math::MathDialect, memref::MemRefDialect,
              scf::SCFDialect, tensor::TensorDialect, vector::VectorDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  buffer::registerBufferInterfaces(registry);
}

std::unique_ptr<Lowered> Lowered::compile(ModuleOp module) {
  PassManager manager(module.getContext());
  lower::buildLowerPipeline(manager);
  buffer::buildBufferPipeline(manager);
  if (failed(manager.run(module)))
    return nullptr;

  std::unique_ptr<Lowered> lowered(new Lowered());
  auto number = [](DictionaryAttr attrs, StringRef key) {
    return attrs.getAs<IntegerAttr>(key).getInt();
  };
  DictionaryAttr facts = module->getAttrDictionary();
  lowered->stateBytes = number(facts, buffer::kStateBytesAttr);
  for (Attribute attr : facts.getAs<ArrayAttr>(buffer::kStateAttr)) {
    auto row = cast<DictionaryAttr>(attr);
    lowered->slots.push_back(
        {row.getAs<StringAttr>("name").str(),
         cast<RankedTensorType>(row.getAs<TypeAttr>("type").getValue()),
         number(row, "offset")});
  }
  for (NamedAttribute plan : facts.getAs<DictionaryAttr>(buffer::kMemoryAttr)) {
    auto sizes = cast<DictionaryAttr>(plan.getValue());
    lowered->scratch[plan.getName().str()] = {number(sizes, "fixed"),
                                              number(sizes, "per_sample")};
  }
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function->hasAttr(buffer::kEntryAttr))
      continue;
    auto &arguments = lowered->entries[function.getName().str()];
    for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
      auto role = function.getArgAttrOfType<StringAttr>(i, buffer::kRoleAttr);
      arguments.push_back({cast<MemRefType>(type), role ? role.str() : "input",
                           bool(function.getArgAttr(i, lower::kUnsignedAttr))});
    }
  }

  // Variables are done with; copies become loops.
  for (auto variable :
       llvm::make_early_inc_range(module.getOps<nn::VariableOp>()))
    variable.erase();
  SmallVector<memref::CopyOp> copies;
  module.walk([&](memref::CopyOp copy) { copies.push_back(copy); });
  for (memref::CopyOp copy : copies) {
    OpBuilder builder(copy);
    linalg::makeMemRefCopyOp(builder, copy.getLoc(), copy.getSource(),
                             copy.getTarget());
    copy.erase();
  }
  PassManager loops(module.getContext());
  loops.addNestedPass<func::FuncOp>(createConvertLinalgToLoopsPass());
  loops.addPass(createCanonicalizerPass());
  loops.addPass(math::createMathExpandOpsPass());
  loops.addPass(arith::createArithExpandOpsPass());
  if (failed(loops.run(module)))
    return nullptr;
  lowered->jit = Jit::compile(module, Jit::Options{"", 0, ""});
  return lowered->jit ? std::move(lowered) : nullptr;
}

//===----------------------------------------------------------------------===//
// Data
//===----------------------------------------------------------------------===//

/// Converts to and from the bytes of an element type.
static void toBytes(const std::vector<double> &values, Type type, char *bytes) {
  auto write = [&](auto zero) {
    for (double value : values) {
      // 135.0 as int8_t is undefined, as int64_t and then int8_t it wraps.
      auto element =
          std::is_integral_v<decltype(zero)>
              ? static_cast<decltype(zero)>(static_cast<int64_t>(value))
              : static_cast<decltype(zero)>(value);
      std::memcpy(bytes, &element, sizeof(element));
      bytes += sizeof(element);
    }
  };
  if (type.isF32())
    write(float());
  else if (type.isF64())
    write(double());
  else if (type.isInteger(64))
    write(int64_t());
  else if (type.isInteger(32))
    write(int32_t());
  else if (type.isUnsignedInteger(8))
    write(uint8_t());
  else
    write(int8_t());
}

static std::vector<double> fromBytes(const char *bytes, Type type,
                                     int64_t count) {
  std::vector<double> values;
  auto read = [&](auto element) {
    for (int64_t i = 0; i < count; ++i) {
      std::memcpy(&element, bytes, sizeof(element));
      values.push_back(static_cast<double>(element));
      bytes += sizeof(element);
    }
  };
  if (type.isF32())
    read(float());
  else if (type.isF64())
    read(double());
  else if (type.isInteger(64))
    read(int64_t());
  else if (type.isInteger(32))
    read(int32_t());
  else if (type.isUnsignedInteger(8))
    read(uint8_t());
  else
    read(int8_t());
  return values;
}

static int64_t bytesOf(Type type) {
  return type.getIntOrFloatBitWidth() < 8 ? 1
                                          : type.getIntOrFloatBitWidth() / 8;
}

namespace {
/// Bytes at an aligned address, described as a memref of another type.
class Buffer : public ArrayBase {
public:
  Buffer(int64_t bytes, std::vector<int64_t> dims)
      : storage(bytes + 64, char(0x5A)) {
    shape = std::move(dims);
    auto address = reinterpret_cast<uintptr_t>(storage.data());
    data = storage.data() + (64 - address % 64) % 64;
    describe(data);
  }
  char *data;

private:
  std::vector<char> storage;
};
} // namespace

std::vector<reference::Array>
Lowered::call(StringRef entry, const std::vector<reference::Array> &inputs) {
  const std::vector<Argument> &arguments = entries[entry.str()];
  int64_t batch = 1;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (arguments[i + 1].type.getRank() &&
        arguments[i + 1].type.isDynamicDim(0)) {
      batch = inputs[i].shape[0];
      break;
    }

  std::vector<std::unique_ptr<Buffer>> buffers;
  std::vector<ArrayBase *> pointers;
  std::vector<size_t> outputs;
  auto add = [&](int64_t bytes, std::vector<int64_t> shape) {
    buffers.push_back(std::make_unique<Buffer>(bytes, std::move(shape)));
    pointers.push_back(buffers.back().get());
    return buffers.back()->data;
  };
  size_t next = 0;
  for (const Argument &argument : arguments) {
    Type element = argument.type.getElementType();
    if (argument.role == "state") {
      char *data = add(stateBytes, {stateBytes});
      for (const Slot &slot : slots)
        toBytes(variables[slot.name].data, slot.type.getElementType(),
                data + slot.offset);
    } else if (argument.role == "scratch") {
      // The plan to the byte, and a workspace.
      auto [fixed, perSample] = scratch[entry.str()];
      int64_t bytes = fixed + perSample * batch + 64;
      add(bytes, {bytes});
    } else if (argument.role == "output") {
      std::vector<int64_t> shape(argument.type.getShape());
      for (int64_t &size : shape)
        size = ShapedType::isDynamic(size) ? batch : size;
      outputs.push_back(pointers.size());
      add(reference::product(shape) * bytesOf(element), shape);
    } else {
      const reference::Array &input = inputs[next++];
      char *data = add(input.size() * bytesOf(element), input.shape);
      toBytes(input.data, element, data);
    }
  }
  if (!jit->call(entry, pointers))
    return {};

  std::vector<reference::Array> results;
  for (size_t i : outputs) {
    auto *buffer = static_cast<Buffer *>(pointers[i]);
    reference::Array array(buffer->shape);
    Type element = arguments[i].type.getElementType();
    if (arguments[i].isUnsigned)
      element =
          IntegerType::get(element.getContext(), 8, IntegerType::Unsigned);
    array.data = fromBytes(buffer->data, element, array.size());
    results.push_back(array);
  }
  for (const Slot &slot : slots) {
    reference::Array &array = variables[slot.name];
    array.shape = std::vector<int64_t>(slot.type.getShape());
    array.data =
        fromBytes(buffers[0]->data + slot.offset, slot.type.getElementType(),
                  reference::product(array.shape));
  }
  return results;
}

} // namespace cornu::test
