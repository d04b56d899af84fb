//===- Diagnostics.cpp - What a user must know to fix a model -------------===//

#include "frontend/archive/Diagnostics.h"

#include "frontend/archive/Json.h"
#include "llvm/Support/raw_ostream.h"

using namespace cornu::frontend;

// More than a screenful of distinct errors helps nobody, and a hostile file
// must not fill the memory with them.
static constexpr size_t kMaxDiagnostics = 1000;

// Names come out of the file: control characters must not reach a terminal.
static std::string printable(const llvm::Twine &text) {
  std::string out;
  for (char c : text.str()) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f)
      out += '?';
    else
      out += c;
    if (out.size() > 2000) {
      out += "...";
      break;
    }
  }
  return out;
}

std::string Diagnostic::text() const {
  std::string out;
  llvm::raw_string_ostream os(out);
  if (!layer.empty()) {
    os << "layer '" << layer << "'";
    if (pointer.empty())
      os << ": ";
  }
  if (!pointer.empty())
    os << (layer.empty() ? "at " : " at ") << pointer << ": ";
  os << message;
  return out;
}

void Diagnostics::add(std::vector<Diagnostic> &list, llvm::StringRef layer,
                      const Json *where, const llvm::Twine &message,
                      const llvm::Twine &help) {
  if (list.size() >= kMaxDiagnostics)
    return;
  Diagnostic diagnostic{file, printable(layer),
                        where ? printable(where->pointer()) : std::string(),
                        printable(message), printable(help)};
  for (const Diagnostic &other : list)
    if (other.layer == diagnostic.layer &&
        other.pointer == diagnostic.pointer &&
        other.message == diagnostic.message)
      return;
  list.push_back(std::move(diagnostic));
}

void Diagnostics::error(const llvm::Twine &message, const llvm::Twine &help) {
  add(errors, {}, nullptr, message, help);
}

void Diagnostics::error(llvm::StringRef layer, const Json *where,
                        const llvm::Twine &message, const llvm::Twine &help) {
  add(errors, layer, where, message, help);
}

void Diagnostics::warning(llvm::StringRef layer, const Json *where,
                          const llvm::Twine &message, const llvm::Twine &help) {
  add(warnings, layer, where, message, help);
}

void Diagnostics::print(llvm::raw_ostream &os) const {
  auto printAll = [&](llvm::ArrayRef<Diagnostic> list, llvm::StringRef kind) {
    for (const Diagnostic &diagnostic : list) {
      if (!diagnostic.file.empty())
        os << diagnostic.file << ": ";
      os << kind << ": " << diagnostic.text() << "\n";
      if (!diagnostic.help.empty())
        os << "  help: " << diagnostic.help << "\n";
    }
  };
  printAll(warnings, "warning");
  printAll(errors, "error");
}

llvm::StringRef
cornu::frontend::nearestName(llvm::StringRef word,
                             llvm::ArrayRef<llvm::StringRef> names) {
  llvm::StringRef best;
  // Two slips of the keyboard; with more, other words come near.
  unsigned bestDistance = 3;
  for (llvm::StringRef name : names) {
    unsigned distance = word.edit_distance(name, true, bestDistance);
    if (distance < bestDistance) {
      bestDistance = distance;
      best = name;
    }
  }
  return best;
}
