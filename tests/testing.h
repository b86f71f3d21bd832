// What every test program shares: where the repository and the optional shared data are, a scratch
// folder that goes away with the test, the text of a file, and the message of an error.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ir/error.h"

namespace grimace::testing {

// GRIMACE_SOURCE_DIR in the environment names it where a test runs on another machine.
std::filesystem::path repository_dir();
// ../shared beside the checkout; nothing where it is absent (skip loudly then).
std::optional<std::filesystem::path> shared_dir();

// All bytes of a file, which must be there: two absent files would be equal.
std::string file_text(const std::filesystem::path& path);

// What stands between the spaces of a command line.
std::vector<std::string> words_of(const std::string& line);

// The message of the error of this kind that the action ends with, "no error" where it ends well.
template <typename Kind = Error, typename Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const Kind& error) {
    return error.what();
  }
  return "no error";
}

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
