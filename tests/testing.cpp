#include "tests/testing.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

namespace fs = std::filesystem;

namespace grimace::testing {

fs::path repository_dir() {
  const char* moved = std::getenv("GRIMACE_SOURCE_DIR");
  return moved != nullptr ? moved : GRIMACE_SOURCE_DIR;
}

std::optional<fs::path> shared_dir() {
  const fs::path dir = repository_dir() / ".." / "shared";
  if (!fs::is_directory(dir)) return std::nullopt;
  return fs::canonical(dir);
}

std::string file_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  check(in.is_open(), path.string(), " cannot be opened");
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  return {std::istream_iterator<std::string>(in), {}};
}

ScratchDir::ScratchDir() {
  std::string pattern = (fs::temp_directory_path() / "grimace-test-XXXXXX").string();
  internal_check(mkdtemp(pattern.data()) != nullptr, "cannot make a scratch folder ", pattern);
  path_ = pattern;
}

ScratchDir::~ScratchDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace grimace::testing
