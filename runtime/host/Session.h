//===- Session.h - A running model: state, scratch, status ----------------===//
//
//   Session session(model);
//   if (Error error = session.start(/*seed=*/0, /*weights=*/"")) return error;
//   if (Error error = session.reserveScratch(model.predict_scratch, 32))
//     return error;
//   model.predict(session.state(), inputs, 32, outputs, session.scratch());
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_SESSION_H
#define CORNU_RUNTIME_HOST_SESSION_H

#include "runtime/host/Text.h"
#include "runtime/include/cornu/model.h"

namespace cornu::runtime {

/// Zeroed memory at a multiple of CORNU_ALIGNMENT; on huge pages where it is
/// large and the system offers them.
class Block {
public:
  Block() = default;
  Block(const Block &) = delete;
  Block &operator=(const Block &) = delete;
  ~Block();

  void allocate(uint64_t bytes);
  void *data() const { return address; }
  uint64_t size() const { return bytes; }

private:
  void release();
  void *address = nullptr;
  uint64_t bytes = 0;
  bool mapped = false;
};

class Session {
public:
  explicit Session(const cornu_model &model) : model(model) {}

  /// Checks the descriptor and the CPU, initializes the state and loads the
  /// weights from a .safetensors file unless its name is empty.
  Error start(uint64_t seed, std::string_view weights);

  /// Makes the scratch block large enough for a batch, in addition to what
  /// was reserved before.
  Error reserveScratch(const cornu_scratch &need, int64_t batch);

  /// The error for a status that is not CORNU_OK.
  Error check(int status) const;

  void *state() const { return stateBlock.data(); }
  void *scratch() const { return scratchBlock.data(); }

  const cornu_model &model;

private:
  Block stateBlock;
  Block scratchBlock;
};

/// Seconds since some moment, never set back.
double now();

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_SESSION_H
