//===- Partition.cpp - Modules that are compiled at the same time ---------===//

#include "codegen/emit/Partition.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace cornu::codegen {

namespace {

/// In smaller parts than this many ops, what each part needs anew costs more
/// than the cores bring.
constexpr uint64_t smallPart = 3500;
/// A kernel of this size is compiled apart from its callers.
constexpr uint64_t largeFunction = 200;
/// And a function that this many call, apart from them: they would all have to
/// stay together.
constexpr size_t manyUses = 8;

/// A function, global or alias, and the ops that name it.
struct Definition {
  Operation *op = nullptr;
  uint64_t size = 0;
  SmallVector<Operation *> uses;

  bool isDeclaration() const {
    if (auto function = dyn_cast<LLVM::LLVMFuncOp>(op))
      return function.isExternal();
    if (auto global = dyn_cast<LLVM::GlobalOp>(op))
      return !global.getValueAttr() && global.getInitializerRegion().empty();
    return false;
  }
  bool isLocal() const {
    LLVM::Linkage linkage = LLVM::Linkage::External;
    if (auto function = dyn_cast<LLVM::LLVMFuncOp>(op))
      linkage = function.getLinkage();
    else if (auto global = dyn_cast<LLVM::GlobalOp>(op))
      linkage = global.getLinkage();
    return linkage == LLVM::Linkage::Internal ||
           linkage == LLVM::Linkage::Private;
  }
};

using Definitions = llvm::MapVector<StringAttr, Definition>;

FlatSymbolRefAttr nameIn(Operation *use) {
  if (auto call = dyn_cast<LLVM::CallOp>(use))
    return call.getCalleeAttr();
  return cast<LLVM::AddressOfOp>(use).getGlobalNameAttr();
}

/// What the module defines and who uses it; nothing if there is something in
/// it that emission does not make.
std::optional<Definitions> collect(ModuleOp module) {
  Definitions definitions;
  for (Operation &op : *module.getBody()) {
    if (!isa<LLVM::LLVMFuncOp, LLVM::GlobalOp, LLVM::AliasOp>(op))
      return std::nullopt;
    definitions[SymbolTable::getSymbolName(&op)].op = &op;
  }
  for (Operation &op : *module.getBody()) {
    uint64_t size = 0;
    WalkResult known = op.walk([&](Operation *inner) {
      ++size;
      if (!isa<SymbolUserOpInterface>(inner) || inner == &op)
        return WalkResult::advance();
      if (!isa<LLVM::CallOp, LLVM::AddressOfOp>(inner))
        return WalkResult::interrupt();
      if (FlatSymbolRefAttr name = nameIn(inner))
        definitions[name.getAttr()].uses.push_back(inner);
      return WalkResult::advance();
    });
    if (known.wasInterrupted())
      return std::nullopt;
    definitions[SymbolTable::getSymbolName(&op)].size = size;
  }
  return definitions;
}

/// The function or global of the module that `use` is in.
Operation *holderOf(Operation *use) {
  while (!isa<ModuleOp>(use->getParentOp()))
    use = use->getParentOp();
  return use;
}

/// Gives a function a name that other modules can refer to. It was not inlined
/// into its callers, and is not where it happens to share a part with them.
void expose(Definition &definition, llvm::StringRef prefix) {
  auto function = cast<LLVM::LLVMFuncOp>(definition.op);
  function.setLinkage(LLVM::Linkage::External);
  function.setVisibility_(LLVM::Visibility::Hidden);
  function.setNoInline(true);
  std::string name = (prefix + "." + function.getName()).str();
  function.setName(name);
  for (Operation *use : definition.uses)
    if (auto call = dyn_cast<LLVM::CallOp>(use))
      call.setCallee(name);
    else
      cast<LLVM::AddressOfOp>(use).setGlobalName(name);
}

/// The part's own declaration of what another part defines.
void declare(ModuleOp part, Operation *definition) {
  Operation *declaration = definition->cloneWithoutRegions();
  if (auto function = dyn_cast<LLVM::LLVMFuncOp>(declaration)) {
    function.setLinkage(LLVM::Linkage::External);
  } else {
    auto global = cast<LLVM::GlobalOp>(declaration);
    global.setLinkage(LLVM::Linkage::External);
    global.removeValueAttr();
  }
  part.getBody()->push_front(declaration);
}

} // namespace

std::vector<OwningOpRef<ModuleOp>> partition(ModuleOp module, unsigned count,
                                             llvm::StringRef prefix) {
  std::optional<Definitions> definitions;
  if (count > 1)
    definitions = collect(module);
  if (!definitions)
    return {};
  uint64_t total = 0;
  for (auto &[name, definition] : *definitions)
    total += definition.size;
  count = std::min<uint64_t>(count, total / smallPart);
  if (count <= 1)
    return {};

  for (auto &[name, definition] : *definitions)
    if (isa<LLVM::LLVMFuncOp>(definition.op) && !definition.isDeclaration() &&
        definition.isLocal() &&
        (definition.size >= largeFunction ||
         definition.uses.size() >= manyUses))
      expose(definition, prefix);

  // What has no name outside stays with its users, an alias with its target.
  llvm::EquivalenceClasses<Operation *> units;
  for (auto &[name, definition] : *definitions) {
    if (definition.isDeclaration())
      continue;
    units.insert(definition.op);
    for (Operation *use : definition.uses)
      if (Operation *holder = holderOf(use);
          definition.isLocal() || isa<LLVM::AliasOp>(holder))
        units.unionSets(definition.op, holder);
  }
  llvm::MapVector<Operation *, uint64_t> sizes;
  for (auto &[name, definition] : *definitions)
    if (!definition.isDeclaration())
      sizes[units.getLeaderValue(definition.op)] += definition.size;
  // Largest first, each to the part that is smallest so far.
  auto ordered = sizes.takeVector();
  llvm::sort(ordered, [](const auto &a, const auto &b) {
    if (a.second != b.second)
      return a.second > b.second;
    return SymbolTable::getSymbolName(a.first).getValue() <
           SymbolTable::getSymbolName(b.first).getValue();
  });
  SmallVector<uint64_t> loads(count, 0);
  llvm::DenseMap<Operation *, unsigned> partOf;
  for (auto &[leader, size] : ordered) {
    unsigned part = llvm::min_element(loads) - loads.begin();
    partOf[leader] = part;
    loads[part] += size;
  }

  std::vector<OwningOpRef<ModuleOp>> parts;
  for (unsigned part = 0; part < count; ++part) {
    parts.emplace_back(ModuleOp::create(module.getLoc()));
    (*parts.back())->setAttrs(module->getAttrDictionary());
  }
  for (auto &[name, definition] : *definitions) {
    if (definition.isDeclaration())
      continue;
    unsigned part = partOf.lookup(units.getLeaderValue(definition.op));
    Block *body = parts[part]->getBody();
    definition.op->moveBefore(body, body->end());
  }
  for (auto &[name, definition] : *definitions) {
    llvm::SmallPtrSet<Operation *, 8> declared;
    if (!definition.isDeclaration())
      declared.insert(definition.op->getParentOp());
    for (Operation *use : definition.uses) {
      auto part = cast<ModuleOp>(holderOf(use)->getParentOp());
      if (declared.insert(part).second)
        declare(part, definition.op);
    }
  }
  return parts;
}

} // namespace cornu::codegen
