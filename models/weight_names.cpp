#include "models/weight_names.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "ir/error.h"

namespace grimace {
namespace {

constexpr int64_t kHeadWidth = 64;  // of every published model

std::string_view without_prefix(std::string_view name) {
  for (const std::string_view prefix : {"backbone.", "encoder."})
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  return name;
}

std::string list(const std::vector<std::string>& names) {
  constexpr size_t kShown = 3;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i)
    text += (i == 0 ? "" : ", ") + names[i].substr(0, 80);
  return text + (names.size() > kShown ? ", ..." : "");
}

// Names -> shapes, and questions about them under a prefix.
class Shapes {
 public:
  explicit Shapes(std::span<const NamedType> found) {
    for (const NamedType& tensor : found) {
      std::string_view name = tensor.name;
      if (name.starts_with("backbone.")) name = without_prefix(name);
      shapes_.emplace(name, tensor.type.shape);
    }
  }
  bool has(const std::string& name) const { return shapes_.contains(name); }
  // Zero when there is no such tensor or axis.
  int64_t dim(const std::string& name, int axis) const {
    const auto found = shapes_.find(name);
    return found == shapes_.end() || axis >= found->second.rank() ? 0 : found->second[axis];
  }
  int64_t blocks(const std::string& prefix) const {
    int64_t count = 0;
    while (has(cat(prefix, "blocks.", count, ".norm2.weight"))) ++count;
    return count;
  }

 private:
  std::map<std::string, Shape, std::less<>> shapes_;
};

// What the first block shows of the options of spec 2.8.
void read_lgi_options(const Shapes& shapes, const std::string& encoder, ModelConfig& config) {
  const auto has = [&](const char* name) { return shapes.has(encoder + "blocks.0." + name); };
  config.first_cross = has("first_attn_norm1.weight");
  config.no_second = !has("second_attn.q.weight");
  config.no_third = !has("third_attn.q.weight");
  config.third_self = !config.no_third && !has("third_attn_norm1.weight");
  if (shapes.dim(encoder + "lg_region_tokens", 0) == 20) config.region = {2, 2, 10};
}

std::string blocks(int64_t width, int64_t count) {
  return cat("width ", width, ", ", count, count == 1 ? " block" : " blocks");
}

bool may_be_missing(std::string_view param) {
  return param.starts_with("fc_norm.") || param.starts_with("head.");
}

}  // namespace

LoadReport match_weights(std::span<const ParamSpec> wanted, std::span<const NamedType> found) {
  std::set<std::string_view> params;
  for (const ParamSpec& spec : wanted) params.insert(spec.name);
  std::map<std::string_view, const NamedType*> by_name;
  LoadReport report;
  for (const NamedType& tensor : found) {
    const bool as_it_stands = params.contains(tensor.name);
    const std::string_view name = as_it_stands ? tensor.name : without_prefix(tensor.name);
    const NamedType* left_over = &tensor;
    // A name that stands as it is goes before one that lost its prefix.
    if (params.contains(name)) {
      const NamedType*& chosen = by_name[name];
      if (chosen == nullptr || as_it_stands) std::swap(chosen, left_over);
    }
    if (left_over != nullptr) report.unexpected.push_back(left_over->name);
  }
  for (const ParamSpec& spec : wanted) {
    const auto tensor = by_name.find(spec.name);
    if (tensor == by_name.end())
      report.missing.push_back(spec.name);
    else if (tensor->second->type.shape == spec.shape)
      report.matched.emplace_back(spec.name, tensor->second->name);
    else
      report.mismatched.push_back({spec.name, spec.shape, tensor->second->type.shape});
  }
  return report;
}

std::string to_string(const LoadReport& report) {
  const size_t all = report.matched.size() + report.missing.size() + report.mismatched.size();
  std::string text = cat(report.matched.size(), " of ", all, " parameters");
  if (!report.missing.empty())
    text += cat("; not in the file: ", report.missing.size(), " (", list(report.missing), ")");
  if (!report.unexpected.empty())
    text += cat("; not used: ", report.unexpected.size(), " (", list(report.unexpected), ")");
  if (!report.mismatched.empty()) {
    const LoadReport::Mismatch& first = report.mismatched.front();
    text += cat("; of another shape: ", report.mismatched.size(), " (", first.param, " is ",
                first.found, " in the file, ", first.wanted, " in the model)");
  }
  return text;
}

std::optional<NamedModel> recognise_model(std::span<const NamedType> found) {
  const Shapes shapes(found);
  NamedModel model;
  model.classifier = !shapes.has("mask_token");
  const std::string encoder =
      model.classifier && !shapes.has("encoder.patch_embed.proj.weight") ? "" : "encoder.";
  ModelConfig& config = model.config;
  const std::string cubes = encoder + "patch_embed.proj.weight";
  config.embed_dim = shapes.dim(cubes, 0);
  config.tubelet = shapes.dim(cubes, 2);
  config.patch = shapes.dim(cubes, 3);
  config.depth = shapes.blocks(encoder);
  if (config.embed_dim == 0 || config.tubelet == 0 || config.patch == 0 || config.depth == 0)
    return std::nullopt;
  config.heads = std::max<int64_t>(1, config.embed_dim / kHeadWidth);
  config.mlp_ratio = static_cast<double>(shapes.dim(encoder + "blocks.0.mlp.fc1.weight", 0)) /
                     static_cast<double>(config.embed_dim);
  const bool lgi = shapes.has(encoder + "lg_region_tokens");
  config.encoder = lgi ? Encoder::local_global : Encoder::joint;
  if (lgi) read_lgi_options(shapes, encoder, config);
  if (model.classifier) {
    config.classes = shapes.dim("head.weight", 0);
  } else {
    config.decoder_dim = shapes.dim("decoder.norm.weight", 0);
    config.decoder_heads = std::max<int64_t>(1, config.decoder_dim / kHeadWidth);
    config.decoder_depth = shapes.blocks("decoder.");
  }
  return model;
}

std::string describe(const NamedModel& model) {
  const ModelConfig& c = model.config;
  const bool lgi = c.encoder == Encoder::local_global;
  std::string text =
      cat(lgi ? "LGI-Former " : "ViT ", model.classifier ? "classifier, " : "pre-training model, ",
          blocks(c.embed_dim, c.depth));
  if (lgi) {
    if (c.first_cross) text += ", first stage cross";
    if (c.no_second) text += ", no second stage";
    if (c.no_third) text += ", no third stage";
    if (c.third_self) text += ", third stage self";
  }
  return text + (model.classifier ? cat(", ", c.classes, " classes")
                                  : cat(", decoder ", blocks(c.decoder_dim, c.decoder_depth)));
}

void require_fit(const LoadReport& report, LoadRule rule, std::span<const NamedType> found,
                 const NamedModel& wanted, const std::string& where) {
  const auto allowed = [&](std::string_view param) {
    return rule == LoadRule::encoder && may_be_missing(param);
  };
  const bool fits = !report.matched.empty() && std::ranges::all_of(report.missing, allowed) &&
                    std::ranges::all_of(report.mismatched, allowed, &LoadReport::Mismatch::param);
  if (fits) return;
  const std::optional<NamedModel> other = recognise_model(found);
  throw Error(cat(where, ": holds ", other ? describe(*other) : "no model that is known here",
                  "; wanted is ", describe(wanted), "; it would fill ", to_string(report)));
}

}  // namespace grimace
