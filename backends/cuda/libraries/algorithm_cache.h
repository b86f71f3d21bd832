// Which algorithm was fastest for which product, remembered from run to run, so that a product is
// timed once per machine and a resumed run computes with the algorithms that it began with. No CUDA
// in here: an algorithm is 64 opaque bytes, which their reader checks before use.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace grimace::cuda {

// Whose choices a file holds; another device, driver or library has a file of its own.
struct AlgorithmOwner {
  std::string device;  // "NVIDIA H200"
  int64_t driver = 0, library = 0;
  bool operator==(const AlgorithmOwner&) const = default;
};

class AlgorithmCache {
 public:
  using Algorithm = std::array<std::byte, 64>;

  // With the choices in the owner's file below `folder`, if there is one. A file that is not what
  // save() writes is ignored with a warning. No folder: nothing is read or written.
  AlgorithmCache(const std::filesystem::path& folder, AlgorithmOwner owner);

  // $GRIMACE_CACHE, or grimace in $XDG_CACHE_HOME, or ~/.cache/grimace; none where not even HOME is
  // known.
  static std::filesystem::path default_folder();

  const std::filesystem::path& file() const { return file_; }
  std::optional<Algorithm> find(const std::string& key) const;
  void remember(const std::string& key, const Algorithm& algorithm);
  // Writes the file when remember() changed something since the last time; what another process
  // has added meanwhile stays. A failure is a warning.
  void save();

 private:
  using Choices = std::map<std::string, Algorithm>;
  Choices read() const;

  AlgorithmOwner owner_;
  std::filesystem::path file_;
  mutable std::mutex mutex_;
  Choices choices_;
  bool changed_ = false;
};

}  // namespace grimace::cuda
