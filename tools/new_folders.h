// Makes the folders of a run before it starts, and takes them back when nothing was written: a run
// that is refused leaves no trace.
#pragma once

#include <filesystem>
#include <vector>

namespace grimace {

class NewFolders {
 public:
  NewFolders() = default;
  ~NewFolders();  // removes the folders that make() made and that are empty
  NewFolders(const NewFolders&) = delete;
  NewFolders& operator=(const NewFolders&) = delete;

  // The folder and its parents, where absent. Error when it cannot be written.
  void make(const std::filesystem::path& dir);

 private:
  std::vector<std::filesystem::path> made_;  // a folder before its parents
};

}  // namespace grimace
