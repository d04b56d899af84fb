//===- Options.cpp - The command line -------------------------------------===//
#include "runtime/host/Options.h"

namespace cornu::runtime {

namespace {
constexpr unsigned kData = Predict | Evaluate | Fit;
constexpr unsigned kAll = Info | Predict | Evaluate | Fit | Bench;

constexpr Option kOptions[] = {
    {"--input", "[NAME=]FILE[:PART]", kData,
     "samples: .npy, .npz:MEMBER, .csv:COLUMN,COLUMN, IDX, a .png or a folder "
     "of them; repeat it for several inputs"},
    {"--target", "[NAME=]FILE[:PART]", Evaluate | Fit,
     "true values; a column of the input's table can be named alone"},
    {"--sample-weight", "[NAME=]FILE[:PART]", Evaluate | Fit,
     "one weight per sample"},
    {"--output", "[NAME=]FILE", Predict,
     "where the predictions go: .npy, .csv, or one .npz for all outputs"},
    {"--batch-size", "N", kData | Bench, "samples per step (32)"},
    {"--epochs", "N", Fit, "epochs in all, resumed ones included (1)"},
    {"--shuffle", "true|false", Fit,
     "a new order of the samples in each epoch (true)"},
    {"--validation-split", "R", Fit,
     "hold out the last part of the samples, for example 0.2"},
    {"--validation-input", "[NAME=]FILE[:PART]", Fit,
     "samples to validate on after each epoch"},
    {"--validation-target", "[NAME=]FILE[:PART]", Fit, "their true values"},
    {"--validation-sample-weight", "[NAME=]FILE[:PART]", Fit,
     "one weight for each of them"},
    {"--class-weight", "C=W,C=W", Fit, "weights of classes: 0=1.0,1=2.5"},
    {"--early-stopping", "K=V,K=V", Fit,
     "stop when nothing improves: monitor=val_loss,patience=3,min_delta=0,"
     "mode=auto,restore_best=true"},
    {"--weights", "F.safetensors", kData,
     "start from these weights instead of the compiled ones"},
    {"--save", "F.safetensors", Fit, "write the weights after training"},
    {"--checkpoint", "F", Fit,
     "write a checkpoint after each epoch (at most one a second), at the end, "
     "and on Ctrl-C"},
    {"--checkpoint-every", "N", Fit, "and after every N batches"},
    {"--resume", "F", Fit,
     "go on from a checkpoint, exactly as without the interruption"},
    {"--log", "F.csv|F.jsonl", Fit,
     "write a line for each epoch; an older log is replaced at the first one, "
     "or goes on with --resume"},
    {"--mode", "infer|train", Bench, "what to time (infer)"},
    {"--min-seconds", "S", Bench, "time at least this long (1)"},
    {"--profile", "F.json", Bench,
     "write when which kernel ran, for Perfetto and chrome://tracing, and "
     "print a table; needs 'cornu compile --profile'"},
    {"--cpu-time", nullptr, Bench,
     "in the profile, count the calling thread's time on a CPU only: what "
     "other programs take is left out, but so are waits for --threads"},
    {"--peak-gflops", "X", Bench,
     "the machine's limit for that table, instead of the measured clock times "
     "the multiply-adds of a cycle"},
    {"--peak-gbs", "X", Bench, "likewise for the memory"},
    {"--seed", "N", kData | Bench,
     "of initial weights, shuffling and dropout (0)"},
    {"--threads", "N", kData | Bench,
     "worker threads (the CPUs this process may use); the results do not "
     "depend on it"},
    {"--json", nullptr, kAll, "one JSON object per line on stdout"},
    {"--quiet", nullptr, kAll, "no progress"},
    {"--help", nullptr, kAll, "this text"},
};
} // namespace

static const Option *findOption(Command command, std::string_view name) {
  for (const Option &option : kOptions)
    if ((option.commands & command) && name == option.name)
      return &option;
  return nullptr;
}

static Error unknown(Command command, const String &name) {
  Vector<String> names;
  for (const Option &option : kOptions) {
    if (option.commands & command)
      names.push_back(option.name);
    else if (std::string_view(name) == option.name)
      return failure("'%s' is not an option of this command; see --help",
                     name.c_str());
  }
  String near = suggestion(name, names);
  return failure("unknown argument '%s'%s", name.c_str(),
                 near.empty() ? "; see --help" : near.c_str());
}

Error Arguments::parse(Command command, int argc, char **argv) {
  const Option *input = findOption(command, "--input");
  for (int i = 0; i < argc; ++i) {
    std::string_view argument = argv[i];
    if (argument == "-h")
      argument = "--help";
    if (!startsWith(argument, "-")) {
      if (!input)
        return failure("unexpected argument '%s'; see --help", argv[i]);
      given.push_back({input, argument});
      continue;
    }
    size_t equals = argument.find('=');
    String name(slice(argument, 0, equals));
    const Option *option = findOption(command, name);
    if (!option)
      return unknown(command, name);
    if (!option->value) {
      if (equals != std::string_view::npos)
        return failure("%s takes no value", option->name);
      given.push_back({option, ""});
      continue;
    }
    std::string_view value;
    if (equals != std::string_view::npos)
      value = slice(argument, equals + 1);
    else if (i + 1 < argc)
      value = argv[++i];
    // An empty one comes from a shell's variable that is not set.
    if (value.empty())
      return failure("%s needs a value: %s %s", option->name, option->name,
                     option->value);
    given.push_back({option, value});
  }
  return success();
}

bool Arguments::has(const char *name) const {
  for (const Given &item : given)
    if (std::string_view(item.option->name) == name)
      return true;
  return false;
}

const char *Arguments::text(const char *name, const char *otherwise) const {
  for (const Given &item : given)
    if (std::string_view(item.option->name) == name)
      otherwise = item.value.c_str();
  return otherwise;
}

Vector<String> Arguments::all(const char *name) const {
  Vector<String> values;
  for (const Given &item : given)
    if (std::string_view(item.option->name) == name)
      values.push_back(item.value);
  return values;
}

Error Arguments::integer(const char *name, int64_t least,
                         int64_t &value) const {
  if (!has(name))
    return success();
  if (parseInteger(text(name), value) && value >= least)
    return success();
  return failure("%s: '%s' is not an integer of at least %lld", name,
                 text(name), static_cast<long long>(least));
}

Error Arguments::number(const char *name, double &value) const {
  if (!has(name) || parseDouble(text(name), value))
    return success();
  return failure("%s: '%s' is not a number", name, text(name));
}

Error Arguments::boolean(const char *name, bool &value) const {
  if (!has(name) || parseBool(text(name), value))
    return success();
  return failure("%s: '%s' is neither 'true' nor 'false'", name, text(name));
}

// A table cell whose text wraps at 79 columns.
static void appendWrapped(String &text, std::string_view words, size_t indent) {
  size_t column = indent;
  for (std::string_view word : split(words, ' ')) {
    if (column + word.size() + 1 > 79) {
      text += '\n';
      for (size_t i = 0; i < indent; ++i)
        text += ' ';
      column = indent;
    }
    text += ' ';
    text += word;
    column += word.size() + 1;
  }
  text += '\n';
}

String optionsHelp(Command command) {
  String text;
  for (const Option &option : kOptions) {
    if (!(option.commands & command))
      continue;
    String left = option.value ? format("  %s %s", option.name, option.value)
                               : format("  %s", option.name);
    text += left;
    constexpr size_t kIndent = 26;
    if (left.size() >= kIndent) {
      text += '\n';
      left.clear();
    }
    for (size_t i = left.size(); i < kIndent; ++i)
      text += ' ';
    appendWrapped(text, option.help, kIndent);
  }
  return text;
}

} // namespace cornu::runtime
