//===- Commands.cpp - The verbs of a compiled program ---------------------===//
#include "runtime/host/Commands.h"
#include "runtime/host/Interrupt.h"
#include "runtime/host/ThreadPool.h"

#include <fcntl.h>
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

static String usageText(const char *program, const cornu_model &model) {
  String text = format("%s: a model compiled by Cornu\n\nusage: %s COMMAND "
                       "[options]\n\n",
                       model.name, program);
  for (const CommandRow &row : kCommands)
    text.appendFormat("  %-9s %s\n", row.name, row.summary);
  text.appendFormat("\n%s COMMAND --help shows the options of a command.\n",
                    program);
  return text;
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
  std::string_view name = argv[1];
  if (name == "--help" || name == "-h" || name == "help") {
    print(usageText(program, model));
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

// Bytes of the character that starts there; 0 if it is not to be printed.
static size_t printableBytes(std::string_view text) {
  unsigned char first = static_cast<unsigned char>(text[0]);
  if (first < 0x80)
    return first >= 0x20 && first != 0x7f;
  size_t count = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < count)
    return 0;
  for (size_t i = 1; i < count; ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80)
      return 0;
  bool control = first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
  return control ? 0 : count;
}

// Names from files and the command line may hold anything: bytes that would
// steer a terminal, or are no UTF-8, become "\\x1b".
static String printable(std::string_view text) {
  String result;
  while (!text.empty()) {
    size_t count = printableBytes(text);
    if (count)
      result += slice(text, 0, count);
    else
      result.appendFormat("\\x%02x", static_cast<unsigned char>(text[0]));
    text.remove_prefix(count ? count : 1);
  }
  return result;
}

// `prog >&-` closes the standard output. The next file to be opened would take
// its number, and get all that is printed.
static void openStandardFiles() {
  for (int descriptor = 0; descriptor < 3; ++descriptor)
    if (fcntl(descriptor, F_GETFD) < 0)
      (void)!open("/dev/null", O_RDWR); // takes the lowest number that is free
}

int run(const cornu_model &model, int argc, char **argv) {
  openStandardFiles();
  // No command is a mistake, as for git: a script must notice.
  if (argc < 2) {
    String text = usageText(argc > 0 ? baseName(argv[0]) : "program", model);
    fwrite(text.c_str(), 1, text.size(), stderr);
    return 1;
  }
  if (Error error = dispatch(model, argc, argv)) {
    // One write, so that the line stays whole beside other programs' output.
    String line = format("error: %s\n", printable(error.message()).c_str());
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
