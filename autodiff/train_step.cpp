#include "autodiff/train_step.h"

#include "autodiff/gradients.h"
#include "ir/op_def.h"

namespace grimace {
namespace {

struct Accumulation {
  Value first;  // bool[]: start from zero
  Value last;   // bool[]: update the parameters after this batch
};

// grad <- (first ? 0 : accumulated) + grad / n, kept for the next batch.
void accumulate(Builder& b, const std::vector<Value>& params, std::vector<Value>& grads,
                const Accumulation& accumulation, int n) {
  for (size_t i = 0; i < params.size(); ++i) {
    const Value sum = b.state("accumulated." + params[i].name(), params[i].type());
    const Value zero = b.full(0.0, {}, sum.dtype());
    grads[i] = b.select(accumulation.first, zero, sum) + grads[i] * (1.0 / n);
    b.update(sum, grads[i]);
  }
}

// ema <- decay ema + (1 - decay) next, where there was an update.
void average(Builder& b, Value param, Value next, Value apply, double decay) {
  const Value ema = b.state(average_of(param.name()), param.type());
  b.update(ema, b.select(apply, ema * decay + next * (1.0 - decay), ema));
}

}  // namespace

void add_train_step(Builder& b, Value loss, const std::map<std::string, ParamRule>& rules,
                    const TrainStepOptions& options) {
  const std::vector<Value> params = b.graph().inputs(Role::param);
  check(!params.empty(), "a training step needs parameters; the graph has none");
  const DType dtype = loss.dtype();
  std::vector<Value> grads = gradients(b, loss, params);
  const Scope scope(b, "optimizer");
  Accumulation accumulation;
  if (options.accumulate > 1) {
    accumulation = {b.input("first_of_update", {DType::boolean, {}}),
                    b.input("last_of_update", {DType::boolean, {}})};
    accumulate(b, params, grads, accumulation, options.accumulate);
  }
  const Value norm = b.emit(op_global_norm, grads);
  const Value finite = b.is_finite(norm);
  const Value apply =
      accumulation.last ? b.emit(op_logical_and, {finite, accumulation.last}) : finite;
  const Value one = b.full(1.0, {}, dtype);
  // The +1e-6 keeps the quotient finite for a zero norm, as the published training program does.
  const Value scale = options.clip_grad
                          ? b.minimum(one, b.full(*options.clip_grad, {}, dtype) / (norm + 1e-6))
                          : one;
  const Value lr = b.input("lr", {dtype, {}});
  const Value weight_decay = b.input("weight_decay", {dtype, {}});
  const Value done = b.state("step", {DType::i64, {}});
  const Value step = b.add(done, b.full(1.0, {}, DType::i64));
  std::vector<Value> updated;
  for (size_t i = 0; i < params.size(); ++i) {
    const Value p = params[i];
    const auto rule = rules.find(p.name());
    check(rule != rules.end(), "no training rule for parameter '", p.name(), "'");
    const Value m = b.state("exp_avg." + p.name(), p.type());
    const Value v = b.state("exp_avg_sq." + p.name(), p.type());
    const auto next =
        b.emit_all(op_adamw, {p, m, v, grads[i], lr, weight_decay, scale, step, apply},
                   {{"beta1", options.beta1},
                    {"beta2", options.beta2},
                    {"eps", options.eps},
                    {"lr_scale", rule->second.lr_scale},
                    {"decay", rule->second.decay}});
    b.update(p, next[0]);
    b.update(m, next[1]);
    b.update(v, next[2]);
    updated.push_back(next[0]);
  }
  // After the last of them, not in between: a backend may run adamw nodes that follow each other at
  // once.
  for (size_t i = 0; options.ema_decay && i < params.size(); ++i)
    average(b, params[i], updated[i], apply, *options.ema_decay);
  b.update(done, b.select(apply, step, done));
  b.output("loss", loss);
  b.output("grad_norm", norm);
  b.output("applied", finite);
}

}  // namespace grimace
