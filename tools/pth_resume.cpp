#include "tools/pth_resume.h"

#include <charconv>
#include <deque>
#include <optional>

#include "runtime/weights.h"

namespace grimace {
namespace {

std::optional<int64_t> whole_number(const std::string& text) {
  int64_t value = 0;
  const char* last = text.data() + text.size();
  const auto [end, code] = std::from_chars(text.data(), last, value);
  return code == std::errc() && end == last && value >= 0 ? std::optional(value) : std::nullopt;
}

// Updates done: of the run, or of the first parameter.
Tensor steps_of(const Weights& weights, const std::string& first_param) {
  const std::string own = state_tensor("step");
  const std::string name = weights.contains(own) ? own : optimizer_tensor("step", first_param);
  if (weights.contains(name)) {
    check(weights.type(name).numel() == 1, weights.path().string(), ": ", name, " is ",
          weights.type(name), "; expected one number");
    return weights.tensor(name).cast(DType::i64).reshaped({});
  }
  // Older versions of PyTorch keep it as a plain number.
  const auto plain = weights.metadata().find("optimizer.state.0.step");
  const auto steps = plain != weights.metadata().end() ? whole_number(plain->second) : std::nullopt;
  check(steps.has_value(), weights.path().string(),
        ": does not say how many steps its optimizer has done; start from its weights: --init ",
        weights.path().string());
  return Tensor::from<int64_t>({}, std::span(&*steps, 1));
}

// The tensors of a checkpoint, and where in the file each is.
std::vector<std::pair<std::string, std::string>> sources(const Weights& weights,
                                                         const Recipe& recipe,
                                                         std::span<const ParamSpec> params) {
  std::vector<std::pair<std::string, std::string>> result;
  for (const ParamSpec& param : params) result.emplace_back(param.name, param.name);
  for (const ParamSpec& param : params) {
    if (!param.alias_of.empty()) continue;
    for (const char* kind : {"exp_avg", "exp_avg_sq"}) {
      const std::string name = optimizer_tensor(kind, param.name);
      check(weights.contains(name), weights.path().string(), ": has no optimizer state for ",
            param.name, " in the published parameter groups; start from its weights: --init ",
            weights.path().string());
      result.emplace_back(name, name);
    }
    if (!recipe.optim.model_ema) continue;
    const std::string average = state_tensor("ema." + param.name);
    result.emplace_back(average, weights.contains(average) ? average : "model_ema." + param.name);
  }
  return result;
}

}  // namespace

Checkpoint import_pth(const std::filesystem::path& file, const Recipe& recipe,
                      std::span<const ParamSpec> params, const std::filesystem::path& out) {
  const Weights weights = open_weights(file);
  std::deque<Tensor> tensors;
  std::vector<NamedView> views;
  for (const auto& [name, source] : sources(weights, recipe, params)) {
    check(weights.contains(source), weights.path().string(), ": has no tensor ", source,
          "; it is a checkpoint of another architecture");
    tensors.push_back(weights.tensor(source));
    views.push_back({name, tensors.back().view()});
  }
  tensors.push_back(steps_of(weights, params.front().name));
  views.push_back({state_tensor("step"), tensors.back().view()});
  const int64_t updates = tensors.back().as<int64_t>()[0];
  const Metadata& metadata = weights.metadata();
  const auto format = metadata.find("format");
  const bool own = format != metadata.end() && format->second == "grimace-checkpoint";
  CheckpointInfo info{.step = updates, .config = to_toml(recipe)};
  if (const auto config = metadata.find("config"); own && config != metadata.end())
    info.config = config->second;
  // Steps of a run count those without an update as well.
  if (const auto step = metadata.find("step"); own && step != metadata.end())
    info.step = whole_number(step->second).value_or(updates);
  return load_checkpoint(save_checkpoint(out, info, views, 0));
}

}  // namespace grimace
