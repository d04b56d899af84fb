//===- Registry.h - All dialects and passes of the compiler ---------------===//
//
// What cornu-opt, cornu-lsp-server and cornu-reduce know: MLIR's own dialects
// and passes, and Cornu's. The driver loads only what it uses.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_TOOLS_REGISTRY_REGISTRY_H
#define CORNU_TOOLS_REGISTRY_REGISTRY_H

namespace mlir {
class DialectRegistry;
}

namespace cornu::tools {

/// Cornu's dialects, and those of MLIR that its stages are made of, with the
/// interfaces that bufferization and translation need.
void registerCompilerDialects(mlir::DialectRegistry &registry);

/// The above and everything else in MLIR.
void registerAllDialects(mlir::DialectRegistry &registry);

/// Cornu's passes and pipelines.
void registerCompilerPasses();

/// The above and MLIR's own.
void registerAllPasses();

} // namespace cornu::tools

#endif // CORNU_TOOLS_REGISTRY_REGISTRY_H
