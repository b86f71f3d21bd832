// Files that appear whole or not at all: written beside their place under a temporary name, synced,
// renamed, and the folder synced. Also what is checked of an output before it is made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

namespace grimace {

// What a file is called until it is complete: "<name>.partial" in the same folder.
inline constexpr std::string_view kPartialSuffix = ".partial";

// Replaces `path`, or the file that it links to, by commit(). Destroyed without it, the temporary
// is removed and `path` is as it was. Every failure is a RunError with the path and the system's
// reason (disk full, read-only); so is anything there but a regular file, such as a device.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  void commit();  // when it returns, the file is durable under its name
  // Where it is until then, for writers that want a name.
  const std::filesystem::path& partial() const { return partial_; }

 private:
  std::filesystem::path path_;
  std::filesystem::path partial_;
  int fd_ = -1;
};

// Replaces a file by these bytes.
void write_text(const std::filesystem::path& path, std::string_view text);

// Writes all of `bytes` to an open file; `path` is for the RunError alone.
void write_fully(int fd, std::span<const std::byte> bytes, const std::filesystem::path& path);

// For a place that the user named: Error when no file can be made there, as its folder is missing
// or cannot be written, or a folder has its name.
void ensure_writable_place(const std::filesystem::path& path);

// For the start of a run: makes the folder where it is missing and proves by a small synced file
// that it can be written. Error when a file is in the way, it is read-only or the disk is full.
void ensure_writable_dir(const std::filesystem::path& dir);

// Error, with both numbers, when the disk that holds (or will hold) `path` has less than `bytes`.
void require_free_space(const std::filesystem::path& path, int64_t bytes);

}  // namespace grimace
