// Layers that the encoders and the decoder share, in the order of the formulas of spec 2. A layer
// finds its parameters in the graph by their published names.
#pragma once

#include <string>

#include "ir/builder.h"
#include "models/config.h"

namespace grimace {

// An intermediate result under the name a golden file or a reader would look for.
struct Tap {
  std::string name;
  Value value;
};
using Taps = std::vector<Tap>;

// Everything a layer needs to know about where it is.
struct LayerContext {
  Builder& b;
  const ModelConfig& config;
  bool training = false;  // drop path is active only then
  Taps* taps = nullptr;

  Value param(const std::string& name) const;  // InternalError when it was not declared
  void tap(const std::string& name, Value value) const {
    if (taps != nullptr) taps->push_back({name, value});
  }
};

// Video [B,3,T,H,W] cut into cubes [B,N,3*t*P*P], elements in the order of the embedding weight:
// channel, time, row, column (spec 2.2).
Value embedding_cubes(const LayerContext& c, Value video);

// All tokens [B,N,C] with their positions: linear on cubes, plus the sine/cosine table
// (spec 2.2, 2.3).
Value embed(const LayerContext& c, const std::string& prefix, Value video);

Value layer_norm(const LayerContext& c, const std::string& name, Value x);
Value linear(const LayerContext& c, const std::string& name, Value x);  // with bias
Value mlp(const LayerContext& c, const std::string& name, Value x);     // fc2(gelu(fc1(x)))

// Attn(X, Y) of spec 2.4 with separate q and kv weights: x [B,T1,C], context [B,T2,C] -> [B,T1,C].
Value attention(const LayerContext& c, const std::string& name, Value x, Value context,
                int64_t heads);
// One pre-norm block of the plain ViT (spec 3) with fused qkv weights.
Value plain_block(const LayerContext& c, const std::string& name, Value x, int64_t heads,
                  double drop);
// The encoder's blocks: "<prefix>blocks.0" to the last.
Value run_blocks(const LayerContext& c, const std::string& prefix, Value x);

// Stochastic depth (spec 2.7): keeps or drops whole entries of the first axis. Identity unless
// training with rate > 0. Draws from inputs "random.seed" and "random.step", added on first use.
Value drop_path(const LayerContext& c, Value branch, double rate);
// The rate of block i: linear from 0 to config.drop_path.
double drop_rate(const ModelConfig& config, int64_t block);

}  // namespace grimace
