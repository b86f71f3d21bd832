#include "tools/interrupt.h"

#include <csignal>

namespace grimace {
namespace {

std::atomic<bool> stop_requested = false;

void on_signal(int signal) {
  if (stop_requested.exchange(true)) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}

}  // namespace

void catch_interrupts() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

const std::atomic<bool>& interrupted() {
  return stop_requested;
}

}  // namespace grimace
