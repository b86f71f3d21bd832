// How clips are read, the same for every data set: by how many threads, how far ahead, and how many
// may fail.
#pragma once

#include <functional>
#include <string>

namespace grimace {

struct LoadingConfig {
  int workers = 2;         // 0: next() does the work itself
  int decode_threads = 1;  // of each worker's video decoder
  int prefetch = 2;        // batches made ahead, the bound on memory
  double max_bad = 0.05;   // fraction of the list's clips that may be unreadable
  // Told of each unreadable clip once, in the thread that calls next().
  std::function<void(const std::string&)> warn = {};
};

// Error naming the value out of range.
void check_loading(const LoadingConfig& config, int batch_size);

}  // namespace grimace
