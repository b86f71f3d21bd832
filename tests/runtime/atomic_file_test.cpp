// Atomic replacement of files, and the checks of an output folder, on disks that refuse too.
#include "runtime/atomic_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "ir/error.h"
#include "tests/testing.h"

namespace grimace {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

size_t files_in(const fs::path& dir) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(dir), {}));
}

template <typename Kind, typename F>
std::string error_of(F&& call) {
  try {
    call();
  } catch (const Kind& error) {
    return error.what();
  }
  return "no error of the expected kind";
}

// Makes this process root of a namespace of its own, where it may mount; false where that is
// forbidden.
bool become_root_of_a_namespace() {
  const std::string user = cat("0 ", geteuid(), " 1");
  const std::string group = cat("0 ", getegid(), " 1");
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  std::ofstream("/proc/self/setgroups") << "deny";
  return static_cast<bool>(std::ofstream("/proc/self/uid_map") << user << std::flush) &&
         static_cast<bool>(std::ofstream("/proc/self/gid_map") << group << std::flush);
}

// Runs `body` in a process with a mount of its own on `dir`. Skips where the system forbids it.
template <typename F>
void on_small_disk(const fs::path& dir, unsigned long flags, F&& body) {
  constexpr int kForbidden = 77;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (!become_root_of_a_namespace() ||
        mount("tmpfs", dir.c_str(), "tmpfs", flags, "size=1M") != 0)
      _exit(kForbidden);
    body();
    _exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kForbidden)
    GTEST_SKIP() << "SKIPPED: this system does not let tests mount a small disk";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "see the failures above";
}

TEST(AtomicFile, the_old_content_stays_until_commit) {
  const testing::ScratchDir dir;
  std::ofstream(dir / "f") << "old";
  {
    AtomicFile file(dir / "f");
    file.write("new content");
    EXPECT_EQ(content(dir / "f"), "old");
    file.commit();
  }
  EXPECT_EQ(content(dir / "f"), "new content");
  EXPECT_EQ(files_in(dir.path()), 1u);
}

TEST(AtomicFile, without_commit_nothing_is_left_behind) {
  const testing::ScratchDir dir;
  std::ofstream(dir / "f") << "old";
  {
    AtomicFile file(dir / "f");
    file.write("half");
    EXPECT_TRUE(fs::exists(dir / "f.partial"));
  }
  EXPECT_EQ(content(dir / "f"), "old");
  EXPECT_EQ(files_in(dir.path()), 1u);
}

TEST(AtomicFile, a_missing_folder_or_a_folder_in_the_way_is_a_run_error) {
  const testing::ScratchDir dir;
  EXPECT_THAT(error_of<RunError>([&] { AtomicFile file(dir / "no/f"); }),
              AllOf(HasSubstr("no/f.partial"), HasSubstr("No such file")));
  fs::create_directory(dir / "taken");
  const std::string error = error_of<RunError>([&] {
    AtomicFile file(dir / "taken");
    file.commit();
  });
  EXPECT_THAT(error, HasSubstr("cannot replace " + (dir / "taken").string()));
  EXPECT_EQ(files_in(dir.path()), 1u);
}

TEST(AtomicFile, on_a_full_disk_the_old_content_stays_and_the_error_says_so) {
  const testing::ScratchDir dir;
  on_small_disk(dir.path(), 0, [&] {
    std::ofstream(dir / "f") << "old";
    EXPECT_THAT(error_of<RunError>([&] {
                  AtomicFile file(dir / "f");
                  file.write(std::string(4 << 20, 'x'));
                  file.commit();
                }),
                AllOf(HasSubstr((dir / "f").string()), HasSubstr("No space left on device")));
    EXPECT_EQ(content(dir / "f"), "old");
    EXPECT_EQ(files_in(dir.path()), 1u);
  });
}

TEST(OutputFolder, is_made_and_left_empty) {
  const testing::ScratchDir dir;
  ensure_writable_dir(dir / "a/b");
  EXPECT_TRUE(fs::is_directory(dir / "a/b"));
  EXPECT_EQ(files_in(dir / "a/b"), 0u);
  ensure_writable_dir(dir / "a/b");
}

TEST(OutputFolder, a_file_in_the_way_is_the_callers_error) {
  const testing::ScratchDir dir;
  std::ofstream(dir / "run") << "text";
  EXPECT_THAT(error_of<Error>([&] { ensure_writable_dir(dir / "run"); }),
              HasSubstr("cannot make the folder " + (dir / "run").string()));
  EXPECT_THAT(error_of<Error>([&] { ensure_writable_dir(dir / "run/sub"); }),
              HasSubstr("Not a directory"));
}

TEST(OutputFolder, a_read_only_disk_is_the_callers_error) {
  const testing::ScratchDir dir;
  on_small_disk(dir.path(), MS_RDONLY, [&] {
    EXPECT_THAT(error_of<Error>([&] { ensure_writable_dir(dir.path()); }),
                AllOf(HasSubstr(dir.path().string()), HasSubstr("Read-only file system")));
    EXPECT_THAT(error_of<Error>([&] { ensure_writable_dir(dir / "new"); }),
                HasSubstr("Read-only file system"));
  });
}

TEST(OutputFolder, a_full_disk_is_the_callers_error) {
  const testing::ScratchDir dir;
  on_small_disk(dir.path(), 0, [&] {
    std::ofstream(dir / "filler") << std::string(2 << 20, 'x');
    EXPECT_THAT(error_of<Error>([&] { ensure_writable_dir(dir.path()); }),
                HasSubstr("No space left on device"));
    EXPECT_EQ(files_in(dir.path()), 1u);
  });
}

TEST(OutputFolder, free_space_is_compared_and_both_numbers_are_named) {
  const testing::ScratchDir dir;
  require_free_space(dir / "not/yet/there", 1);
  EXPECT_THAT(error_of<Error>([&] { require_free_space(dir / "not/yet", int64_t{1} << 60); }),
              AllOf(HasSubstr("needed 1152921504606846976 bytes"), HasSubstr("free ")));
}

}  // namespace
}  // namespace grimace
