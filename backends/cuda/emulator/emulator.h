// A GPU in software, for tests on any machine: enough of CUDA as plain C++ to compile everything of
// backends/cuda but libraries/ with a host compiler, and to run it on host memory. It finds what a
// GPU would punish or hide: lanes and threads that do not meet, order dependence, reads of memory
// never written, writes past the end. Timing, caches and races within one instruction it does not
// know.
//
// CUDA's names are global, as CUDA has them, but with C++ linkage: one program can link the
// emulated backend beside the real one.
#pragma once

#include "backends/cuda/emulator/fibers.h"
#include "backends/cuda/emulator/language.h"
#include "backends/cuda/emulator/launch_grid.h"
#include "backends/cuda/emulator/runtime.h"
#include "backends/cuda/emulator/warp.h"
