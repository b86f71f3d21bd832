// Makes .pth files byte by byte, right and wrong ones: pickles by opcode, zip records by field.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/input_file.h"

namespace grimace::testing {

template <typename T>
std::string little_endian(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

inline std::string repeat(std::string_view part, size_t count) {
  std::string all;
  all.reserve(part.size() * count);
  for (size_t i = 0; i < count; ++i) all += part;
  return all;
}

// ---- Pickles: pieces of opcodes to be joined ------------------------------------------------

inline std::string text(std::string_view value) {
  return "X" + little_endian(static_cast<uint32_t>(value.size())) + std::string(value);
}
inline std::string integer(int64_t value) {
  return "\x8a\x08" + little_endian(value);
}
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string tuple(const std::vector<std::string>& items) {
  std::string all = "(";
  for (const std::string& item : items) all += item;
  return all + "t";
}
inline std::string integers(const std::vector<int64_t>& values) {
  std::vector<std::string> items;
  for (const int64_t value : values) items.push_back(integer(value));
  return tuple(items);
}
using Items = std::vector<std::pair<std::string, std::string>>;  // keys and pickled values
inline std::string dict(const Items& items) {
  std::string all = "}(";
  for (const auto& [key, value] : items) all += text(key) + value;
  return all + "u";
}
inline std::string call(const std::string& function, const std::string& arguments) {
  return function + arguments + "R";
}
inline std::string whole(const std::string& value, char protocol = 2) {
  return std::string("\x80") + protocol + value + ".";
}

// A tensor of f32 as torch.save writes it; every part may be wrong.
struct ForgedTensor {
  std::string key = "0";
  std::string storage = "FloatStorage";
  int64_t elements = 4;
  int64_t offset = 0;
  std::vector<int64_t> shape{2, 2};
  std::vector<int64_t> strides{2, 1};

  std::string id() const {
    return tuple(
        {text("storage"), global("torch", storage), text(key), text("cpu"), integer(elements)});
  }
  std::string pickle() const {
    return call(global("torch._utils", "_rebuild_tensor_v2"),
                tuple({id() + "Q", integer(offset), integers(shape), integers(strides), "\x89",
                       call(global("collections", "OrderedDict"), ")")}));
  }
};

// ---- Zip files -------------------------------------------------------------------------------

struct ForgedEntry {
  std::string name;
  std::string data;
  uint16_t method = 0;
  uint16_t flags = 0;
  int64_t claimed_size = -1;    // in the directory; -1: the true one
  int64_t local_size = -1;      // in the local header
  int64_t claimed_header = -1;  // where the directory says it begins
  std::string local_name = {};  // empty: `name`
  uint32_t crc_error = 0;
  bool is_stored = true;  // whether there is a local header and data at all
};

struct ForgedZip {
  std::vector<ForgedEntry> entries = {};
  int64_t claimed_count = -1;
  int64_t claimed_directory = -1;  // its offset
  int64_t claimed_bytes = -1;      // its size
  std::string comment = {};
  std::string before_end = {};  // between the directory and its end record

  std::string bytes() const {
    std::string file, directory;
    for (const ForgedEntry& entry : entries) {
      const auto crc = crc32_of(std::as_bytes(std::span(entry.data))) ^ entry.crc_error;
      const int64_t begin =
          entry.claimed_header >= 0 ? entry.claimed_header : static_cast<int64_t>(file.size());
      const auto size = static_cast<int64_t>(entry.data.size());
      const std::string& local_name = entry.local_name.empty() ? entry.name : entry.local_name;
      if (entry.is_stored)
        file += "PK\x03\x04" +
                head(entry, crc, entry.local_size >= 0 ? entry.local_size : size, local_name.size(),
                     0) +
                local_name + entry.data;
      const int64_t claimed = entry.claimed_size >= 0 ? entry.claimed_size : size;
      const bool wide = claimed > 0xfffffffe || begin > 0xfffffffe;
      const std::string extra = wide ? little_endian<uint32_t>(1 | 24 << 16) +
                                           little_endian(claimed) + little_endian(claimed) +
                                           little_endian(begin)
                                     : "";
      directory += "PK\x01\x02" + little_endian<uint16_t>(20) +
                   head(entry, crc, wide ? 0xffffffff : claimed, entry.name.size(), extra.size()) +
                   std::string(10, '\0') +
                   little_endian(wide ? 0xffffffffu : static_cast<uint32_t>(begin)) + entry.name +
                   extra;
    }
    const auto count = static_cast<uint16_t>(
        claimed_count >= 0 ? claimed_count : static_cast<int64_t>(entries.size()));
    const auto at = static_cast<uint32_t>(
        claimed_directory >= 0 ? claimed_directory : static_cast<int64_t>(file.size()));
    const auto size = static_cast<uint32_t>(
        claimed_bytes >= 0 ? claimed_bytes : static_cast<int64_t>(directory.size()));
    return file + directory + before_end + "PK\x05\x06" + std::string(4, '\0') +
           little_endian(count) + little_endian(count) + little_endian(size) + little_endian(at) +
           little_endian(static_cast<uint16_t>(comment.size())) + comment;
  }

 private:
  // What local header and directory share.
  static std::string head(const ForgedEntry& entry, uint32_t crc, int64_t size, size_t name_bytes,
                          size_t extra_bytes) {
    return little_endian<uint16_t>(20) + little_endian(entry.flags) + little_endian(entry.method) +
           std::string(4, '\0') + little_endian(crc) + little_endian(static_cast<uint32_t>(size)) +
           little_endian(static_cast<uint32_t>(size)) +
           little_endian(static_cast<uint16_t>(name_bytes)) +
           little_endian(static_cast<uint16_t>(extra_bytes));
  }
};

// Four f32 values: 1, 2, 3, 4.
inline std::string four_floats() {
  std::string data;
  for (const float value : {1.0f, 2.0f, 3.0f, 4.0f}) data += little_endian(value);
  return data;
}

// A container around a pickle, with one storage of four floats.
inline ForgedZip pth_with(const std::string& pickle) {
  return {.entries = {{.name = "a/data.pkl", .data = pickle},
                      {.name = "a/byteorder", .data = "little"},
                      {.name = "a/data/0", .data = four_floats()},
                      {.name = "a/version", .data = "3\n"}}};
}
inline ForgedZip pth_with(const ForgedTensor& tensor) {
  return pth_with(whole(dict({{"model", dict({{"w", tensor.pickle()}})}})));
}

}  // namespace grimace::testing
