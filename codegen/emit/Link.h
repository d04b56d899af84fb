//===- Link.h - Files from machine code -----------------------------------===//
//
// Objects become static libraries, shared libraries and executables.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_CODEGEN_EMIT_LINK_H
#define CORNU_CODEGEN_EMIT_LINK_H

#include "codegen/target/Target.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"

namespace cornu::codegen {

/// The object files of one model: one, or several parts.
using Objects = llvm::ArrayRef<llvm::SmallVector<char, 0>>;

/// Why nothing can be linked for the target, several objects joined to one
/// included: another system than Linux, or no link driver.
llvm::Error checkLinkable(const Target &target);

/// Writes one object file.
llvm::Error writeObject(llvm::StringRef path, Objects objects,
                        const Target &target);

/// An archive with the members `member`.o, `member`.1.o, ...
llvm::Error writeStaticLibrary(llvm::StringRef path, llvm::StringRef member,
                               Objects objects);

/// What linking needs from the installation.
struct LinkInputs {
  /// The folder of libcornu.a: beside the compiler's own bin, `../lib`, and in
  /// it a folder for each other target.
  std::string runtimeFolder;
};

/// A program: the object, libcornu and the C library, nothing unused.
llvm::Error linkExecutable(llvm::StringRef path, Objects objects,
                           const Target &target, const LinkInputs &inputs);

/// A shared library with the model's C interface.
llvm::Error linkSharedLibrary(llvm::StringRef path, Objects objects,
                              const Target &target);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_LINK_H
