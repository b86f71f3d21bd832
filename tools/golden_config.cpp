#include "tools/golden_config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "runtime/json_text.h"

namespace grimace {
namespace {

using nlohmann::json;

// Whole numbers must be that: a fraction would be cut, and 1e300 fits into none.
bool has_type(const json& value, const int64_t&) {
  return value.is_number_integer();
}
bool has_type(const json& value, const std::array<int64_t, 3>& into) {
  return value.is_array() && value.size() == into.size() &&
         std::ranges::all_of(value, [&](const json& x) { return has_type(x, into[0]); });
}
bool has_type(const json& value, const std::array<double, 2>& into) {
  return value.is_array() && value.size() == into.size() &&
         std::ranges::all_of(value, [](const json& x) { return x.is_number(); });
}
bool has_type(const json& value, const double&) {
  return value.is_number();
}
bool has_type(const json& value, const bool&) {
  return value.is_boolean();
}
bool has_type(const json& value, const std::string&) {
  return value.is_string();
}

// A JSON object whose keys must all be asked for.
class Keys {
 public:
  Keys(json object, std::string where) : object_(std::move(object)), where_(std::move(where)) {
    check(object_.is_object(), where_, ": expected a JSON object");
  }

  template <typename T>
  void read(const char* key, T& into, bool required = false) {
    known_.insert(key);
    if (!object_.contains(key)) {
      check(!required, where_, ": '", key, "' is missing");
      return;
    }
    const json& value = object_.at(key);
    if (!has_type(value, into))
      throw Error(cat(where_, ": '", key, "' has the wrong type: ", value.dump().substr(0, 60)));
    value.get_to(into);
  }
  // A word, one of two; whether it is the second.
  bool choice(const char* key, const char* first, const char* second) {
    std::string word = first;
    read(key, word);
    check(word == first || word == second, where_, ": '", key, "' must be ", first, " or ", second,
          "; got '", word.substr(0, 60), "'");
    return word == second;
  }
  void ignore(const char* key) { known_.insert(key); }
  json object(const char* key) {
    known_.insert(key);
    return object_.value(key, json::object());
  }
  void done() const {
    for (const auto& [key, value] : object_.items())
      check(known_.contains(key), where_, ": unknown key '", key.substr(0, 60), "'");
  }

 private:
  json object_;
  std::string where_;
  std::set<std::string> known_;
};

json parse_entry(const SafetensorsFile& file, const char* key) {
  return parse_json(file.metadata(key), cat(file.path().string(), ": metadata '", key, "'"));
}

void read_options(const json& object, const std::string& where, ModelConfig& model) {
  Keys options(object, where + " options");
  model.first_cross = options.choice("first_attn_type", "self", "cross");
  model.third_self = options.choice("third_attn_type", "cross", "self");
  options.read("no_second", model.no_second);
  options.read("no_third", model.no_third);
  options.read("attn_param_sharing_first_third", model.share_first_third);
  options.read("attn_param_sharing_all", model.share_all);
  options.done();
}

void check_sizes(const ModelConfig& m, const std::string& where) {
  constexpr int64_t kMost = 1 << 20;
  for (const auto& [key, value] : {std::pair("img_size", m.image),
                                   {"patch_size", m.patch},
                                   {"frames", m.frames},
                                   {"tubelet", m.tubelet}})
    check(value >= 1 && value <= kMost, where, ": '", key, "' must lie in 1..", kMost, "; got ",
          value);
}

void read_model(const json& object, const std::string& where, GoldenConfig& config) {
  ModelConfig& m = config.model;
  Keys keys(object, where);
  keys.read("img_size", m.image, true);
  keys.read("patch_size", m.patch, true);
  keys.read("frames", m.frames);
  keys.read("tubelet", m.tubelet);
  keys.read("batch", config.batch);
  check_sizes(m, where);  // the grid divides by them
  std::array<int64_t, 3> grid = m.grid();
  keys.read("grid", grid);
  keys.read("embed_dim", m.embed_dim);
  keys.read("heads", m.heads);
  keys.read("depth", m.depth);
  keys.read("decoder_dim", m.decoder_dim);
  keys.read("decoder_heads", m.decoder_heads);
  keys.read("decoder_depth", m.decoder_depth);
  m.encoder =
      keys.choice("attn_type", "local_global", "joint") ? Encoder::joint : Encoder::local_global;
  keys.read("region", m.region);
  keys.read("num_classes", m.classes);
  std::string token = m.encoder == Encoder::joint ? "org" : "region";
  keys.read("token", token);
  check(token == "region" || token == "org" || token == "all", where,
        ": 'token' must be region, org or all; got '", token.substr(0, 60), "'");
  m.pool = token == "region" ? PoolTokens::region
           : token == "org"  ? PoolTokens::org
                             : PoolTokens::all;
  // input.mask decides what is masked; these only describe it.
  for (const char* key : {"mask", "mask_ratio", "mask_window"}) keys.ignore(key);
  read_options(keys.object("options"), where, m);
  keys.done();
  check(m.grid() == grid, where,
        ": 'grid' does not follow from img_size, patch_size, frames and tubelet");
}

void read_optimizer(const SafetensorsFile& file, GoldenConfig& config) {
  const std::string where = file.path().string() + ": optimizer";
  Keys keys(parse_entry(file, "optimizer"), where);
  std::array<double, 2> betas{0.9, 0.95};
  keys.read("betas", betas, true);
  config.optimizer.beta1 = betas[0];
  config.optimizer.beta2 = betas[1];
  keys.read("eps", config.optimizer.eps, true);
  // The rates of every step are stored as tensors.
  for (const char* key : {"lr", "min_lr", "weight_decay", "weight_decay_end", "epochs",
                          "steps_per_epoch", "warmup_epochs"})
    keys.ignore(key);
  keys.done();
  const json names = parse_entry(file, "no_weight_decay");
  check(names.is_array() &&
            std::ranges::all_of(names, [](const json& name) { return name.is_string(); }),
        file.path().string(), ": metadata 'no_weight_decay': expected a list of names");
  for (const json& name : names) config.no_weight_decay.insert(name.get<std::string>());
}

}  // namespace

GoldenConfig read_golden_config(const SafetensorsFile& file) {
  check(file.has_metadata("kind"), file.path().string(),
        ": has no metadata entry 'kind'; it is not a golden file");
  GoldenConfig config;
  config.kind = file.metadata("kind");
  check(config.kind == "pretrain" || config.kind == "finetune" || config.kind == "targets" ||
            config.kind == "optimizer",
        file.path().string(), ": kind must be pretrain, finetune, targets or optimizer; got '",
        config.kind, "'");
  config.model.decoder_depth = 1;
  read_model(parse_entry(file, "config"), file.path().string() + ": config", config);
  if (config.kind == "optimizer") read_optimizer(file, config);
  if (config.kind == "targets") config.model.encoder = Encoder::joint;  // regions play no part
  validate(config.model);
  check(config.batch > 0 && config.batch <= 4096, file.path().string(),
        ": batch must lie in 1..4096; got ", config.batch);
  return config;
}

std::optional<double> suffix_value(const std::string& name, const std::string& prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  double value = 0.0;
  const char* end = name.data() + name.size();
  const auto result = std::from_chars(name.data() + prefix.size(), end, value);
  check(result.ec == std::errc{} && result.ptr == end && std::abs(value) <= 1e6, "golden: '", name,
        "' should end in a number, at most 1e6, after '", prefix, "'");
  return value;
}

}  // namespace grimace
