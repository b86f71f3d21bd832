// Atomic replacement of files, and the checks of an output folder, on disks that refuse too.
#include "runtime/atomic_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "ir/error.h"
#include "tests/testing.h"

namespace grimace {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::error_of;
using ::testing::HasSubstr;

size_t files_in(const fs::path& dir) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(dir), {}));
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
    EXPECT_EQ(testing::file_text(dir / "f"), "old");
    file.commit();
  }
  EXPECT_EQ(testing::file_text(dir / "f"), "new content");
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
  EXPECT_EQ(testing::file_text(dir / "f"), "old");
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

TEST(AtomicFile, what_is_no_regular_file_stays_what_it_is) {
  const testing::ScratchDir dir;
  ASSERT_EQ(mkfifo((dir / "fifo").c_str(), 0600), 0);
  fs::create_symlink(dir / "fifo", dir / "to_fifo");
  fs::create_symlink(dir / "absent", dir / "to_nothing");
  for (const char* name : {"fifo", "to_fifo"})
    EXPECT_THAT(error_of<RunError>([&] { AtomicFile file(dir / name); }),
                HasSubstr("cannot replace " + (dir / name).string() +
                          ": it is a device or pipe, not a regular file; choose another name"));
  EXPECT_THAT(error_of<RunError>([&] { AtomicFile file(dir / "to_nothing"); }),
              HasSubstr("cannot follow the link " + (dir / "to_nothing").string()));
  EXPECT_TRUE(fs::is_fifo(dir / "fifo"));
  EXPECT_TRUE(fs::is_symlink(dir / "to_nothing"));
  EXPECT_EQ(files_in(dir.path()), 3u);
}

TEST(AtomicFile, a_link_stays_and_the_file_behind_it_is_replaced) {
  const testing::ScratchDir dir, other;
  std::ofstream(other / "f") << "old";
  fs::create_symlink(other / "f", dir / "link");
  write_text(dir / "link", "new");
  EXPECT_TRUE(fs::is_symlink(dir / "link"));
  EXPECT_EQ(testing::file_text(other / "f"), "new");
  EXPECT_EQ(files_in(dir.path()), 1u);
  EXPECT_EQ(files_in(other.path()), 1u);
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
    EXPECT_EQ(testing::file_text(dir / "f"), "old");
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
