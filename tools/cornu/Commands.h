//===- Commands.h - The subcommands of cornu ------------------------------===//
#ifndef CORNU_TOOLS_CORNU_COMMANDS_H
#define CORNU_TOOLS_CORNU_COMMANDS_H

#include "frontend/import/Import.h"
#include "tools/cornu/Arguments.h"

namespace cornu::tools {

extern const Command compileCommand, tuneCommand, summaryCommand, plotCommand,
    weightsCommand, targetsCommand;

/// "(None, 28, 28, 1)", several outputs separated by commas.
std::string shapeText(const frontend::LayerRow &layer);

/// The folder of libcornu.a, relative to this program.
std::string runtimeFolder();

} // namespace cornu::tools

#endif // CORNU_TOOLS_CORNU_COMMANDS_H
