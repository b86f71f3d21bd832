#include "tools/pth_resume.h"

#include <charconv>
#include <cmath>
#include <deque>
#include <optional>

#include "runtime/log.h"
#include "runtime/weights.h"

namespace grimace {
namespace {

constexpr int64_t kMostSteps = 1'000'000'000'000;  // as of optim.steps

std::optional<int64_t> whole_number(const std::string& text) {
  int64_t value = 0;
  const char* last = text.data() + text.size();
  const auto [end, code] = std::from_chars(text.data(), last, value);
  return code == std::errc() && end == last && value >= 0 ? std::optional(value) : std::nullopt;
}

std::optional<std::string> find(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? std::nullopt : std::optional(found->second);
}

std::string use_init(const Weights& weights) {
  return "; start from its weights: --init " + weights.path().string();
}

// Updates done: of the run, or of the first parameter.
int64_t updates_of(const Weights& weights, const std::string& first_param) {
  const std::string own = state_tensor("step");
  const std::string name = weights.contains(own) ? own : optimizer_tensor("step", first_param);
  const std::string where = weights.path().string();
  if (weights.contains(name)) {
    check(weights.type(name).numel() == 1, where, ": ", name, " is ", weights.type(name),
          "; expected one number");
    const Tensor read = weights.tensor(name).cast(DType::f64);
    const double steps = read.as<double>()[0];
    check(steps >= 0 && steps <= kMostSteps && steps == std::floor(steps), where, ": ", name,
          " is ", steps, "; expected a number of steps", use_init(weights));
    return static_cast<int64_t>(steps);
  }
  // Older versions of PyTorch keep it as a plain number.
  const auto plain = find(weights.metadata(), "optimizer.state.0.step");
  const int64_t steps = plain ? whole_number(*plain).value_or(-1) : -1;
  check(steps >= 0 && steps <= kMostSteps, where,
        ": does not say how many steps its optimizer has done", use_init(weights));
  return steps;
}

// Steps of the schedule, which count batches without an update as well: as a file of ours says, or
// at the end of the epoch that another's names (spec 10.1).
int64_t steps_of(const Weights& weights, bool own, int64_t updates, int64_t steps_per_epoch) {
  const auto step = find(weights.metadata(), "step"), text = find(weights.metadata(), "epoch");
  if (own && step) return std::min(whole_number(*step).value_or(updates), kMostSteps);
  if (own || !text) return updates;
  const std::string where = weights.path().string();
  const auto epoch = whole_number(*text);
  check(epoch.has_value() && *epoch < kMostSteps / steps_per_epoch, where, ": its epoch is \"",
        text->substr(0, 100), "\", which tells no place in a run", use_init(weights));
  const int64_t steps = (*epoch + 1) * steps_per_epoch;
  if (updates > steps || updates < steps - steps / 10)
    warn(cat(where, ": its ", *epoch + 1, " epochs are ", steps,
             " steps with this list and batch size, but its optimizer has done ", updates,
             "; the schedule continues at step ", steps));
  return steps;
}

struct Source {
  std::string name = {};    // in a checkpoint of ours
  std::string inside = {};  // in the file
  Shape shape = {};
};

// The tensors of a checkpoint, and where in the file each is.
std::vector<Source> sources(const Weights& weights, const Recipe& recipe,
                            std::span<const ParamSpec> params) {
  std::vector<Source> result;
  for (const ParamSpec& param : params) result.push_back({param.name, param.name, param.shape});
  for (const ParamSpec& param : params) {
    if (!param.alias_of.empty()) continue;
    for (const char* kind : {"exp_avg", "exp_avg_sq"}) {
      const std::string name = optimizer_tensor(kind, param.name);
      check(weights.contains(name), weights.path().string(), ": has no optimizer state for ",
            param.name, " in the published parameter groups", use_init(weights));
      result.push_back({name, name, param.shape});
    }
    if (!recipe.optim.model_ema) continue;
    const std::string average = state_tensor("ema." + param.name);
    result.push_back(
        {average, weights.contains(average) ? average : authors_average(param.name), param.shape});
  }
  return result;
}

}  // namespace

Checkpoint import_pth(const std::filesystem::path& file, const Recipe& recipe,
                      std::span<const ParamSpec> params, int64_t steps_per_epoch,
                      const std::filesystem::path& out) {
  const Weights weights = open_weights(file);
  std::deque<Tensor> tensors;
  std::vector<NamedView> views;
  // All is checked before anything is written: what lies in `out` is what the next start continues.
  for (const Source& source : sources(weights, recipe, params)) {
    const std::string where = weights.path().string();
    check(weights.contains(source.inside), where, ": has no tensor ", source.inside,
          "; it is a checkpoint of another architecture");
    check(weights.type(source.inside).shape == source.shape, where, ": ", source.inside, " is ",
          weights.type(source.inside), " but this model's is ", source.shape,
          "; it is a checkpoint of another architecture");
    tensors.push_back(weights.tensor(source.inside));
    views.push_back({source.name, tensors.back().view()});
  }
  const int64_t updates = updates_of(weights, params.front().name);
  tensors.push_back(Tensor::from<int64_t>({}, std::span(&updates, 1)));
  views.push_back({state_tensor("step"), tensors.back().view()});
  const bool own = find(weights.metadata(), "format") == "grimace-checkpoint";
  const int64_t steps = steps_of(weights, own, updates, steps_per_epoch);
  CheckpointInfo info{.step = steps, .epoch = steps / steps_per_epoch, .config = to_toml(recipe)};
  if (const auto config = find(weights.metadata(), "config"); own && config) info.config = *config;
  return load_checkpoint(save_checkpoint(out, info, views, 0));
}

}  // namespace grimace
