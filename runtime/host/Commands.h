//===- Commands.h - The verbs of a compiled program -----------------------===//
//
//   int main(int argc, char **argv) { return run(cornu_program, argc, argv); }
//
// Each command is a function from the model and the arguments to an error; the
// exit code is 0, 1 after an error, and 128 plus the signal after Ctrl-C or
// when the reader of the output has gone (141).
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_COMMANDS_H
#define CORNU_RUNTIME_HOST_COMMANDS_H

#include "runtime/host/Dataset.h"
#include "runtime/host/Options.h"
#include "runtime/host/Progress.h"
#include "runtime/host/Session.h"

namespace cornu::runtime {

/// Runs the command that argv names; returns the exit code.
int run(const cornu_model &model, int argc, char **argv);

Error infoCommand(const cornu_model &model, const Arguments &arguments);
Error predictCommand(const cornu_model &model, const Arguments &arguments);
Error evaluateCommand(const cornu_model &model, const Arguments &arguments);
Error fitCommand(const cornu_model &model, const Arguments &arguments);
Error benchCommand(const cornu_model &model, const Arguments &arguments);

/// The batch size: --batch-size, the one that was compiled in, or 32.
Error readBatchSize(const cornu_model &model, const Arguments &arguments,
                    int64_t &size);

/// A model with a fixed batch cannot train or evaluate on a part of one.
Error checkWholeBatches(const cornu_model &model, int64_t rows,
                        const char *what);

/// Evaluates rows [first, first + count) of `data`, which has targets: resets
/// the metrics and leaves their results in `metrics`. `progress` may be null.
/// Stops early at an interrupt.
Error evaluateRows(Session &session, Dataset &data, Batch &batch, int64_t first,
                   int64_t count, int64_t batchSize, Vector<float> &metrics,
                   Progress *progress);

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_COMMANDS_H
