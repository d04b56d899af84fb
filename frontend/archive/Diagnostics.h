//===- Diagnostics.h - What a user must know to fix a model -----*- C++ -*-===//
//
// Every error of the frontend says where (file, layer path, JSON pointer),
// what is wrong, and what would work. Errors are collected, so that a user
// sees all of them in one run:
//
//   model.keras: error: layer 'encoder/lambda_1' at /config/layers/3: class
//       Lambda holds Python code, which cannot be compiled
//     help: express it with keras.ops, which are stored as operations
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_FRONTEND_ARCHIVE_DIAGNOSTICS_H
#define CORNU_FRONTEND_ARCHIVE_DIAGNOSTICS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"
#include <string>
#include <vector>

namespace llvm {
class raw_ostream;
} // namespace llvm

namespace cornu::frontend {

class Json;

struct Diagnostic {
  std::string file;
  std::string layer;   // path of the layer, empty if it concerns the file
  std::string pointer; // JSON pointer (RFC 6901) into the configuration
  std::string message;
  std::string help; // what would work
  std::string text() const;
};

class Diagnostics {
public:
  explicit Diagnostics(llvm::StringRef file = {}) : file(file.str()) {}

  void setFile(llvm::StringRef name) { file = name.str(); }
  llvm::StringRef getFile() const { return file; }

  /// An error that concerns the whole file.
  void error(const llvm::Twine &message, const llvm::Twine &help = {});
  /// An error at a layer (may be empty) and a place of the configuration (may
  /// be null).
  void error(llvm::StringRef layer, const Json *where,
             const llvm::Twine &message, const llvm::Twine &help = {});
  /// Something the user should know that does not stop the compilation.
  void warning(llvm::StringRef layer, const Json *where,
               const llvm::Twine &message, const llvm::Twine &help = {});

  bool hasErrors() const { return !errors.empty(); }
  llvm::ArrayRef<Diagnostic> getErrors() const { return errors; }
  llvm::ArrayRef<Diagnostic> getWarnings() const { return warnings; }
  void print(llvm::raw_ostream &os) const;

private:
  void add(std::vector<Diagnostic> &list, llvm::StringRef layer,
           const Json *where, const llvm::Twine &message,
           const llvm::Twine &help);

  std::string file;
  std::vector<Diagnostic> errors;
  std::vector<Diagnostic> warnings;
};

/// The one of the names that a mistyped word stands for, "" if none is near.
llvm::StringRef nearestName(llvm::StringRef word,
                            llvm::ArrayRef<llvm::StringRef> names);

} // namespace cornu::frontend

#endif // CORNU_FRONTEND_ARCHIVE_DIAGNOSTICS_H
