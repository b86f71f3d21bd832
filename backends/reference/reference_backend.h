// The oracle: a thin loop over the ops' own reference kernels, in f64 or f32.
#pragma once

#include "backends/backend.h"

namespace grimace {

std::unique_ptr<Backend> make_reference_backend();

}  // namespace grimace
