// Graphs for the planner to lay out: random ones, and the training steps of tiny models.
#pragma once

#include <numeric>

#include "autodiff/train_step.h"
#include "ir/builder.h"
#include "ir/op_def.h"
#include "ir/philox.h"
#include "models/masked_autoencoder.h"
#include "tests/op_cases.h"

namespace grimace::testing {

// Up to `nodes` nodes of every way to share memory (elementwise, reshape, in order, none), over
// shapes of six or twelve elements, with outputs and updates; params and states may even swap.
class RandomGraph {
 public:
  RandomGraph(int nodes, uint64_t seed) : random_(seed, stream_id("graph")) {
    for (const char* name : {"x", "y"}) add(b.input(name, {DType::f32, {2, 3}}));
    for (const char* name : {"p", "q"}) add(b.param(name, {2, 3}));
    for (const char* name : {"s", "t"}) add(b.state(name, {DType::f32, {2, 3}}));
    count_ = b.state("count", {DType::i64, {}});
    add(b.constant("c", {6}, std::vector<float>{1, 2, 3, 4, 5, 6}));
    for (int i = 0; i < nodes; ++i) add_random_node();
    add_ends();
  }

  Graph graph{"random"};
  Builder b{graph};

 private:
  size_t below(size_t n) { return static_cast<size_t>(random_.below(n)); }
  Value any() { return values_[below(values_.size())]; }
  // A value of this shape: one there is, or one doubled, cut and reshaped to fit.
  Value any_of(const Shape& shape) {
    const Value v = any();
    if (v.shape() == shape) return v;
    Value flat = b.reshape(v, {-1});
    if (flat.dim(0) < shape.numel()) flat = b.concat({flat, flat}, 0);
    if (flat.dim(0) > shape.numel()) flat = b.slice(flat, 0, 0, shape.numel());
    return b.reshape(flat, shape.to_vector());
  }
  void add(Value v) { values_.push_back(v); }

  void add_random_node() {
    const Value v = any();
    const std::vector<int64_t> axes{v.shape().rank() - 1};
    switch (below(12)) {
      case 0:
        return add(b.erf(v));
      case 1:
        return add(v + any_of(v.shape()));
      case 2:
        return add(b.maximum(v, any_of(v.shape())));
      case 3:
        return add(v * b.reduce_sum(v, axes, true));
      case 4:
        return add(b.softmax(v));
      case 5:
        return add(b.reshape(
            v, v.type().numel() == 6 ? std::vector<int64_t>{3, 2} : std::vector<int64_t>{2, 6}));
      case 6:
        return add(b.transpose(any_of({2, 3}), {1, 0}));
      case 7:
        return add(b.concat({any_of({2, 3}), any_of({2, 3})}, 1));
      case 8:
        return add(b.select(b.is_finite(v), v, any_of(v.shape())));
      case 9:
        return add(b.cast(b.cast(v, DType::i32), DType::f32));
      case 10:
        return add_layer_norm(v);
      default:
        return add_adamw();
    }
  }

  void add_layer_norm(Value v) {
    const Shape row{v.dim(-1)};
    const Value one = b.full(1.0, row), zero = b.full(0.0, row);
    for (const Value& r : b.emit_all(op_layer_norm, {v, one, zero}, {{"eps", 0.1}}))
      if (r.type().numel() >= 6) add(r);
  }

  void add_adamw() {
    const Shape shape{2, 3};
    const Value rate = b.full(0.1);
    const Value step = b.add(count_, b.full(1.0, {}, DType::i64));
    const Value apply = b.is_finite(b.reduce_sum(any_of({6}), {0}));
    const Value v = any_of(shape);
    for (const Value& r : b.emit_all(
             op_adamw,
             {any_of(shape), any_of(shape), v * v, any_of(shape), rate, rate, rate, step, apply},
             {{"beta1", 0.5}, {"beta2", 0.75}}))
      add(r);
  }

  void add_ends() {
    const Shape shape{2, 3};
    for (const char* name : {"p", "q", "s", "t"})
      if (random_.coin()) b.update(graph.find_input(name), any_of(shape));
    if (random_.coin()) b.update(count_, b.add(count_, b.full(1.0, {}, DType::i64)));
    // An output that is a param reads as updated, which interpret does not do: outputs are results.
    for (int i = 0; i < 2; ++i) b.output(cat("out", i), b.neg(any()));
    if (!graph.nodes().empty() && !is_view(graph.nodes().front()))
      b.output("first", graph.nodes().front().result());
  }

  PhiloxStream random_;
  std::vector<Value> values_;
  Value count_;
};

// A masked autoencoder of 8 tokens with everything a training step has: random numbers, gather and
// scatter, accumulation, clipping, AdamW.
inline std::unique_ptr<Graph> tiny_training_step(Encoder encoder, int accumulate) {
  ModelConfig config;
  config.encoder = encoder;
  config.image = 8;
  config.patch = 4;
  config.frames = 4;
  config.embed_dim = 16;
  config.heads = 2;
  config.depth = 2;
  config.drop_path = 0.3;
  config.region = {1, 1, 2};
  config.decoder_dim = 8;
  config.decoder_heads = 2;
  config.decoder_depth = 1;
  auto graph = std::make_unique<Graph>("tiny");
  Builder b(*graph);
  const PretrainModel model =
      build_pretrain(b, config, {}, {.batch = 2, .visible = 4, .training = true});
  std::map<std::string, ParamRule> rules;
  for (const Value& param : graph->inputs(Role::param)) rules[param.name()] = {};
  add_train_step(b, model.loss, rules, {.clip_grad = 1.0, .accumulate = accumulate});
  return graph;
}

// Values for every graph input but the constants: small floats, one visible token per region.
inline std::map<std::string, Buffer> tiny_inputs(const Graph& graph, uint64_t seed) {
  std::map<std::string, Buffer> inputs;
  for (const Value& input : graph.inputs()) {
    if (input.is(Role::constant)) continue;
    Buffer buffer = random_input({input.type(), -0.5, 0.5}, seed + inputs.size());
    const bool squares = input.name().starts_with("exp_avg_sq.");
    if (squares || !is_float(input.dtype()))
      std::fill(buffer.data.begin(), buffer.data.end(), std::byte{0});
    if (input.name() == "mask")
      for (size_t i = 0; i < buffer.data.size(); i += 2) buffer.data[i] = std::byte{1};
    inputs[input.name()] = std::move(buffer);
  }
  return inputs;
}

}  // namespace grimace::testing
