//===- Arguments.cpp - The command line of a subcommand -------------------===//

#include "tools/cornu/Arguments.h"
#include "frontend/archive/Diagnostics.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

namespace cornu::tools {

void printError(const llvm::Twine &message) {
  llvm::errs() << "cornu: ";
  llvm::WithColor(llvm::errs(), llvm::HighlightColor::Error) << "error: ";
  llvm::errs() << message << "\n";
}

std::string suggestion(llvm::StringRef word,
                       llvm::ArrayRef<llvm::StringRef> known) {
  llvm::StringRef best = frontend::nearestName(word, known);
  return best.empty() ? "" : "; did you mean '" + best.str() + "'?";
}

bool Arguments::parse(const Command &command,
                      llvm::ArrayRef<const char *> words) {
  std::vector<const char *> llvmWords = {"cornu"};
  for (size_t i = 0; i < words.size(); ++i) {
    llvm::StringRef word = words[i];
    if (word == "--") {
      rest.insert(rest.end(), words.begin() + i + 1, words.end());
      break;
    }
    if (word == "-" || !word.starts_with("-")) {
      rest.push_back(word.str());
      continue;
    }
    if (word.starts_with("--mlir-") || word.starts_with("-mlir-")) {
      llvmWords.push_back(words[i]);
      continue;
    }
    if (word == "-mllvm" && i + 1 < words.size()) {
      llvmWords.push_back(words[++i]);
      continue;
    }
    auto [name, text] = word.split('=');
    bool hasText = name.size() != word.size();
    const Option *option = nullptr;
    for (const Option &known : command.options)
      if (name == known.name)
        option = &known;
    if (!option) {
      llvm::SmallVector<llvm::StringRef> names;
      for (const Option &known : command.options)
        names.push_back(known.name);
      std::string guess = suggestion(name, names);
      printError("unknown option '" + word + "' of 'cornu " + command.name +
                 "'" + (guess.empty() ? "; see --help" : guess));
      return false;
    }
    bool optional = option->value.starts_with("[");
    // An optional file name is a word of its own if it looks like one:
    // --static-lib NAME.a
    llvm::StringRef extension = llvm::StringRef(option->value).rtrim(']');
    extension =
        extension.substr(std::min(extension.rfind('.'), extension.size()));
    if (optional && !hasText && !extension.empty() && i + 1 < words.size() &&
        llvm::StringRef(words[i + 1]).ends_with(extension)) {
      text = words[++i];
      hasText = true;
    }
    if (option->value.empty() && hasText) {
      printError("option '" + name + "' takes no value");
      return false;
    }
    bool required = !option->value.empty() && !optional;
    if (required && !hasText && i + 1 < words.size())
      text = words[++i];
    if (required && text.empty()) {
      printError("option '" + name + "' needs a value: " + name +
                 (name.size() == 2 ? " " : "=") + option->value);
      return false;
    }
    values[name] = text.str();
  }
  if (command.usage.empty() && !rest.empty()) {
    printError("'cornu " + command.name + "' takes no argument: '" +
               rest.front() + "'");
    return false;
  }
  if (llvmWords.size() > 1)
    return llvm::cl::ParseCommandLineOptions(llvmWords.size(), llvmWords.data(),
                                             "", &llvm::errs());
  return true;
}

void printHelp(const Command &command) {
  llvm::raw_ostream &os = llvm::outs();
  os << "usage: cornu " << command.name << " " << command.usage << "\n\n"
     << command.summary << "\n";
  if (!command.options.empty())
    os << "\noptions:\n";
  for (const Option &option : command.options) {
    std::string left = option.name.str();
    if (!option.value.empty()) {
      bool optional = option.value.starts_with("[");
      llvm::StringRef value = option.value;
      if (optional)
        left += "[=" + value.drop_front().drop_back().str() + "]";
      else
        left += (option.name.size() == 2 ? " " : "=") + value.str();
    }
    os << "  " << llvm::left_justify(left, 24) << " ";
    // Further lines of the help are indented alike.
    for (char c : option.help) {
      os << c;
      if (c == '\n')
        os << std::string(27, ' ');
    }
    os << "\n";
  }
  os << "\nexample:\n" << command.example << "\n";
}

} // namespace cornu::tools
