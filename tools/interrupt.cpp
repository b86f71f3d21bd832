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

InterruptScope::InterruptScope()
    : interrupt_(std::signal(SIGINT, on_signal)), end_(std::signal(SIGTERM, on_signal)) {}

InterruptScope::~InterruptScope() {
  std::signal(SIGINT, interrupt_);
  std::signal(SIGTERM, end_);
}

const std::atomic<bool>& interrupted() {
  return stop_requested;
}

}  // namespace grimace
