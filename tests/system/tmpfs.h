// A small disk: a tmpfs that this process mounts where it may, in a namespace of its own.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "tests/testing.h"

namespace grimace::testing {

class Tmpfs {
 public:
  // `options` as for mount -o: "size=3M", "ro".
  explicit Tmpfs(const std::string& options);
  ~Tmpfs();
  Tmpfs(const Tmpfs&) = delete;
  Tmpfs& operator=(const Tmpfs&) = delete;

  // Whether the system allowed it. Skip loudly when not.
  bool mounted() const { return mounted_; }
  // Seen through the process that keeps the namespace; any process of this user may use it.
  std::filesystem::path path() const;

 private:
  ScratchDir mount_point_;
  pid_t keeper_ = -1;
  bool mounted_ = false;
};

}  // namespace grimace::testing
