//===- Text.cpp - Numbers and columns for people --------------------------===//

#include "tools/cornu/Text.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

namespace cornu::tools {

size_t widthOf(llvm::StringRef text) {
  return llvm::count_if(text, [](char c) { return (c & 0xc0) != 0x80; });
}

std::string grouped(int64_t value) {
  std::string text = std::to_string(value);
  for (int at = int(text.size()) - 3; at > (text[0] == '-'); at -= 3)
    text.insert(at, ",");
  return text;
}

static std::string readable(double value, llvm::StringRef unit, double base,
                            llvm::ArrayRef<llvm::StringLiteral> prefixes) {
  size_t prefix = 0;
  while (value >= base && prefix + 1 < prefixes.size()) {
    value /= base;
    ++prefix;
  }
  return llvm::formatv(prefix ? "{0:f2} {1}{2}" : "{0:f0} {1}{2}", value,
                       prefixes[prefix], unit);
}

std::string decimal(double value, llvm::StringRef unit) {
  return readable(value, unit, 1000, {"", "k", "M", "G", "T"});
}

std::string bytesText(double value) {
  return readable(value, "B", 1024, {"", "Ki", "Mi", "Gi", "Ti"});
}

} // namespace cornu::tools
