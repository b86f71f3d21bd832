// The threads of a block as fibers. A thread is a plain call until it waits; only then its fiber is
// left for another one. A switch costs some nanoseconds and no system call.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>

#include "backends/cuda/emulator/language.h"
#include "ir/error.h"

namespace grimace::cuda::emulator {

// A kernel did what no GPU promises to allow. run_grid makes it an InternalError that says where.
class Misuse : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

// Runs `body` once for each thread of a block of the size `block_size`; from the last thread to the
// first when `descending`. What a thread throws ends the block. Misuse when all that are
// left wait for each other.
void run_threads(const std::function<void()>& body, bool descending);

// ---- For the primitives in which threads meet ----------------------------------------------
int threads_in_block();
int running_thread();  // its number in the block: x fastest
// Leaves the running thread until somebody wakes it. `at` is what a deadlock's message says.
void wait(const char* at, unsigned mask = 0);
void wake(int thread);
// "thread 37 (5,1,0)"
std::string thread_text(int thread);

}  // namespace grimace::cuda::emulator

void __syncthreads();
