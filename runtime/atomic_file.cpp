// Atomic replacement by temporary, fsync, rename and fsync of the folder.
#include "runtime/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "ir/error.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

std::string advice(int code) {
  if (code == ENOSPC || code == EDQUOT) return "; free some space or choose another disk";
  if (code == EROFS || code == EACCES || code == EPERM)
    return "; choose a folder that you may write to";
  return "";
}

std::string reason(int code) {
  return cat(std::strerror(code), advice(code));
}

[[noreturn]] void fail(const char* action, const fs::path& path, int code = errno) {
  throw RunError(cat("cannot ", action, " ", path.string(), ": ", reason(code)));
}

// A rename is durable only when its folder is. Some network file systems cannot sync a folder.
void sync_dir(const fs::path& dir) {
  const int fd = open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail("open the folder", dir);
  const int code = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  if (code != 0 && code != EINVAL && code != ENOTSUP) fail("sync the folder", dir, code);
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

// The file that a rename may replace: what a symbolic link leads to, and nothing but regular files.
// Devices and pipes may be all that they are to somebody.
fs::path replaceable(const fs::path& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return path;
    fail("look at", path);
  }
  const bool link = S_ISLNK(info.st_mode);
  if (link && stat(path.c_str(), &info) != 0) fail("follow the link", path);
  if (!S_ISREG(info.st_mode))
    throw RunError(cat("cannot replace ", path.string(), ": it is ",
                       S_ISDIR(info.st_mode) ? "a folder" : "a device or pipe",
                       ", not a regular file; choose another name"));
  return link ? fs::canonical(path) : path;
}

}  // namespace

void write_text(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void write_fully(int fd, std::span<const std::byte> bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write", path);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

AtomicFile::AtomicFile(fs::path path) : path_(replaceable(path)), partial_(path_) {
  partial_ += kPartialSuffix;
  fd_ = open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd_ < 0) fail("create", partial_);
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(partial_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  write_fully(fd_, bytes, path_);
}

void AtomicFile::commit() {
  internal_check(fd_ >= 0, "commit of ", path_.string(), " happened before");
  if (fsync(fd_) != 0) fail("write", path_);
  if (rename(partial_.c_str(), path_.c_str()) != 0) fail("replace", path_);
  close(std::exchange(fd_, -1));
  sync_dir(folder_of(path_));
}

void ensure_writable_place(const fs::path& path) {
  std::error_code ignored;
  check(!fs::is_directory(path, ignored), path.string(), ": cannot write here: it is a folder");
  const int code = access(folder_of(path).c_str(), W_OK | X_OK) == 0 ? 0 : errno;
  check(code == 0, path.string(), ": cannot write here: ", reason(code));
}

void ensure_writable_dir(const fs::path& dir) {
  std::error_code code;
  fs::create_directories(dir, code);
  std::error_code ignored;
  check(fs::is_directory(dir, ignored), "cannot make the folder ", dir.string(), ": ",
        code ? reason(code.value()) : "a file of that name is in the way");
  try {
    const fs::path probe = dir / cat(".grimace-write-test-", getpid());
    AtomicFile file(probe);
    file.write(std::string(4096, '\0'));
    file.commit();
    unlink(probe.c_str());
  } catch (const RunError& error) {
    throw Error(cat("the folder ", dir.string(), " cannot be written: ", error.what()));
  }
}

void require_free_space(const fs::path& path, int64_t bytes) {
  std::error_code ignored;
  fs::path existing = fs::absolute(path);
  while (!fs::exists(existing, ignored) && existing.has_relative_path())
    existing = existing.parent_path();
  struct statvfs disk {};
  if (statvfs(existing.c_str(), &disk) != 0) fail("ask for the free space of", existing);
  const double free_bytes = static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize);
  check(free_bytes >= static_cast<double>(bytes), "not enough disk space at ", path.string(),
        ": needed ", bytes, " bytes, free ", static_cast<int64_t>(free_bytes),
        " bytes; free some space or choose another disk");
}

}  // namespace grimace
