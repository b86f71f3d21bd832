// Checkpoint files: names and metadata on top of safetensors, and which of them may be deleted.
#include "runtime/checkpoint.h"

#include <algorithm>
#include <charconv>

#include "runtime/atomic_file.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

constexpr std::string_view kPrefix = "checkpoint-";
constexpr std::string_view kSuffix = ".safetensors";
constexpr std::string_view kOptimizer = "optimizer.";
constexpr std::string_view kState = "state.";
constexpr std::string_view kAuthorsAverage = "model_ema.";

// Metadata keys of a checkpoint; all others are CheckpointInfo::extra.
constexpr std::string_view kFormat = "format";
constexpr std::string_view kFormatName = "grimace-checkpoint";
constexpr std::string_view kVersion = "format_version";
constexpr int64_t kNewestVersion = 1;
constexpr std::string_view kStep = "step";
constexpr std::string_view kEpoch = "epoch";
constexpr std::string_view kConfig = "config";

// The whole of `text` as a number >= 0 written the one usual way.
std::optional<int64_t> number(std::string_view text) {
  int64_t value = -1;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || value < 0 || std::to_string(value) != text) return std::nullopt;
  return value;
}

std::optional<int64_t> step_of(std::string_view name, std::string_view suffix) {
  if (!name.starts_with(kPrefix) || !name.ends_with(suffix)) return std::nullopt;
  if (name.size() < kPrefix.size() + suffix.size()) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  name.remove_suffix(suffix.size());
  return number(name);
}

int64_t numeric_metadata(const SafetensorsFile& file, std::string_view key) {
  const std::optional<int64_t> value = number(file.metadata(key));
  check(value.has_value(), file.path().string(), ": metadata entry ", key,
        " must be a whole number; got ", quoted_name(file.metadata(key)));
  return *value;
}

bool is_checkpoint(const SafetensorsFile& file) {
  return file.has_checksums() && file.has_metadata(kFormat) &&
         file.metadata(kFormat) == kFormatName;
}

// Whether this program wrote it, so that it may delete it. A damaged header proves nothing.
bool is_ours(const fs::path& path) {
  try {
    return is_checkpoint(SafetensorsFile(path));
  } catch (const std::runtime_error&) {
    return false;
  }
}

// Regular files of the folder named checkpoint-<step><suffix>, the latest step last.
std::vector<CheckpointFile> files_named(const fs::path& dir, std::string_view suffix) {
  std::vector<CheckpointFile> found;
  std::error_code code;
  if (!fs::exists(dir, code)) return found;
  for (fs::directory_iterator it(dir, code), end; !code && it != end; it.increment(code)) {
    const std::optional<int64_t> step = step_of(it->path().filename().string(), suffix);
    std::error_code ignored;
    if (step && it->is_regular_file(ignored)) found.push_back({*step, it->path()});
  }
  check(!code, "cannot read the folder ", dir.string(), ": ", code.message());
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.step < b.step; });
  return found;
}

void delete_older(const fs::path& dir, int64_t newest_step, int64_t keep_last) {
  std::vector<CheckpointFile> files = list_checkpoints(dir);
  int64_t kept = 0;
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    if (file->step > newest_step || !is_ours(file->path)) continue;
    std::error_code ignored;  // what cannot be deleted stays; the next save tries again
    if (++kept > keep_last) fs::remove(file->path, ignored);
  }
}

}  // namespace

std::string optimizer_tensor(std::string_view kind, std::string_view param) {
  return cat(kOptimizer, kind, ".", param);
}

std::string state_tensor(std::string_view name) {
  return cat(kState, name);
}

std::string authors_average(std::string_view param) {
  return cat(kAuthorsAverage, param);
}

bool is_model_tensor(std::string_view name) {
  return !name.starts_with(kOptimizer) && !name.starts_with(kState) &&
         !name.starts_with(kAuthorsAverage);
}

std::vector<std::string> Checkpoint::model_names() const {
  std::vector<std::string> names;
  std::copy_if(file.names().begin(), file.names().end(), std::back_inserter(names),
               is_model_tensor);
  return names;
}

Checkpoint load_checkpoint(const fs::path& path) {
  SafetensorsFile file(path);
  check(is_checkpoint(file), path.string(),
        ": is not a checkpoint of a training run; choose a file checkpoint-<step>.safetensors");
  const int64_t version = numeric_metadata(file, kVersion);
  check(version == kNewestVersion, path.string(), ": has checkpoint format version ", version,
        ", this program reads ", kNewestVersion, "; use the program that wrote it");
  file.verify();
  CheckpointInfo info{.step = numeric_metadata(file, kStep),
                      .epoch = numeric_metadata(file, kEpoch),
                      .config = file.metadata(kConfig),
                      .extra = file.all_metadata()};
  for (const std::string_view key : {kFormat, kVersion, kStep, kEpoch, kConfig})
    info.extra.erase(std::string(key));
  return {std::move(info), std::move(file)};
}

std::vector<CheckpointFile> list_checkpoints(const fs::path& dir) {
  return files_named(dir, kSuffix);
}

std::optional<Checkpoint> load_latest_checkpoint(
    const fs::path& dir, const std::function<void(const std::string&)>& warn) {
  const std::vector<CheckpointFile> files = list_checkpoints(dir);
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    try {
      return load_checkpoint(file->path);
    } catch (const std::runtime_error& error) {
      warn(cat("passing over a checkpoint that cannot be used: ", error.what()));
    }
  }
  check(files.empty(), "none of the ", files.size(), " checkpoints in ", dir.string(),
        " can be used; move them away to start anew, or restore one from a copy");
  return std::nullopt;
}

void write_checkpoint(const fs::path& file, const CheckpointInfo& info,
                      std::span<const NamedView> tensors) {
  Metadata metadata = info.extra;
  metadata.insert_or_assign(std::string(kFormat), kFormatName);
  metadata.insert_or_assign(std::string(kVersion), std::to_string(kNewestVersion));
  metadata.insert_or_assign(std::string(kStep), std::to_string(info.step));
  metadata.insert_or_assign(std::string(kEpoch), std::to_string(info.epoch));
  metadata.insert_or_assign(std::string(kConfig), info.config);
  save_safetensors(file, tensors, metadata);
}

fs::path save_checkpoint(const fs::path& dir, const CheckpointInfo& info,
                         std::span<const NamedView> tensors, int64_t keep_last) {
  fs::path path = dir / cat(kPrefix, info.step, kSuffix);
  write_checkpoint(path, info, tensors);
  if (keep_last > 0) delete_older(dir, info.step, keep_last);
  return path;
}

int64_t remove_interrupted_writes(const fs::path& dir) {
  int64_t removed = 0;
  const auto remove = [&](const fs::path& file) {
    std::error_code ignored;
    removed += fs::remove(file, ignored) ? 1 : 0;
  };
  for (const CheckpointFile& file : files_named(dir, cat(kSuffix, kPartialSuffix)))
    remove(file.path);
  const fs::path best = dir / cat(kBestCheckpoint, kPartialSuffix);
  std::error_code ignored;
  if (fs::is_regular_file(fs::symlink_status(best, ignored))) remove(best);
  return removed;
}

}  // namespace grimace
