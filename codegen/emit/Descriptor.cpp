//===- Descriptor.cpp - The constant NAME_model ---------------------------===//
//
// Builds the structs of runtime/include/cornu/model.h, member by member in
// their order there. LLVM lays an unpacked struct out as C does.
//
//===----------------------------------------------------------------------===//

#include "codegen/emit/Descriptor.h"

using namespace mlir;

namespace cornu::codegen {

namespace {

/// Constants inside the initializer of a global, and the globals they point
/// to.
class ConstantBuilder {
public:
  ConstantBuilder(ModuleOp module)
      : module(module), loc(module.getLoc()), b(module.getContext()),
        pointer(LLVM::LLVMPointerType::get(module.getContext())),
        i32(b.getI32Type()), i64(b.getI64Type()) {}

  Value int32(int64_t value) { return number(i32, value); }
  Value int64(int64_t value) { return number(i64, value); }
  Value null() { return LLVM::ZeroOp::create(b, loc, pointer); }
  Value function(LLVM::LLVMFuncOp function) {
    return function ? address(function.getName()) : null();
  }
  Value text(StringRef value) {
    std::string terminated = value.str();
    terminated.push_back('\0');
    std::string &name = texts[value];
    if (name.empty()) {
      name = fresh("text");
      auto type = LLVM::LLVMArrayType::get(b.getI8Type(), terminated.size());
      OpBuilder global = OpBuilder::atBlockEnd(module.getBody());
      auto op = LLVM::GlobalOp::create(global, loc, type, /*isConstant=*/true,
                                       LLVM::Linkage::Private, name,
                                       b.getStringAttr(terminated));
      op.setUnnamedAddr(LLVM::UnnamedAddr::Global);
    }
    return address(name);
  }
  Value numbers(ArrayRef<int64_t> values) {
    if (values.empty())
      return null();
    return constant("shape", i64, values.size(), b.getI64TensorAttr(values));
  }
  Value reals(ArrayRef<double> values) {
    return values.empty()
               ? null()
               : constant("reals", b.getF64Type(), values.size(),
                          DenseElementsAttr::get(
                              RankedTensorType::get({int64_t(values.size())},
                                                    b.getF64Type()),
                              values));
  }
  Value structure(ArrayRef<Value> members) {
    SmallVector<Type> types(
        llvm::map_range(members, [](Value v) { return v.getType(); }));
    Value result = LLVM::UndefOp::create(
        b, loc, LLVM::LLVMStructType::getLiteral(b.getContext(), types));
    for (auto [i, member] : llvm::enumerate(members))
      result = LLVM::InsertValueOp::create(b, loc, result, member, i);
    return result;
  }
  /// A global array, each element made by `element(i)`; its address.
  Value array(StringRef name, size_t count,
              llvm::function_ref<Value(size_t)> element) {
    if (count == 0)
      return null();
    std::string symbol = fresh(name);
    global(symbol, LLVM::Linkage::Private, [&] {
      Value result;
      for (size_t i = 0; i < count; ++i) {
        Value value = element(i);
        if (!result)
          result = LLVM::UndefOp::create(
              b, loc, LLVM::LLVMArrayType::get(value.getType(), count));
        result = LLVM::InsertValueOp::create(b, loc, result, value, i);
      }
      return result;
    });
    return address(symbol);
  }
  LLVM::GlobalOp global(StringRef name, LLVM::Linkage linkage,
                        llvm::function_ref<Value()> value) {
    OpBuilder::InsertionGuard guard(b);
    // The type is known when the initializer is built.
    b.setInsertionPointToEnd(module.getBody());
    auto op = LLVM::GlobalOp::create(b, loc, i64, /*isConstant=*/true, linkage,
                                     name, Attribute());
    b.createBlock(&op.getInitializerRegion());
    Value result = value();
    LLVM::ReturnOp::create(b, loc, result);
    op.setGlobalType(result.getType());
    return op;
  }
  Value address(StringRef name) {
    return LLVM::AddressOfOp::create(b, loc, pointer, name);
  }

private:
  /// The address of an array of constants.
  Value constant(StringRef name, Type element, size_t count, Attribute values) {
    std::string symbol = fresh(name);
    OpBuilder global = OpBuilder::atBlockEnd(module.getBody());
    auto op = LLVM::GlobalOp::create(
        global, loc, LLVM::LLVMArrayType::get(element, count),
        /*isConstant=*/true, LLVM::Linkage::Private, symbol, values);
    op.setUnnamedAddr(LLVM::UnnamedAddr::Global);
    return address(symbol);
  }
  Value number(Type type, int64_t value) {
    return LLVM::ConstantOp::create(b, loc, type,
                                    b.getIntegerAttr(type, value));
  }
  std::string fresh(StringRef name) {
    return ("cornu_" + name + "_" + Twine(counter++)).str();
  }

  ModuleOp module;
  Location loc;
  OpBuilder b;
  Type pointer, i32, i64;
  llvm::StringMap<std::string> texts;
  unsigned counter = 0;
};

} // namespace

/// A global cornu_profile; its address.
static Value addProfile(ConstantBuilder &c, const ProfileTable &profile) {
  return c.array("profile", 1, [&](size_t) {
    Value kernels = c.array("kernels", profile.kernels.size(), [&](size_t i) {
      const ProfileTable::Kernel &k = profile.kernels[i];
      return c.structure(
          {c.text(k.name), c.text(k.strategy), c.text(k.layers)});
    });
    Value calls = c.array("calls", profile.calls.size(), [&](size_t i) {
      const ProfileTable::Call &call = profile.calls[i];
      const buffer::Work &work = call.work;
      return c.structure(
          {c.int32(call.kernel), c.text(call.entry), c.int64(work.flops.fixed),
           c.int64(work.flops.perSample), c.int64(work.bytes.fixed),
           c.int64(work.bytes.perSample)});
    });
    return c.structure({c.int32(profile.kernels.size()),
                        c.int32(profile.calls.size()), kernels, calls,
                        c.int64(profile.flopsPerCycle),
                        c.address(profileHookName)});
  });
}

/// A global cornu_filtering; its address.
static Value addFiltering(ConstantBuilder &c,
                          const std::optional<ModelFiltering> &filtering) {
  return c.array("filtering", filtering ? 1 : 0, [&](size_t) {
    return c.structure({c.int64(filtering->points), c.int64(filtering->parts),
                        c.int64(filtering->taps), c.int64(filtering->width),
                        c.reals(filtering->matrix)});
  });
}

void addDescriptor(ModuleOp module, const ModelDescriptor &model,
                   const EntryFunctions &entries, const ProfileTable *profile) {
  ConstantBuilder c(module);
  auto tensors = [&](StringRef name, ArrayRef<ModelTensor> list) {
    return c.array(name, list.size(), [&](size_t i) {
      const ModelTensor &t = list[i];
      return c.structure({c.text(t.name), c.int32(t.dtype),
                          c.int32(t.shape.size()), c.numbers(t.shape),
                          c.int64(t.upperBound)});
    });
  };
  auto scratch = [&](const cornu_scratch &s) {
    return c.structure({c.int64(s.fixed), c.int64(s.per_sample),
                        c.int64(s.per_worker), c.int64(s.most_samples)});
  };
  std::string symbol = model.name + "_model";
  c.global(symbol, LLVM::Linkage::External, [&] {
    Value variables =
        c.array("variables", model.variables.size(), [&](size_t i) {
          const ModelVariable &v = model.variables[i];
          return c.structure({c.text(v.name), c.int32(v.dtype),
                              c.int32(v.shape.size()), c.numbers(v.shape),
                              c.int64(v.offset), c.int32(v.kind),
                              c.int64(v.panels), c.int64(v.columns),
                              addFiltering(c, v.filtering)});
        });
    Value metrics =
        c.array("metric_names", model.metricNames.size(),
                [&](size_t i) { return c.text(model.metricNames[i]); });
    Value layers = c.array("layers", model.layers.size(), [&](size_t i) {
      const ModelLayer &l = model.layers[i];
      return c.structure({c.text(l.name), c.text(l.className),
                          c.text(l.outputShape), c.int64(l.parameters)});
    });
    return c.structure(
        {c.int32(CORNU_ABI_VERSION),
         c.text(model.name),
         c.text(model.compiled),
         c.int32(model.inputs.size()),
         c.int32(model.outputs.size()),
         c.int32(model.targets.size()),
         c.int32(model.variables.size()),
         c.int32(model.metricNames.size()),
         c.int32(model.layers.size()),
         tensors("inputs", model.inputs),
         tensors("outputs", model.outputs),
         tensors("targets", model.targets),
         variables,
         metrics,
         layers,
         c.int64(model.fixedBatch),
         c.int64(model.stateBytes),
         c.int64(model.metricsOffset),
         c.int64(model.metricsBytes),
         scratch(model.predictScratch),
         scratch(ModelDescriptor::withUnitWeights(model.evaluateScratch)),
         scratch(ModelDescriptor::withUnitWeights(model.trainScratch)),
         c.function(entries.initialize),
         c.function(entries.resetMetrics),
         c.function(entries.predict),
         c.function(entries.evaluateStep),
         c.function(entries.trainStep),
         c.int64(model.gradientBytes),
         c.function(entries.gradients),
         c.function(entries.applyGradients),
         c.function(entries.metricResults),
         profile ? addProfile(c, *profile) : c.null()});
  });
}

LogicalResult nameProgram(ModuleOp module, StringRef name) {
  std::string symbol = (name + "_model").str();
  auto global = module.lookupSymbol<LLVM::GlobalOp>(symbol);
  if (!global)
    return module.emitError("has no descriptor @" + symbol +
                            ": a program is made from what --emit printed of "
                            "a whole model, at any stage");
  OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
  auto alias = LLVM::AliasOp::create(b, module.getLoc(), global.getGlobalType(),
                                     LLVM::Linkage::External, "cornu_program",
                                     /*dsoLocal=*/false, /*threadLocal=*/false,
                                     ArrayRef<NamedAttribute>());
  b.createBlock(&alias.getInitializerRegion());
  Value target = LLVM::AddressOfOp::create(
      b, module.getLoc(), LLVM::LLVMPointerType::get(b.getContext()), symbol);
  LLVM::ReturnOp::create(b, module.getLoc(), target);
  return success();
}

} // namespace cornu::codegen
