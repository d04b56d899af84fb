//===- Partition.cpp - Modules that are compiled at the same time ---------===//

#include "codegen/emit/Partition.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/Transforms/Utils/Cloning.h"

namespace cornu::codegen {

namespace {

/// In smaller parts than this many instructions the copies cost more than the
/// cores bring.
constexpr uint64_t smallPart = 2500;
/// A kernel of this size is compiled apart from its callers.
constexpr uint64_t largeFunction = 150;

/// Gives the large kernels and their tasks names that other modules can refer
/// to.
void exposeKernels(llvm::Module &module, llvm::StringRef prefix) {
  for (llvm::Function &function : module) {
    if (function.isDeclaration() || !function.hasLocalLinkage() ||
        function.getInstructionCount() < largeFunction)
      continue;
    function.setLinkage(llvm::GlobalValue::ExternalLinkage);
    function.setVisibility(llvm::GlobalValue::HiddenVisibility);
    function.setName(prefix + "." + function.getName());
  }
}

/// The functions and globals that name `value`, through constants as well.
void forEachUser(llvm::Value *value,
                 llvm::function_ref<void(llvm::GlobalValue *)> visit) {
  for (llvm::User *user : value->users()) {
    if (auto *instruction = llvm::dyn_cast<llvm::Instruction>(user))
      visit(instruction->getFunction());
    else if (auto *global = llvm::dyn_cast<llvm::GlobalValue>(user))
      visit(global);
    else
      forEachUser(user, visit);
  }
}

} // namespace

std::vector<std::unique_ptr<llvm::Module>>
partition(std::unique_ptr<llvm::Module> module, unsigned count,
          llvm::StringRef prefix) {
  std::vector<std::unique_ptr<llvm::Module>> parts;
  count = std::min<uint64_t>(count, module->getInstructionCount() / smallPart);
  if (count <= 1) {
    parts.push_back(std::move(module));
    return parts;
  }
  exposeKernels(*module, prefix);

  // What has no name outside stays with its users, an alias with its target.
  llvm::EquivalenceClasses<llvm::GlobalValue *> units;
  llvm::SmallVector<llvm::GlobalValue *> definitions;
  for (llvm::GlobalValue &value : module->global_values()) {
    if (value.isDeclaration())
      continue;
    definitions.push_back(&value);
    units.insert(&value);
    if (value.hasLocalLinkage())
      forEachUser(&value, [&](llvm::GlobalValue *user) {
        units.unionSets(&value, user);
      });
    if (auto *alias = llvm::dyn_cast<llvm::GlobalAlias>(&value))
      units.unionSets(&value, alias->getAliaseeObject());
  }
  llvm::MapVector<llvm::GlobalValue *, uint64_t> sizes;
  for (llvm::GlobalValue *value : definitions) {
    auto *function = llvm::dyn_cast<llvm::Function>(value);
    sizes[units.getLeaderValue(value)] +=
        function ? function->getInstructionCount() : 1;
  }
  // Largest first, each to the part that is smallest so far.
  auto ordered = sizes.takeVector();
  llvm::sort(ordered, [](const auto &a, const auto &b) {
    if (a.second != b.second)
      return a.second > b.second;
    return a.first->getName() < b.first->getName();
  });
  std::vector<uint64_t> loads(count, 0);
  llvm::DenseMap<llvm::GlobalValue *, unsigned> partOf;
  for (auto &[leader, size] : ordered) {
    unsigned part =
        std::min_element(loads.begin(), loads.end()) - loads.begin();
    partOf[leader] = part;
    loads[part] += size;
  }
  for (unsigned part = 0; part < count; ++part) {
    if (loads[part] == 0)
      continue;
    llvm::ValueToValueMapTy mapping;
    parts.push_back(llvm::CloneModule(
        *module, mapping, [&](const llvm::GlobalValue *value) {
          auto *key = const_cast<llvm::GlobalValue *>(value);
          return partOf.lookup(units.getLeaderValue(key)) == part;
        }));
  }
  return parts;
}

} // namespace cornu::codegen
