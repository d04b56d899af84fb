//===- Trial.h - Work that may crash, tried in a child process --*- C++ -*-===//
//
// A library that trusts its input can crash or loop for ever on a damaged
// file. Such work is done once in a child process, whose end tells whether the
// parent may do it, too:
//
//   if (!survives([&] { readEverything(path); }, /*seconds=*/20))
//     return "damaged";
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_FRONTEND_ARCHIVE_TRIAL_H
#define CORNU_FRONTEND_ARCHIVE_TRIAL_H

#include "llvm/ADT/STLFunctionalExtras.h"

namespace cornu::frontend {

/// False if the work ends by a signal or uses more than `seconds` of the
/// processor. Nothing that it changes or prints is seen by the caller. True if
/// no child process can be made.
bool survives(llvm::function_ref<void()> work, unsigned seconds);

} // namespace cornu::frontend

#endif // CORNU_FRONTEND_ARCHIVE_TRIAL_H
