// What the emulated runtime's own files share.
#pragma once

#include "backends/cuda/emulator/runtime.h"

namespace grimace::cuda::emulator {

// Remembers an error for cudaGetLastError of this thread, and returns it.
cudaError_t report(cudaError_t error);

// Whether a call that capture forbids (allocation, synchronisation) would be made during one; that
// spoils the capture, as it does with CUDA.
bool spoils_a_capture();

// Does what is enqueued and not done yet: all of it, or what the stream waits for (null: of all
// streams but the non-blocking ones).
void finish_everything();
void finish(cudaStream_t stream);

// As enqueue, with a status.
cudaError_t try_enqueue(cudaStream_t stream, std::function<void()> work);

}  // namespace grimace::cuda::emulator
