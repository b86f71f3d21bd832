#include "tools/model_source.h"

#include <algorithm>
#include <array>
#include <fstream>

#include "ir/serialize.h"
#include "ir/text.h"
#include "runtime/checkpoint.h"
#include "runtime/log.h"
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
        ": neither a checkpoint (.safetensors), a saved graph nor a graph in text form");
  try {
    return from_graph(parse(text), file);
  } catch (const Error& error) {
    throw Error(cat(file.string(), ": as a graph in text form: ", error.what()));
  }
}

// The start of a safetensors file: the length of its header, then the header's brace.
bool looks_like_safetensors(std::string_view head, uintmax_t file_size) {
  if (head.size() < 9 || head[8] != '{') return false;
  uint64_t length = 0;
  for (size_t i = 8; i-- > 0;) length = length << 8 | static_cast<unsigned char>(head[i]);
  return length < file_size;
}

ModelSource from_file(const std::filesystem::path& file) {
  check(std::filesystem::is_regular_file(file), "--model ", file.string(), ": not a regular file");
  check(file.extension() != ".toml", "--model ", file.string(),
        ": a recipe is given with --config, not --model");
  std::ifstream in(file, std::ios::binary);
  check(in.good(), file.string(), ": cannot be opened for reading");
  std::array<char, 9> head{};
  in.read(head.data(), head.size());
  const std::string_view start(head.data(), static_cast<size_t>(in.gcount()));
  if (start.starts_with("GRMGRAPH")) return from_graph(load_graph(file), file);
  if (file.extension() == ".safetensors" ||
      looks_like_safetensors(start, std::filesystem::file_size(file)))
    return from_checkpoint(load_checkpoint(file).info, file);
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

}  // namespace grimace
