#include "data/loading.h"

#include "ir/error.h"

namespace grimace {

void check_loading(const LoadingConfig& config, int batch_size) {
  check(batch_size >= 1, "the batch size must be at least 1; got ", batch_size);
  check(config.workers >= 0 && config.workers <= 256, "workers must be in 0..256; got ",
        config.workers);
  check(config.decode_threads >= 1 && config.decode_threads <= 64,
        "decoding threads must be in 1..64; got ", config.decode_threads);
  check(config.prefetch >= 1, "prefetched batches must be at least 1; got ", config.prefetch);
  check(config.max_bad >= 0 && config.max_bad <= 1, "max-bad must be between 0 and 1; got ",
        config.max_bad);
}

}  // namespace grimace
