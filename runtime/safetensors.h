// Named tensors in one file, in the safetensors format: reading hostile files of any size, and
// writing them whole or not at all, with checksums that this program verifies and others ignore.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/view.h"
#include "runtime/input_file.h"
#include "runtime/safetensors_header.h"
#include "runtime/tensor.h"

namespace grimace {

// An open file. Opening validates the whole header and, where the file has one, its checksum;
// tensors are read one by one on demand, each against its checksum. Errors are one line naming
// the file and the tensor: Error for a file that is missing, damaged or of another kind, RunError
// when the disk fails.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  const std::vector<std::string>& names() const { return names_; }  // in file order
  bool contains(std::string_view name) const;
  const TensorType& type(std::string_view name) const;  // Error when there is no such tensor
  Tensor tensor(std::string_view name) const;
  // Into memory of the caller; Error when the type differs. After an Error, `into` is undefined.
  void read(std::string_view name, View into) const;

  // Without the entries that hold the checksums.
  const Metadata& all_metadata() const { return header_.metadata; }
  bool has_metadata(std::string_view key) const { return header_.metadata.contains(key); }
  const std::string& metadata(std::string_view key) const;  // Error when there is none

  bool has_checksums() const { return has_checksums_; }
  // Reads all tensors against their checksums, in bounded memory; Error at the first damaged one.
  void verify() const;

 private:
  void take_checksums(bool header_checked);
  size_t index(std::string_view name) const;
  void check_crc(size_t index, uint32_t crc) const;

  InputFile file_;
  int64_t data_start_ = 0;
  SafetensorsHeader header_;
  std::vector<std::string> names_;
  bool has_checksums_ = false;
  std::vector<uint32_t> checksums_;  // as names_
  std::map<std::string, size_t, std::less<>> index_;
};

struct NamedView {
  std::string name;
  ConstView view;
};

// Writes atomically (RunError on failure, `path` untouched). The data is aligned for its element
// type: wider types come first, otherwise in the order given. The metadata gains "crc32" (JSON: a
// CRC-32 per tensor) and "header_crc32", which a caller must not give.
void save_safetensors(const std::filesystem::path& path, std::span<const NamedView> tensors,
                      const Metadata& metadata);

}  // namespace grimace
