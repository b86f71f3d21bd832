// A page of the documentation as text, and a file as the page should show it.
#pragma once

#include <fstream>
#include <sstream>
#include <string>

#include "ir/error.h"
#include "tests/testing.h"

namespace grimace::testing {

inline std::string page(const std::string& path) {
  std::ifstream file(repository_dir() / path);
  check(file.is_open(), path, " cannot be opened");
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

inline std::string code_block(const std::string& path) {
  return "\n```cpp\n" + page(path) + "```\n";
}

}  // namespace grimace::testing
