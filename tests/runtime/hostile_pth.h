// PyTorch files that are damaged or made to harm, more than a hundred, each with what must be said
// of it.
#pragma once

#include <string>
#include <vector>

namespace grimace::testing {

struct HostileFile {
  std::string name;       // of the attack
  std::string bytes;      // of the whole file
  std::string complaint;  // part of the error
};

// Those that ask for code to be run would create the file `marker`.
std::vector<HostileFile> hostile_pth_files(const std::string& marker);

}  // namespace grimace::testing
