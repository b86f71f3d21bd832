// grimace embed: features of clips, as numbers and as a picture.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "runtime/atomic_file.h"
#include "runtime/log.h"
#include "tools/commands.h"
#include "tools/count_progress.h"
#include "tools/embedder.h"
#include "tools/embedding_files.h"
#include "tools/finetune_data.h"
#include "tools/run_on.h"

namespace grimace {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::vector<std::string> inputs;
  std::string model;
  std::string out;
  std::string csv;
  std::string picture;
  std::string projection = "tsne";
  std::string root;
  RunOn on = {};
  std::vector<std::string> pairs;
  int64_t batch_size = 8;
};

bool is_list(const fs::path& path) {
  return path.extension() == ".csv" || path.extension() == ".txt";
}

// Lists give their clips, anything else is a clip.
ListFile clips_of(const Options& options) {
  ListOptions reading{.append_mp4 = false};
  if (!options.root.empty()) reading.root = options.root;
  if (options.inputs.size() == 1 && is_list(options.inputs[0]))
    return read_list(options.inputs[0], reading);
  ListFile all{"the clips given", {}};
  const auto add = [&](fs::path path, std::optional<std::string> label) {
    all.entries.push_back({std::move(path), std::move(label), std::ssize(all.entries) + 1});
  };
  for (const fs::path input : options.inputs) {
    if (is_list(input))
      for (ListEntry& entry : read_list(input, reading).entries)
        add(std::move(entry.path), std::move(entry.label));
    else
      add(input, std::nullopt);
  }
  return all;
}

// A class number under the model's name for it, anything else as it is.
std::string label_text(const std::optional<std::string>& label,
                       const std::vector<std::string>& classes) {
  if (!label) return "";
  for (size_t c = 0; c < classes.size(); ++c)
    if (*label == std::to_string(c)) return classes[c];
  return *label;
}

void write_file(const fs::path& path, const std::string& bytes) {
  write_text(path, bytes);
  inform("wrote " + path.string());
}

Recipe recipe_of(const Options& options, const ModelSource& source) {
  std::vector<std::string> pairs{cat("optim.batch_size=", options.batch_size)};
  pairs.insert(pairs.end(), options.pairs.begin(), options.pairs.end());
  Recipe recipe = source.recipe("", pairs);
  recipe.data.max_bad = 1.0;
  recipe.data.test_num_crop = 1;  // frames are square: all crops are one
  return recipe;
}

void write_picture(const Options& options, const Embedder::Result& result,
                   const std::vector<std::string>& labels) {
  const bool tsne = options.projection == "tsne";
  const auto points = tsne ? project_tsne(result.features) : project_pca(result.features);
  write_png(options.picture,
            scatter_picture(points, labels,
                            cat(tsne ? "t-SNE" : "PCA", " of ", points.size(), " clips")));
  inform("wrote " + options.picture);
}

int run(const Options& options) {
  const ModelSource source = open_model_source(options.model);
  check(source.kind == ModelSource::Kind::checkpoint, "embed needs trained weights: '",
        options.model, "' is not a run folder or a checkpoint");
  const Recipe recipe = recipe_of(options, source);
  LabelledClips clips{.list = clips_of(options), .labels = {}, .classes = {}, .unlabelled = 0};
  const auto count = std::ssize(clips.list.entries);
  clips.labels.resize(static_cast<size_t>(count));  // text is kept instead of numbers
  check(options.picture.empty() || options.projection != "tsne" || count <= kMostTsnePoints, count,
        " clips are too many for t-SNE, which is exact here and takes at most ", kMostTsnePoints,
        "; --projection pca takes any number");
  Embedder embedder(source, recipe, options.on.backend, options.on.options());
  const auto dataset = views(recipe, std::move(clips), Views::test);
  CountProgress progress("embedding", dataset->view_count());
  const auto result = embedder.embed(*dataset, [&](int64_t done) { progress.update(done); });
  std::vector<std::string> paths, labels;
  for (const int64_t clip : result.clips) {
    const ListEntry& entry = dataset->clips().list.entries[static_cast<size_t>(clip)];
    paths.push_back(entry.path.string());
    labels.push_back(label_text(entry.label, recipe.data.classes));
  }
  std::printf("%s: %zu clips, %lld features each: %s\n", source.label.c_str(), paths.size(),
              static_cast<long long>(result.features.shape()[1]), embedder.feature().c_str());
  write_file(options.out, npy_bytes(result.features));
  if (!options.csv.empty()) write_file(options.csv, features_csv(paths, labels, result.features));
  if (!options.picture.empty()) write_picture(options, result, labels);
  return std::ssize(paths) == count ? kDone : kFailed;
}

}  // namespace

void add_embed(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("embed", "Write the features of clips, and a picture of how they lie");
  command->add_option("clips", options->inputs, "videos, folders of frames, lists (.csv, .txt)")
      ->required()
      ->type_name("FILE|LIST ...");
  command
      ->add_option("--model", options->model,
                   "classifier or pre-training model: run folder, checkpoint, .safetensors, .pth")
      ->required();
  command->add_option("--out", options->out, "features, f32 [clips,width]")
      ->required()
      ->type_name("NPY");
  command->add_option("--csv", options->csv, "path, label and features")->type_name("FILE");
  command->add_option("--picture", options->picture, "the clips in two dimensions, by label")
      ->type_name("PNG");
  command->add_option("--projection", options->projection, "of the picture: tsne or pca")
      ->check(CLI::IsMember({"tsne", "pca"}))
      ->capture_default_str();
  command->add_option("--root", options->root, "where relative paths start (default: at the list)")
      ->type_name("DIR");
  command->add_option("--set", options->pairs, "override a recipe key: data.test_num_segment=4")
      ->allow_extra_args(false);
  command->add_option("--batch-size", options->batch_size, "views computed at once")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  add_run_on(*command, options->on);
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace grimace
