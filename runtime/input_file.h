// A regular file open for reading at any place, by pread: a file that shrinks while it is open is
// an error, never a crash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <utility>

namespace grimace {

class InputFile {
 public:
  // Error when it is missing, unreadable or no regular file; `expected` names the kind of file that
  // is wanted ("a .safetensors file").
  InputFile(std::filesystem::path path, std::string_view expected);
  InputFile(InputFile&& other) noexcept
      : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}
  InputFile& operator=(InputFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(fd_, other.fd_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~InputFile();

  const std::filesystem::path& path() const { return path_; }
  int64_t size() const { return size_; }  // bytes, when it was opened
  // Fills `into` from byte `offset`. Error when the file ends before, RunError when the disk fails.
  void read(int64_t offset, std::span<std::byte> into) const;

 private:
  explicit InputFile(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;
  int fd_ = -1;
  int64_t size_ = 0;
};

// CRC-32 as in zip and zlib; `seed` is the value of the bytes before.
uint32_t crc32_of(std::span<const std::byte> bytes, uint32_t seed = 0);

}  // namespace grimace
