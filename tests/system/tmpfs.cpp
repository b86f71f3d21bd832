#include "tests/system/tmpfs.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string_view>

#include "ir/error.h"

namespace grimace::testing {
namespace {

bool write_file(const char* path, std::string_view text) {
  const int fd = open(path, O_WRONLY);
  const bool done = fd >= 0 && write(fd, text.data(), text.size()) == std::ssize(text);
  if (fd >= 0) close(fd);
  return done;
}

bool mount_tmpfs(const char* at, const char* options, std::string_view uids, std::string_view gids,
                 unsigned long flags) {
  return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_file("/proc/self/setgroups", "deny") &&
         write_file("/proc/self/uid_map", uids) && write_file("/proc/self/gid_map", gids) &&
         mount("none", at, "tmpfs", flags, options) == 0;
}

}  // namespace

Tmpfs::Tmpfs(const std::string& options) {
  const std::string at = mount_point_.path();
  const std::string uids = cat("0 ", geteuid(), " 1");
  const std::string gids = cat("0 ", getegid(), " 1");
  const bool read_only = options == "ro";
  int ready[2];
  internal_check(pipe(ready) == 0, "cannot make a pipe");
  keeper_ = fork();
  internal_check(keeper_ >= 0, "cannot start a process");
  if (keeper_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const bool done = mount_tmpfs(at.c_str(), read_only ? nullptr : options.c_str(), uids, gids,
                                  read_only ? MS_RDONLY : 0);
    if (!done || write(ready[1], "y", 1) != 1) _exit(1);
    while (true) pause();
  }
  close(ready[1]);
  char answer = 0;
  mounted_ = read(ready[0], &answer, 1) == 1;
  close(ready[0]);
}

Tmpfs::~Tmpfs() {
  kill(keeper_, SIGKILL);
  waitpid(keeper_, nullptr, 0);
}

std::filesystem::path Tmpfs::path() const {
  return cat("/proc/", keeper_, "/root", mount_point_.path().string());
}

}  // namespace grimace::testing
