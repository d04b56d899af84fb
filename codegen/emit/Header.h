//===- Header.h - NAME.h, the C header of a compiled model ----------------===//
#ifndef CORNU_CODEGEN_EMIT_HEADER_H
#define CORNU_CODEGEN_EMIT_HEADER_H

#include "codegen/emit/ModelDescriptor.h"
#include "llvm/Support/raw_ostream.h"

namespace cornu::codegen {

/// Writes a self-contained C99 and C++ header: byte totals, names, shapes and
/// types as macros, the documented entry points, and the types of
/// cornu/model.h, whose text it contains.
void writeHeader(const ModelDescriptor &model, llvm::raw_ostream &os);

/// A C identifier made from any text: "my-model.2" gives "my_model_2".
std::string toCIdentifier(llvm::StringRef text);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_HEADER_H
