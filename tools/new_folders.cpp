#include "tools/new_folders.h"

#include <unistd.h>

#include "runtime/atomic_file.h"

namespace fs = std::filesystem;

namespace grimace {

NewFolders::~NewFolders() {
  for (const fs::path& dir : made_) rmdir(dir.c_str());  // fails, as it should, where it is in use
}

void NewFolders::make(const fs::path& dir) {
  std::vector<fs::path> absent;
  std::error_code ignored;
  for (fs::path at = fs::absolute(dir); !fs::exists(at, ignored) && at.has_relative_path();
       at = at.parent_path())
    absent.push_back(at);
  made_.insert(made_.begin(), absent.begin(), absent.end());
  ensure_writable_dir(dir);
}

}  // namespace grimace
