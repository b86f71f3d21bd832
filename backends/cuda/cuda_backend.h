// The backend for NVIDIA GPUs: f32, tf32 and bf16.
#pragma once

#include <memory>

#include "backends/backend.h"

namespace grimace::cuda {

std::unique_ptr<Backend> make_cuda_backend();

}  // namespace grimace::cuda
