#include "models/layers.h"

#include <cmath>

#include "ir/op_def.h"

namespace grimace {

Value LayerContext::param(const std::string& name) const {
  const Value value = b.graph().find_input(name);
  internal_check(static_cast<bool>(value), "parameter '", name, "' was not declared");
  return value;
}

namespace {

// [B,T,n*C] -> n tensors [B,heads,T,C/heads], from one packed projection.
std::vector<Value> split_heads(Builder& b, Value packed, int64_t n, int64_t heads) {
  const int64_t batch = packed.dim(0);
  const int64_t tokens = packed.dim(1);
  const int64_t width = packed.dim(2) / (n * heads);
  const Value parts =
      b.transpose(b.reshape(packed, {batch, tokens, n, heads, width}), {2, 0, 3, 1, 4});
  std::vector<Value> result;
  for (int64_t i = 0; i < n; ++i)
    result.push_back(b.reshape(b.slice(parts, 0, i, i + 1), {batch, heads, tokens, width}));
  return result;
}

// softmax(q k^T) v with heads merged again: [B,H,T1,d], [B,H,T2,d] x2 -> [B,T1,H*d].
Value attend(Builder& b, Value q, Value k, Value v) {
  const Value weights = b.softmax(b.matmul(q, k, false, true));
  const Value heads = b.transpose(b.matmul(weights, v), {0, 2, 1, 3});
  return b.reshape(heads, {q.dim(0), q.dim(2), q.dim(1) * q.dim(3)});
}

double query_scale(Value x, int64_t heads) {
  return 1.0 / std::sqrt(static_cast<double>(x.dim(-1) / heads));
}

}  // namespace

Value embedding_cubes(const LayerContext& c, Value video) {
  const Scope scope(c.b, "cubes");
  const auto [t, h, w] = c.config.grid();
  const int64_t p = c.config.patch;
  const int64_t batch = video.dim(0);
  // axes:                                   0      1  2  3                  4  5  6  7
  const Value split = c.b.reshape(video, {batch, 3, t, c.config.tubelet, h, p, w, p});
  return c.b.reshape(c.b.transpose(split, {0, 2, 4, 6, 1, 3, 5, 7}),
                     {batch, t * h * w, c.config.pixels_per_cube()});
}

Value embed(const LayerContext& c, const std::string& prefix, Value video) {
  const Scope scope(c.b, "patch_embed");
  const Value weight = c.param(prefix + "patch_embed.proj.weight");
  const Value tokens =
      c.b.linear(embedding_cubes(c, video),
                 c.b.reshape(weight, {c.config.embed_dim, c.config.pixels_per_cube()}),
                 c.param(prefix + "patch_embed.proj.bias"));
  c.tap("patch_embed", tokens);
  return tokens + c.b.position_table(c.config.tokens(), c.config.embed_dim);
}

Value layer_norm(const LayerContext& c, const std::string& name, Value x) {
  return c.b.layer_norm(x, c.param(name + ".weight"), c.param(name + ".bias"), kLayerNormEps);
}

Value linear(const LayerContext& c, const std::string& name, Value x) {
  return c.b.linear(x, c.param(name + ".weight"), c.param(name + ".bias"));
}

Value mlp(const LayerContext& c, const std::string& name, Value x) {
  const Scope scope(c.b, "mlp");
  return linear(c, name + ".fc2", c.b.gelu(linear(c, name + ".fc1", x)));
}

Value attention(const LayerContext& c, const std::string& name, Value x, Value context,
                int64_t heads) {
  Builder& b = c.b;
  const Value v_bias = c.param(name + ".v_bias");
  // Keys have no bias (spec 2.4).
  const Value kv_bias = b.concat({b.zeros_like(v_bias), v_bias}, 0);
  const Value q = b.linear(x, c.param(name + ".q.weight"), c.param(name + ".q_bias"));
  const Value kv = b.linear(context, c.param(name + ".kv.weight"), kv_bias);
  const auto q_heads = split_heads(b, q * query_scale(x, heads), 1, heads);
  const auto kv_heads = split_heads(b, kv, 2, heads);
  return linear(c, name + ".proj", attend(b, q_heads[0], kv_heads[0], kv_heads[1]));
}

namespace {

Value plain_attention(const LayerContext& c, const std::string& name, Value x, int64_t heads) {
  Builder& b = c.b;
  const Scope scope(b, "attn");
  const Value q_bias = c.param(name + ".q_bias");
  const Value bias = b.concat({q_bias, b.zeros_like(q_bias), c.param(name + ".v_bias")}, 0);
  const auto qkv = split_heads(b, b.linear(x, c.param(name + ".qkv.weight"), bias), 3, heads);
  const Value q = qkv[0] * query_scale(x, heads);
  return linear(c, name + ".proj", attend(b, q, qkv[1], qkv[2]));
}

}  // namespace

Value plain_block(const LayerContext& c, const std::string& name, Value x, int64_t heads,
                  double drop) {
  const Value attended =
      plain_attention(c, name + ".attn", layer_norm(c, name + ".norm1", x), heads);
  x = x + drop_path(c, attended, drop);
  return x + drop_path(c, mlp(c, name + ".mlp", layer_norm(c, name + ".norm2", x)), drop);
}

Value run_blocks(const LayerContext& c, const std::string& prefix, Value x) {
  for (int64_t i = 0; i < c.config.depth; ++i) {
    const std::string name = "blocks." + std::to_string(i);
    const Scope scope(c.b, name);
    x = plain_block(c, prefix + name, x, c.config.heads, drop_rate(c.config, i));
    c.tap(prefix + name, x);
  }
  return x;
}

Value drop_path(const LayerContext& c, Value branch, double rate) {
  if (!c.training || rate == 0.0) return branch;
  const auto scalar = [&](const char* name) {
    const Value found = c.b.graph().find_input(name);
    return found ? found : c.b.input(name, {DType::i64, {}});
  };
  // Sites number the draws of one step: each call of drop_path is a draw of its own.
  int64_t site = 0;
  for (const Node& node : c.b.graph().nodes()) site += node.is(op_random_uniform) ? 1 : 0;
  std::vector<int64_t> shape(static_cast<size_t>(branch.shape().rank()), 1);
  shape[0] = branch.dim(0);
  const Value u = c.b.random_uniform(scalar("random.seed"), scalar("random.step"), site,
                                     Shape(shape), branch.dtype());
  return branch * (c.b.floor(u + (1.0 - rate)) / (1.0 - rate));
}

double drop_rate(const ModelConfig& config, int64_t block) {
  if (config.depth < 2) return 0.0;
  return config.drop_path * static_cast<double>(block) / static_cast<double>(config.depth - 1);
}

}  // namespace grimace
