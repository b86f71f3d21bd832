// Checkpoints of a training run: files checkpoint-<step>.safetensors in its folder, holding the
// model under its published names, the optimizer and the run's state, with checksums. A crash at
// any moment leaves the older ones as they were.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/safetensors.h"

namespace grimace {

struct CheckpointInfo {
  int64_t step = 0;      // optimizer steps done
  int64_t epoch = 0;     // epoch of the next step, counted from 0
  std::string config{};  // the effective configuration as TOML
  Metadata extra{};      // anything else, as strings (architecture, seed, ...)
};

// Names of what is not a model parameter: "optimizer.exp_avg.<param>", "state.<name>", and in the
// authors' files the moving average "model_ema.<param>" (spec 10.1).
std::string optimizer_tensor(std::string_view kind, std::string_view param);
std::string state_tensor(std::string_view name);
std::string authors_average(std::string_view param);
bool is_model_tensor(std::string_view name);

// The parameters of the best epoch in a run folder, for evaluation.
inline constexpr const char* kBestCheckpoint = "checkpoint-best.safetensors";

struct Checkpoint {
  CheckpointInfo info;
  SafetensorsFile file;  // verified; tensors are read on demand

  std::vector<std::string> model_names() const;  // in file order
};

// Error when the file is damaged, is no checkpoint of ours, or of a newer version.
Checkpoint load_checkpoint(const std::filesystem::path& file);

struct CheckpointFile {
  int64_t step = 0;
  std::filesystem::path path;
};
// By name alone, the latest step last. Error when the folder cannot be read; none if it is absent.
std::vector<CheckpointFile> list_checkpoints(const std::filesystem::path& dir);

// The highest step that is intact. A damaged one is passed over, and `warn` gets one line naming
// it and the reason. Nothing when there are no checkpoints; Error when there are, all damaged.
std::optional<Checkpoint> load_latest_checkpoint(
    const std::filesystem::path& dir, const std::function<void(const std::string&)>& warn);

// Writes the file whole or not at all; RunError when that fails.
void write_checkpoint(const std::filesystem::path& file, const CheckpointInfo& info,
                      std::span<const NamedView> tensors);

// The same under its usual name. Returns the path once it is durable (RunError when that fails),
// then deletes all but the newest `keep_last` of this run's checkpoints up to this step; 0 keeps
// all. Later steps, and files that this program did not write, are never deleted.
std::filesystem::path save_checkpoint(const std::filesystem::path& dir, const CheckpointInfo& info,
                                      std::span<const NamedView> tensors, int64_t keep_last);

// Deletes what interrupted writes left behind; call it before a run starts. Returns how many.
int64_t remove_interrupted_writes(const std::filesystem::path& dir);

}  // namespace grimace
