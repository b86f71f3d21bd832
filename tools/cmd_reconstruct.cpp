// grimace reconstruct: what a trained autoencoder makes of a clip, as a PNG (spec 5.5).
#include <CLI/CLI.hpp>

#include "backends/backend.h"
#include "data/reconstruction_picture.h"
#include "ir/passes/passes.h"
#include "runtime/log.h"
#include "tools/commands.h"
#include "tools/model_source.h"
#include "tools/pretrain_data.h"
#include "tools/recipe_model.h"
#include "tools/run_on.h"

namespace grimace {
namespace {

struct Options {
  std::string model;
  std::string clip;
  std::string out = "reconstruction.png";
  RunOn on = {};
  std::vector<std::string> pairs;
  int columns = 5;
  uint64_t seed = 0;
};

ReconstructionOptions picture_options(const Recipe& recipe) {
  ReconstructionOptions options;
  options.patch = static_cast<int>(recipe.model.patch);
  options.normalised = recipe.target.normalise;
  options.frame_diff = recipe.target.frame_diff;
  options.diff_group_size = static_cast<int>(recipe.target.group_size);
  return options;
}

// The whole frame, of VoxCeleb2's its face box, from a start that the seed decides: the same
// picture every time.
Tensor load_video(const std::string& file, const Recipe& recipe, uint64_t seed) {
  ClipConfig config = clip_config(recipe, ListFile{.file = recipe.data.list, .entries = {}});
  config.voxceleb2 = config.voxceleb2 || names_voxceleb2(file);
  config.augment = false;
  config.num_samples = 1;
  const Shape shape{1, 3, config.frames, config.image_size, config.image_size};
  Tensor bytes(DType::u8, shape);
  PhiloxStream random(seed, stream_id("reconstruct"));
  load_clips(file, 1, config, random, bytes.as<uint8_t>());
  Tensor video(DType::f32, shape);
  normalise(bytes.as<uint8_t>(), shape.numel() / 3, video.as<float>());
  return video;
}

Tensor predict(const Options& options, const Recipe& recipe, const Weights& weights,
               const Tensor& video, const Tensor& mask) {
  auto graph = forward_graph(recipe, 1, false);
  run_passes(*graph, forward_passes());
  run_passes(*graph, training_passes());
  auto executable = make_backend(options.on.backend)->compile(*graph, options.on.options());
  load_parameters(*executable, {.config = model_config(recipe)}, weights, LoadRule::all);
  executable->write("video", video.view());
  executable->write("mask", mask.view());
  executable->run();
  return executable->read("pred").cast(DType::f32);
}

int run(const Options& options) {
  const ModelSource source = open_model_source(options.model);
  check(source.kind == ModelSource::Kind::checkpoint, "reconstruct needs trained weights: '",
        options.model, "' is not a run folder or a checkpoint");
  const Recipe recipe = source.recipe("", options.pairs);
  check(!is_classifier(recipe.model.name), source.file.string(),
        ": holds a classifier; reconstruct needs a pre-training model");
  const Tensor video = load_video(options.clip, recipe, options.seed);
  PhiloxStream random(options.seed, stream_id("mask"));
  const std::vector<uint8_t> drawn = MaskGenerator(mask_config(recipe)).draw(random);
  const Tensor mask = Tensor::from<uint8_t>({1, static_cast<int64_t>(drawn.size())}, drawn);
  const Tensor prediction = predict(options, recipe, open_weights(source.file), video, mask);
  const ReconstructionOptions picture = picture_options(recipe);
  const auto size = static_cast<int>(recipe.model.image);
  const auto frames = static_cast<int>(recipe.model.frames);
  const Reconstruction clip = reconstruct_clip(video.as<float>(), frames, size, size, drawn,
                                               prediction.as<float>(), picture);
  write_png(options.out,
            reconstruction_grid(clip, motion_frames(frames, options.columns, picture), picture));
  inform("wrote " + options.out);
  return 0;
}

}  // namespace

void add_reconstruct(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "reconstruct", "Picture of a clip: original, masked, reconstruction, motion");
  command
      ->add_option("--model", options->model, "run folder, checkpoint, .safetensors or .pth file")
      ->required();
  command->add_option("--clip", options->clip, "video, or folder of frames")->required();
  command->add_option("--out", options->out, "PNG to write")->capture_default_str();
  command->add_option("--set", options->pairs, "override a recipe key: mask.ratio=0.75");
  command->add_option("--columns", options->columns, "frames shown")
      ->check(CLI::Range(1, 16))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "of the mask")->capture_default_str();
  add_run_on(*command, options->on);
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace grimace
