// grimace convert: a checkpoint in another format, with every tensor in it.
#include <CLI/CLI.hpp>

#include "runtime/atomic_file.h"
#include "runtime/log.h"
#include "runtime/schedule.h"
#include "runtime/weights.h"
#include "tools/commands.h"
#include "tools/recipe.h"

namespace grimace {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string in;
  std::string out;
  std::string only = "all";
};

using Save = void (*)(const fs::path&, std::span<const NamedView>, const Metadata&);

// PyTorch keeps the optimizer's settings beside its moments; a checkpoint of ours knows them.
PthOptimizer optimizer_settings(const Metadata& metadata) {
  const auto format = metadata.find("format"), config = metadata.find("config");
  const bool own = format != metadata.end() && format->second == "grimace-checkpoint";
  if (!own || config == metadata.end()) return {};
  const Recipe::Optim o = recipe_from_toml(config->second, "the checkpoint's recipe").optim;
  return {.lr = scaled_lr(o.lr, o.batch_size * o.accumulate),
          .beta1 = o.betas[0],
          .beta2 = o.betas[1],
          .eps = o.eps,
          .weight_decay = o.weight_decay,
          .layer_decay = o.layer_decay};
}

void save_for_pytorch(const fs::path& out, std::span<const NamedView> tensors,
                      const Metadata& metadata) {
  save_pth(out, tensors, metadata, optimizer_settings(metadata));
}

Save writer_for(const fs::path& out) {
  if (out.extension() == ".safetensors") return save_safetensors;
  if (out.extension() == ".pth" || out.extension() == ".pt") return save_for_pytorch;
  throw Error(cat("cannot tell the format of ", out.string(),
                  " from its name; expected .safetensors, .pth or .pt"));
}

int run(const Options& options) {
  const fs::path out = options.out;
  const Save save = writer_for(out);
  std::error_code ignored;
  check(!fs::equivalent(options.in, out, ignored), options.out,
        ": is the file to read as well; choose another name");
  const Weights weights = open_weights(options.in);
  const std::vector<std::string>& names =
      options.only == "model" ? weights.names() : weights.all_names();
  std::vector<Tensor> tensors;
  std::vector<NamedView> views;
  int64_t bytes = 0;
  for (const std::string& name : names) {
    check(name != "__metadata__", weights.path().string(), ": a tensor cannot be called ", name);
    tensors.push_back(weights.tensor(name));
    views.push_back({name, tensors.back().view()});
    bytes += tensors.back().bytes();
  }
  require_free_space(out, bytes);
  Metadata metadata = weights.metadata();
  for (const char* reserved : {"crc32", "header_crc32"}) metadata.erase(reserved);
  save(out, views, metadata);
  inform(cat("wrote ", options.out, ": ", names.size(), " tensors, ", mebibytes(bytes), ", from ",
             weights.path().string(), " (", weights.description(), ")"));
  return 0;
}

}  // namespace

void add_convert(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("convert", "Write a checkpoint as .safetensors or as PyTorch's .pth");
  command->add_option("in", options->in, "checkpoint, .safetensors or .pth file, or run folder")
      ->required();
  command->add_option("out", options->out, "file to write; its name tells the format")->required();
  command->add_option("--only", options->only, "all, or model: without optimizer and run state")
      ->check(CLI::IsMember({"all", "model"}))
      ->capture_default_str();
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace grimace
