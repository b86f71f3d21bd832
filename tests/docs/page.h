// A page of the documentation as text, and a file as the page should show it.
#pragma once

#include <string>

#include "tests/testing.h"

namespace grimace::testing {

inline std::string page(const std::string& path) {
  return file_text(repository_dir() / path);
}

inline std::string code_block(const std::string& path) {
  return "\n```cpp\n" + page(path) + "```\n";
}

}  // namespace grimace::testing
