// A backend as small as one can be and still run every model: docs/backends.md explains it.
#pragma once

#include "backends/backend.h"

namespace grimace {

std::unique_ptr<Backend> make_tiny_backend();

}  // namespace grimace
