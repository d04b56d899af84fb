//===- Link.h - Files from machine code -----------------------------------===//
//
// Objects become static libraries, shared libraries and executables. Every
// file is written beside its place and then renamed: a reader sees the old
// file or the new one, never half of it.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_CODEGEN_EMIT_LINK_H
#define CORNU_CODEGEN_EMIT_LINK_H

#include "codegen/target/Target.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

namespace cornu::codegen {

/// Writes the bytes; `-` is the standard output.
llvm::Error writeFile(llvm::StringRef path, llvm::StringRef contents,
                      bool executable = false);

/// An archive with one member, `member`.o.
llvm::Error writeStaticLibrary(llvm::StringRef path, llvm::StringRef member,
                               llvm::ArrayRef<char> object,
                               const Target &target);

/// What linking needs from the installation.
struct LinkInputs {
  /// The folder of libcornu.a: beside the compiler's own bin, `../lib`, and in
  /// it a folder for each other target.
  std::string runtimeFolder;
};

/// A program: the object, libcornu and the C library, nothing unused.
llvm::Error linkExecutable(llvm::StringRef path, llvm::ArrayRef<char> object,
                           const Target &target, const LinkInputs &inputs);

/// A shared library with the model's C interface.
llvm::Error linkSharedLibrary(llvm::StringRef path,
                              llvm::ArrayRef<char> object,
                              const Target &target);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_LINK_H
