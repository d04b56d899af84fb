//===- TuneSearch.cpp - Searches the strategies of a model ----------------===//

#include "tools/cornu/TuneSearch.h"
#include "codegen/IR/Codegen.h"
#include "codegen/emit/KernelCalls.h"
#include "codegen/strategy/Candidates.h"
#include "codegen/strategy/GivenStrategies.h"
#include "codegen/strategy/KernelKey.h"
#include "codegen/strategy/Strategy.h"
#include "mlir/Pass/PassManager.h"
#include "passes/lower/Lower.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Signals.h"
#include <atomic>
#include <chrono>

using namespace mlir;

namespace cornu::tools {

/// A kernel of a smaller part of a run's time is not worth a trial.
constexpr double kLeastShare = 0.003;
/// The rest of the budget is for trials, this is for their confirmation.
constexpr double kConfirmShare = 0.3;
/// Of each kernel, so many run again by turns with the default, so often.
constexpr unsigned kFinalists = 3, kTurns = 5;
/// Runs that take so long have as many as bench makes at least.
constexpr double kSlow = 0.05, kSecondsOfSlow = 0.1;
/// By less a candidate is no better place to search on from.
constexpr double kStep = 0.01;

static std::atomic<bool> wasInterrupted = false;

bool interrupted() { return wasInterrupted; }

void noteInterrupts() {
  llvm::sys::SetInterruptFunction([] { wasInterrupted = true; });
}

static double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// A line about the progress.
template <typename... Values>
static void say(const char *format, Values... values) {
  llvm::errs() << "cornu: " << llvm::format(format, values...) << "\n";
}

TuneSearch::TuneSearch(ModuleOp module, WorkbenchOptions options,
                       SearchOptions search)
    : workbench(module, options), target(options.stages.target), search(search),
      start(now()) {
  findKernels(module);
}

double TuneSearch::passed() const { return now() - start; }

void TuneSearch::findKernels(ModuleOp module) {
  decided = module.clone();
  PassManager pm(module.getContext());
  pm.addNestedPass<func::FuncOp>(codegen::createStrategyPass());
  if (failed(pm.run(*decided)))
    return; // as the first program will say
  for (auto kernel : module.getOps<func::FuncOp>()) {
    if (!kernel->hasAttr(lower::kKernelAttr))
      continue;
    TunedKernel tuned;
    tuned.name = kernel.getName().str();
    tuned.key = codegen::kernelKey(kernel);
    tuned.layers = codegen::layersOf(kernel);
    tuned.ops = codegen::opsWithStrategies(
        decided->lookupSymbol<func::FuncOp>(tuned.name));
    for (linalg::GenericOp op : tuned.ops)
      tuned.defaults.push_back(
          op->getAttr(codegen::CodegenDialect::kStrategyAttr));
    tuned.chosen = tuned.onTrial = tuned.defaults;
    tuned.tried.push_back({tuned.defaults});
    tuned.seen.insert(ArrayAttr::get(module.getContext(), tuned.defaults));
    kernels.push_back(std::move(tuned));
  }
}

llvm::Expected<codegen::TemporaryFile> TuneSearch::build(
    llvm::function_ref<const Choice &(const TunedKernel &)> choice) const {
  return workbench.build([&](func::FuncOp function) {
    for (const TunedKernel &kernel : kernels)
      if (kernel.name == function.getName() &&
          choice(kernel) != kernel.defaults)
        codegen::giveStrategies(function, "the tuner", choice(kernel));
  });
}

llvm::Error TuneSearch::timeDefaults() {
  auto program =
      build([](const TunedKernel &k) -> const Choice & { return k.defaults; });
  if (!program)
    return program.takeError();
  defaultProgram.emplace(std::move(*program));
  if (llvm::Error error = workbench.run(*defaultProgram, defaultTimes))
    return error;
  double total = defaultTimes.total();
  if (total > kSlow)
    workbench.setSeconds(kSecondsOfSlow);
  // The others keep their defaults.
  llvm::erase_if(kernels, [&](const TunedKernel &kernel) {
    return kernel.ops.empty() ||
           defaultTimes.ofKernel(kernel.name) < kLeastShare * total;
  });
  return llvm::Error::success();
}

/// Gives each kernel what it tries next; false if there is nothing left.
bool TuneSearch::nextTrial() {
  bool any = false;
  for (TunedKernel &kernel : kernels) {
    const Choice best = kernel.tried.front().choice;
    if (kernel.queue.empty() && kernel.hasNewBest) {
      kernel.hasNewBest = false;
      for (auto [i, op] : llvm::enumerate(kernel.ops))
        for (Attribute candidate :
             codegen::candidatesNear(op, best[i], target)) {
          Choice choice = best;
          choice[i] = candidate;
          if (kernel.seen.insert(ArrayAttr::get(candidate.getContext(), choice))
                  .second)
            kernel.queue.push_back(choice);
        }
    }
    kernel.onTrial = best;
    if (kernel.queue.empty())
      continue;
    kernel.onTrial = kernel.queue.front();
    kernel.queue.pop_front();
    any = true;
  }
  return any;
}

void TuneSearch::tryOnce(unsigned number) {
  Times times, byDefault;
  auto time = [&]() -> llvm::Error {
    auto program =
        build([](const TunedKernel &k) -> const Choice & { return k.onTrial; });
    if (!program)
      return program.takeError();
    if (llvm::Error error = workbench.run(*program, times))
      return error;
    return workbench.run(*defaultProgram, byDefault);
  };
  llvm::Error error = time();
  if (interrupted())
    return llvm::consumeError(std::move(error));
  if (error)
    return say("trial %u: %s", number,
               llvm::toString(std::move(error)).c_str());
  double saved = 0;
  unsigned faster = 0, left = 0;
  for (TunedKernel &kernel : kernels) {
    double seconds = byDefault.ofKernel(kernel.name);
    double ratio = times.ofKernel(kernel.name) / seconds;
    double best = kernel.tried.front().ratio;
    if (kernel.onTrial != kernel.tried.front().choice && ratio > 0) {
      kernel.hasNewBest |= ratio < best - kStep;
      auto at = llvm::find_if(
          kernel.tried, [&](const auto &tried) { return tried.ratio > ratio; });
      kernel.tried.insert(at, {kernel.onTrial, ratio});
    }
    saved += seconds * (1 - kernel.tried.front().ratio);
    faster += kernel.tried.front().ratio < 1 - search.leastGain;
    left = std::max<unsigned>(left, kernel.queue.size());
  }
  say("%3.0f s, trial %u: %u of %u kernels are faster, by %.1f%% in all; %u "
      "candidates left",
      passed(), number, faster, unsigned(kernels.size()),
      100 * saved / byDefault.total(), left);
}

/// The `place`th best candidate, from 0 on; the default if there are fewer.
static const Choice &finalist(const TunedKernel &kernel, unsigned place) {
  for (const TunedKernel::Tried &tried : kernel.tried)
    if (tried.choice != kernel.defaults && place-- == 0)
      return tried.choice;
  return kernel.defaults;
}

/// Runs the default and `programs` by turns.
llvm::Error
TuneSearch::timeByTurns(llvm::ArrayRef<codegen::TemporaryFile> programs,
                        llvm::MutableArrayRef<Times> times) {
  defaultTimes = Times();
  for (unsigned turn = 0; turn < kTurns; ++turn) {
    if (llvm::Error error = workbench.run(*defaultProgram, defaultTimes))
      return error;
    for (auto [program, its] : llvm::zip_equal(programs, times))
      if (llvm::Error error = workbench.run(program, its))
        return error;
    if (turn >= 1 && passed() > search.budget)
      break;
  }
  return llvm::Error::success();
}

llvm::Error TuneSearch::chooseFromBest() {
  std::vector<codegen::TemporaryFile> programs;
  while (programs.size() < kFinalists) {
    unsigned place = programs.size();
    if (llvm::all_of(kernels, [&](const TunedKernel &kernel) {
          return finalist(kernel, place) == kernel.defaults;
        }))
      break;
    auto program = build([&](const TunedKernel &kernel) -> const Choice & {
      return finalist(kernel, place);
    });
    if (!program)
      return program.takeError();
    programs.push_back(std::move(*program));
  }
  llvm::SmallVector<Times> times(programs.size());
  if (llvm::Error error = timeByTurns(programs, times))
    return error;
  bool bestOfAll = true;
  for (TunedKernel &kernel : kernels) {
    double most = defaultTimes.ofKernel(kernel.name) * (1 - search.leastGain);
    for (unsigned place = 0; place < programs.size(); ++place) {
      const Choice &choice = finalist(kernel, place);
      double seconds = times[place].ofKernel(kernel.name);
      if (choice == kernel.defaults || seconds >= most)
        continue;
      most = seconds;
      kernel.chosen = choice;
    }
    bestOfAll &= kernel.chosen == finalist(kernel, 0);
  }
  // The times that are written down are those of one program.
  if (bestOfAll && !programs.empty())
    chosenTimes = times.front();
  else if (llvm::Error error = timeChosen())
    return error;
  for (TunedKernel &kernel : kernels) {
    kernel.defaultSeconds = defaultTimes.ofKernel(kernel.name);
    kernel.chosenSeconds = chosenTimes.ofKernel(kernel.name);
    // Lucky twice, but not three times.
    if (kernel.chosenSeconds > kernel.defaultSeconds * (1 - search.leastGain))
      kernel.chosen = kernel.defaults;
  }
  return llvm::Error::success();
}

llvm::Error TuneSearch::timeChosen() {
  if (improved().empty()) {
    chosenTimes = defaultTimes;
    return llvm::Error::success();
  }
  auto program =
      build([](const TunedKernel &k) -> const Choice & { return k.chosen; });
  if (!program)
    return program.takeError();
  chosenTimes = Times();
  return timeByTurns(*program, chosenTimes);
}

llvm::Error TuneSearch::run() {
  if (llvm::Error error = timeDefaults())
    return error;
  for (llvm::StringRef mode : workbench.modes())
    say("%3.0f s, the defaults: %s takes %.4g ms", passed(), mode.str().c_str(),
        defaultTimes.ofMode(mode) * 1e3);
  double slowest = 0;
  for (unsigned number = 1; !interrupted() && nextTrial(); ++number) {
    double before = passed();
    if (number > 1 && before + slowest > search.budget * (1 - kConfirmShare))
      break;
    tryOnce(number);
    slowest = std::max(slowest, passed() - before);
  }
  chosenTimes = defaultTimes;
  llvm::Error error = interrupted() ? llvm::Error::success() : chooseFromBest();
  if (!interrupted())
    return error;
  llvm::consumeError(std::move(error));
  takeUnconfirmed();
  return llvm::Error::success();
}

void TuneSearch::takeUnconfirmed() {
  for (TunedKernel &kernel : kernels) {
    const TunedKernel::Tried &best = kernel.tried.front();
    if (best.ratio < 1 - search.leastGain)
      kernel.chosen = best.choice;
    kernel.defaultSeconds = defaultTimes.ofKernel(kernel.name);
    kernel.chosenSeconds = kernel.defaultSeconds * best.ratio;
  }
}

std::vector<const TunedKernel *> TuneSearch::improved() const {
  std::vector<const TunedKernel *> result;
  for (const TunedKernel &kernel : kernels)
    if (kernel.chosen != kernel.defaults)
      result.push_back(&kernel);
  return result;
}

} // namespace cornu::tools
