#include "runtime/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>

#include "ir/error.h"

namespace grimace {

// Delegates first: from then on the destructor closes the file whatever is thrown.
InputFile::InputFile(std::filesystem::path path, std::string_view expected)
    : InputFile(std::move(path)) {
  // Without O_NONBLOCK, opening a named pipe would wait for a writer.
  fd_ = open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  check(fd_ >= 0, "cannot open ", path_.string(), ": ", std::strerror(errno));
  struct stat info {};
  check(fstat(fd_, &info) == 0 && S_ISREG(info.st_mode), path_.string(),
        ": is a folder or device; expected ", expected);
  size_ = info.st_size;
}

InputFile::~InputFile() {
  if (fd_ >= 0) close(fd_);
}

void InputFile::read(int64_t offset, std::span<std::byte> into) const {
  while (!into.empty()) {
    const ssize_t count = pread(fd_, into.data(), into.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw RunError(cat("cannot read ", path_.string(), ": ", std::strerror(errno)));
    check(count > 0, path_.string(), ": ended at byte ", offset, " while it was being read");
    into = into.subspan(static_cast<size_t>(count));
    offset += count;
  }
}

uint32_t crc32_of(std::span<const std::byte> bytes, uint32_t seed) {
  return static_cast<uint32_t>(
      crc32_z(seed, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace grimace
