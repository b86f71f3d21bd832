// The recipe of a masked autoencoder that trains in milliseconds: 32 tokens in two regions.
#pragma once

#include <string>

namespace grimace::testing {

// `more` continues it with further sections.
inline std::string tiny_recipe(const std::string& more = "[optim]\nbatch_size = 2\n") {
  return R"([model]
image = 32
frames = 4
patch = 8
embed_dim = 32
heads = 2
encoder_depth = 2
decoder_dim = 16
decoder_heads = 2
decoder_depth = 1
region = [2, 2, 4]

[mask]
ratio = 0.75
window = [2, 2, 4]

)" + more;
}

}  // namespace grimace::testing
