// Ctrl-C as a request: the first one asks for an orderly end, the second ends at once.
#pragma once

#include <atomic>

namespace grimace {

constexpr int kInterruptedExit = 130;  // what shells expect of a program stopped by Ctrl-C

void catch_interrupts();                 // SIGINT and SIGTERM from here on
const std::atomic<bool>& interrupted();  // set by the first one

}  // namespace grimace
