//===- Text.h - Numbers and columns for people ------------------*- C++ -*-===//
#ifndef CORNU_TOOLS_CORNU_TEXT_H
#define CORNU_TOOLS_CORNU_TEXT_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <string>

namespace cornu::tools {

/// Letters of the terminal column by column; UTF-8 counts by characters.
size_t widthOf(llvm::StringRef text);

/// "1,234"
std::string grouped(int64_t value);

/// "1.23 kFLOP": powers of 1000.
std::string decimal(double value, llvm::StringRef unit);
/// "1.21 KiB": powers of 1024.
std::string bytesText(double value);

} // namespace cornu::tools

#endif // CORNU_TOOLS_CORNU_TEXT_H
