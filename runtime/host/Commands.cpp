//===- Commands.cpp - The verbs of a compiled program ---------------------===//
#include "runtime/host/Commands.h"
#include "runtime/host/Interrupt.h"
#include "runtime/host/ThreadPool.h"

#include <stdio.h>

namespace cornu::runtime {

namespace {
struct CommandRow {
  const char *name;
  Command bit;
  Error (*function)(const cornu_model &, const Arguments &);
  const char *summary;
  const char *example; ///< after the program's name
};
constexpr CommandRow kCommands[] = {
    {"info", Info, infoCommand,
     "Shows shapes, layers, memory, and how the model was compiled.", "info"},
    {"predict", Predict, predictCommand, "Computes the outputs for samples.",
     "predict --input x.npy --output y.npy"},
    {"evaluate", Evaluate, evaluateCommand,
     "Computes loss and metrics on samples whose targets are known.",
     "evaluate --input x.npy --target y.npy"},
    {"fit", Fit, fitCommand, "Trains the model.",
     "fit --input train.csv --target label --epochs 5 --validation-split 0.2 "
     "--save weights.safetensors"},
    {"bench", Bench, benchCommand, "Times the compiled code on random data.",
     "bench --mode=train --batch-size 32 --threads 1 --json"}};
} // namespace

static void printUsage(const char *program, const cornu_model &model) {
  String text = format("%s: a model compiled by Cornu\n\nusage: %s COMMAND "
                       "[options]\n\n",
                       model.name, program);
  for (const CommandRow &row : kCommands)
    text.appendFormat("  %-9s %s\n", row.name, row.summary);
  text.appendFormat("\n%s COMMAND --help shows the options of a command.\n",
                    program);
  print(text);
}

static void printHelp(const char *program, const CommandRow &row) {
  print(format("usage: %s %s [options]\n\n%s\n\n%s\nexample: %s %s\n", program,
               row.name, row.summary, optionsHelp(row.bit).c_str(), program,
               row.example));
}

static const char *baseName(const char *path) {
  const char *name = path;
  for (const char *at = path; *at; ++at)
    if (*at == '/')
      name = at + 1;
  return name;
}

static Error runCommand(const cornu_model &model, const CommandRow &row,
                        const char *program, int argc, char **argv) {
  Arguments arguments;
  if (Error error = arguments.parse(row.bit, argc, argv))
    return error;
  if (arguments.has("--help")) {
    printHelp(program, row);
    return finishOutput();
  }
  int64_t threads = availableCpus();
  if (Error error = arguments.integer("--threads", 1, threads))
    return error;
  cornu_set_worker_count(threads);
  handleFileSignals();
  if (Error error = row.function(model, arguments))
    return error;
  return finishOutput();
}

static Error dispatch(const cornu_model &model, int argc, char **argv) {
  const char *program = argc > 0 ? baseName(argv[0]) : "program";
  std::string_view name = argc > 1 ? argv[1] : "--help";
  if (name == "--help" || name == "-h" || name == "help") {
    printUsage(program, model);
    return finishOutput();
  }
  Vector<String> names;
  for (const CommandRow &row : kCommands) {
    if (name == row.name)
      return runCommand(model, row, program, argc - 2, argv + 2);
    names.push_back(row.name);
  }
  return failure("unknown command '%s'%s (commands: %s)", argv[1],
                 suggestion(name, names).c_str(), join(names).c_str());
}

int run(const cornu_model &model, int argc, char **argv) {
  if (Error error = dispatch(model, argc, argv)) {
    // One write, so that the line stays whole beside other programs' output.
    String line = format("error: %s\n", error.message().c_str());
    fflush(stdout);
    fwrite(line.c_str(), 1, line.size(), stderr);
    return 1;
  }
  int interrupt = pendingInterrupt();
  return interrupt ? 128 + interrupt : 0;
}

Error readBatchSize(const cornu_model &model, const Arguments &arguments,
                    int64_t &size) {
  size = model.fixed_batch ? model.fixed_batch : 32;
  if (Error error = arguments.integer("--batch-size", 1, size))
    return error;
  if (model.fixed_batch && size != model.fixed_batch)
    return failure("--batch-size %lld: the model was compiled for batches of "
                   "%lld; compile it without --batch for any size",
                   static_cast<long long>(size),
                   static_cast<long long>(model.fixed_batch));
  return success();
}

Error checkWholeBatches(const cornu_model &model, int64_t rows,
                        const char *what) {
  if (!model.fixed_batch || rows % model.fixed_batch == 0)
    return success();
  return failure("the model was compiled for batches of %lld, and the %lld %s "
                 "leave a part of one; drop %lld of them, or compile without "
                 "--batch",
                 static_cast<long long>(model.fixed_batch),
                 static_cast<long long>(rows), what,
                 static_cast<long long>(rows % model.fixed_batch));
}

} // namespace cornu::runtime
