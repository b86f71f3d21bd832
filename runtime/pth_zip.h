// The zip container of a .pth file (spec 10.1), read strictly: stored entries in one top folder,
// which neither overlap nor leave the file; and written the way torch.save does.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/atomic_file.h"
#include "runtime/input_file.h"

namespace grimace {

struct ZipEntry {
  std::string name;    // without the top folder: "data.pkl", "data/12"
  int64_t begin = 0;   // of its bytes, in the file
  int64_t size = 0;    // bytes
  int64_t header = 0;  // where its local header begins
  uint32_t crc = 0;
};

class ZipFile {
 public:
  // Reads the directory and every local header, in memory of a few MiB. Error of one line for
  // everything that is not such a container, the old formats of PyTorch by name.
  explicit ZipFile(const std::filesystem::path& path);

  const InputFile& file() const { return file_; }
  const std::vector<ZipEntry>& entries() const { return entries_; }  // in the order of the file
  const ZipEntry* find(std::string_view name) const;                 // null when there is none
  // All bytes of an entry of at most `limit` bytes, against its checksum.
  std::vector<char> read(const ZipEntry& entry, int64_t limit) const;
  // Error naming the entry unless `crc`, of its bytes, is as the directory says.
  void check_crc(const ZipEntry& entry, uint32_t crc) const;

 private:
  struct Directory {
    int64_t begin = 0, end = 0, count = 0;
  };
  Directory find_directory() const;
  void read_directory(const Directory& directory);
  void place_entry(ZipEntry& entry) const;
  void check_layout(int64_t directory_begin) const;
  void drop_top_folder();

  InputFile file_;
  std::string where_;
  std::vector<ZipEntry> entries_;
  std::map<std::string, size_t, std::less<>> index_;
};

// Writes a zip of stored entries, the bytes of each aligned to 64, into a file that appears whole
// or not at all (RunError).
class ZipWriter {
 public:
  ZipWriter(const std::filesystem::path& path, std::string top_folder);
  void add(std::string_view name, std::span<const std::byte> bytes);
  void commit();

 private:
  void write(std::string_view bytes);

  AtomicFile file_;
  std::string top_folder_;
  std::string directory_;
  int64_t at_ = 0;
  int64_t count_ = 0;
};

}  // namespace grimace
