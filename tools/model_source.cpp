#include "tools/model_source.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <map>

#include "autodiff/train_step.h"
#include "ir/serialize.h"
#include "ir/text.h"
#include "runtime/checkpoint.h"
#include "runtime/log.h"
#include "tools/recipe_keys.h"
#include "tools/suggest.h"

namespace grimace {
namespace {

constexpr uintmax_t kMaxTextBytes = uintmax_t{256} << 20;

ModelSource from_checkpoint(const CheckpointInfo& info, const std::filesystem::path& file) {
  ModelSource source{.kind = ModelSource::Kind::checkpoint,
                     .label = cat(file.string(), " (step ", info.step, ")"),
                     .file = file};
  source.settings.read_toml(info.config, file.string() + ": its recipe");
  return source;
}

ModelSource from_folder(const std::filesystem::path& folder) {
  const auto newest = load_latest_checkpoint(folder, [](const std::string& line) { warn(line); });
  check(newest.has_value(), "--model ", folder.string(), ": the folder has no checkpoint");
  return from_checkpoint(newest->info, newest->file.path());
}

ModelSource from_graph(std::unique_ptr<Graph> graph, const std::filesystem::path& file) {
  ModelSource source{.kind = ModelSource::Kind::graph,
                     .label = cat(file.string(), " (graph ", graph->name(), ")"),
                     .file = file};
  source.graph = std::move(graph);
  return source;
}

std::string read_text(const std::filesystem::path& file) {
  check(std::filesystem::file_size(file) <= kMaxTextBytes, file.string(), ": ",
        std::filesystem::file_size(file), " bytes are too many for a graph in text form (limit ",
        kMaxTextBytes, ")");
  std::ifstream in(file, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  check(!in.bad(), file.string(), ": cannot be read");
  return text;
}

ModelSource from_text(const std::filesystem::path& file) {
  const std::string text = read_text(file);
  check(text.find('\0') == std::string::npos, file.string(),
        ": neither a checkpoint (.safetensors, .pth), a saved graph nor a graph in text form");
  try {
    return from_graph(parse(text), file);
  } catch (const Error& error) {
    throw Error(cat(file.string(), ": as a graph in text form: ", error.what()));
  }
}

void set_architecture(Settings& settings, const NamedModel& model, const std::string& where) {
  const ModelConfig& c = model.config;
  const bool lgi = c.encoder == Encoder::local_global;
  const auto set = [&](const char* key, const auto& value) {
    settings.set(key, cat(value), where);
  };
  set("model.name",
      cat(lgi ? "mae-dfer-" : "videomae-", model.classifier ? "classifier" : "pretrain"));
  set("model.embed_dim", c.embed_dim);
  set("model.heads", c.heads);
  set("model.encoder_depth", c.depth);
  set("model.mlp_ratio", c.mlp_ratio);
  set("model.tubelet", c.tubelet);
  set("model.patch", c.patch);
  if (lgi) {
    set("model.region", cat(c.region[0], ",", c.region[1], ",", c.region[2]));
    set("model.first_attn_type", c.first_cross ? "cross" : "self");
    set("model.third_attn_type", c.third_self ? "self" : "cross");
    set("model.no_second", c.no_second ? "true" : "false");
    set("model.no_third", c.no_third ? "true" : "false");
  }
  if (model.classifier) {
    set("model.classes", c.classes);
    return;
  }
  set("model.decoder_dim", c.decoder_dim);
  set("model.decoder_heads", c.decoder_heads);
  set("model.decoder_depth", c.decoder_depth);
}

// What shapes do not tell, where the file keeps the settings of the authors' program.
void set_from_arguments(Settings& settings, const Metadata& values, const std::string& where) {
  const std::pair<const char*, const char*> known[] = {
      {"model.region", "args.lg_region_size"},
      {"model.image", "args.input_size"},
      {"data.sampling_rate", "args.sampling_rate"},
      {"model.classify_token", "args.lg_classify_token_type"},
      {"model.frames", "args.num_frames"},
      {"model.share_first_third", "args.lg_attn_param_sharing_first_third"},
      {"model.share_all", "args.lg_attn_param_sharing_all"},
      {"mask.type", "args.mask_type"},
      {"mask.ratio", "args.mask_ratio"},
      {"mask.window", "args.part_win_size"},
      {"target.normalise", "args.normlize_target"},
      {"target.frame_diff", "args.use_frame_diff_as_target"},
      {"target.group_size", "args.frame_diff_group_size"},
      {"target.diff_weight", "args.target_diff_weight"}};
  for (const auto& [key, argument] : known) {
    const auto found = values.find(argument);
    if (found == values.end() || found->second == "None") continue;
    std::string text = found->second;
    std::erase_if(text, [](char c) { return c == '[' || c == ']'; });
    try {
      settings.set(key, text, cat(where, ": ", argument));
    } catch (const Error& error) {
      // How it was pre-trained may be unknown here; what it is may not.
      if (std::string_view(key).starts_with("model.")) throw;
      warn(cat(error.what(), "; left as ",
               value_to_toml(get_value(find_key(key, where), Recipe()))));
    }
  }
}

ModelSource from_weights(const std::filesystem::path& file) {
  const Weights weights = open_weights(file);
  const std::string where = file.string();
  const Metadata& values = weights.metadata();
  const auto format = values.find("format");
  const bool is_own = format != values.end() && format->second == "grimace-checkpoint";
  if (is_own && !weights.is_pth()) return from_checkpoint(load_checkpoint(file).info, file);
  ModelSource source{.kind = ModelSource::Kind::checkpoint,
                     .label = cat(where, " (", weights.description(), ")"),
                     .file = file};
  if (const auto config = values.find("config"); is_own && config != values.end()) {
    source.settings.read_toml(config->second, where + ": its recipe");
    return source;
  }
  const std::optional<NamedModel> model = recognise_model(named_types(weights));
  check(model.has_value(), where, ": its ", weights.names().size(),
        " tensors are not those of a model that is known here; the first is ",
        weights.names().empty() ? "none" : quoted_name(weights.names().front()));
  set_architecture(source.settings, *model, where);
  set_from_arguments(source.settings, values, where);
  return source;
}

ModelSource from_file(const std::filesystem::path& file) {
  check(std::filesystem::is_regular_file(file), "--model ", file.string(), ": not a regular file");
  check(file.extension() != ".toml", "--model ", file.string(),
        ": a recipe is given with --config, not --model");
  if (is_weights_file(file)) return from_weights(file);
  std::ifstream in(file, std::ios::binary);
  check(in.good(), file.string(), ": cannot be opened for reading");
  std::array<char, 8> head{};
  in.read(head.data(), head.size());
  if (std::string_view(head.data(), head.size()) == "GRMGRAPH")
    return from_graph(load_graph(file), file);
  return from_text(file);
}

std::string hint(const std::string& model, const std::vector<std::string>& names) {
  const std::string near = suggestion(model, names);
  if (!near.empty()) return "did you mean \"" + near + "\"?";
  std::string known;
  for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
  return "known are " + known;
}

}  // namespace

ModelSource open_model_source(const std::string& model) {
  const std::vector<std::string> names = model_names();
  if (std::ranges::find(names, model) != names.end()) {
    ModelSource source{.label = model};
    source.settings.set("model.name", model, "--model");
    return source;
  }
  std::error_code failed;
  const std::filesystem::path path(model);
  if (std::filesystem::is_directory(path, failed)) return from_folder(path);
  if (!model.empty() && std::filesystem::exists(path, failed)) return from_file(path);
  throw Error(cat("--model \"", model.substr(0, 200),
                  "\": no such file or folder, and no model of that name; ", hint(model, names)));
}

Recipe ModelSource::recipe(const std::string& config, const std::vector<std::string>& pairs) const {
  check(
      kind != Kind::graph, label,
      ": a graph file has no recipe; --config, --set, --batch-size and --train are for models and "
      "checkpoints");
  Settings all = settings;
  if (!config.empty()) all.read_toml_file(config);
  if (kind == Kind::name) all.set("model.name", label, "--model");
  for (const std::string& pair : pairs) all.set_pair(pair);
  const ResolvedRecipe resolved = all.resolve();
  for (const std::string& warning : resolved.warnings) warn(warning);
  validate(resolved.recipe);
  return resolved.recipe;
}

std::vector<NamedType> named_types(const Weights& weights) {
  std::vector<NamedType> types;
  for (const std::string& name : weights.names()) types.push_back({name, weights.type(name)});
  return types;
}

LoadReport load_parameters(Executable& executable, const NamedModel& model, const Weights& weights,
                           LoadRule rule) {
  const std::string where = weights.path().string();
  const std::vector<ParamSpec> specs =
      model.classifier ? classifier_parameters(model.config) : pretrain_parameters(model.config);
  const std::vector<NamedType> found = named_types(weights);
  LoadReport report = match_weights(specs, found);
  require_fit(report, rule, found, model, where);
  std::map<std::string_view, std::string_view> file_names(report.matched.begin(),
                                                          report.matched.end());
  for (const ParamSpec& spec : specs) {
    const auto name = file_names.find(spec.name);
    if (name == file_names.end()) continue;
    const Tensor value = weights.tensor(name->second);
    if (spec.alias_of.empty()) {
      executable.write(spec.name, value.view());
      continue;
    }
    const Tensor shared = weights.tensor(file_names.at(spec.alias_of));
    check(value.bytes() == shared.bytes() &&
              std::memcmp(value.data(), shared.data(), static_cast<size_t>(value.bytes())) == 0,
          where, ": ", spec.name, " and ", spec.alias_of,
          " differ, but this model shares them; set model.share_all and model.share_first_third as "
          "the file was trained");
  }
  return report;
}

void load_trained(Executable& executable, const NamedModel& model, const Weights& weights,
                  std::optional<bool> ema) {
  load_parameters(executable, model, weights, LoadRule::all);
  for (const Value& param : executable.graph().inputs(Role::param)) {
    std::string name = state_tensor(average_of(param.name()));
    if (!weights.contains(name)) name = authors_average(param.name());
    check(weights.contains(name) || !ema.value_or(false), weights.path().string(),
          ": keeps no averaged parameters; train with --model-ema, or leave --ema out");
    if (weights.contains(name) && ema.value_or(true))
      executable.write(param.name(), weights.tensor(name).view());
  }
}

}  // namespace grimace
