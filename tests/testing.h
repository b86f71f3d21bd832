// What every test program shares: where the repository and the optional shared data are, and a
// scratch folder that goes away with the test.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace grimace::testing {

// GRIMACE_SOURCE_DIR in the environment names it where a test runs on another machine.
std::filesystem::path repository_dir();
// ../shared beside the checkout; nothing where it is absent (skip loudly then).
std::optional<std::filesystem::path> shared_dir();

class ScratchDir {
 public:
  ScratchDir();
  ~ScratchDir();
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace grimace::testing
