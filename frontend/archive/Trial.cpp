//===- Trial.cpp - Work that may crash, tried in a child process ----------===//

#include "frontend/archive/Trial.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// Of the sanitizers' runtime, where there is one: what a fuzzer has it call
// upon a report.
extern "C" __attribute__((weak)) void
__sanitizer_set_death_callback(void (*callback)());

// The child dies in silence: no stack dump, no core, no message of libc, and
// no file in which libFuzzer keeps what it takes for a crash of its own.
[[noreturn]] static void runChild(llvm::function_ref<void()> work,
                                  unsigned seconds) {
  for (int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU})
    std::signal(signal, SIG_DFL);
  if (__sanitizer_set_death_callback)
    __sanitizer_set_death_callback(nullptr);
  rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  rlimit processor = {seconds, seconds};
  setrlimit(RLIMIT_CPU, &processor);
  if (int null = open("/dev/null", O_WRONLY); null >= 0) {
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
  }
  work();
  _exit(0);
}

bool cornu::frontend::survives(llvm::function_ref<void()> work,
                               unsigned seconds) {
  pid_t child = fork();
  if (child == 0)
    runChild(work, seconds);
  if (child < 0)
    return true;
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return true;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
