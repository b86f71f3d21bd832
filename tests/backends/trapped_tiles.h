// Runs AMX instructions where there is no AMX: on such a machine each of them raises SIGILL, and a
// handler decodes the one at the instruction pointer and does what it would have done, on registers
// in memory, one set a thread. So the assembly of AmxTiles itself is tested anywhere: which
// registers, addresses and shapes it names, in every form the compiler gives it.
//
// Six instructions are known, as the processor's manual has them (Intel SDM volume 2, LDTILECFG to
// TDPBF16PS, and chapter 2 for the encoding). Where they would fault, and at anything else, the
// process ends by the signal that the processor's fault would have been.
#pragma once

#include <csignal>
#include <cstdint>

namespace grimace::testing {

// While it lives, the process's SIGILL is the handler. Only where AMX is not enabled: elsewhere
// nothing is trapped.
class TrappedTiles {
 public:
  TrappedTiles();
  ~TrappedTiles();
  TrappedTiles(const TrappedTiles&) = delete;
  TrappedTiles& operator=(const TrappedTiles&) = delete;

  // Instructions run by the handler so far, in all threads.
  static int64_t executed();

 private:
  struct sigaction before_ {};
};

}  // namespace grimace::testing
