// Reading by pread, which survives files that change while open, and writing in two passes over
// memory: checksums first, because they stand in the header, then the data.
#include "runtime/safetensors.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdio>
#include <utility>

#include "runtime/atomic_file.h"

namespace fs = std::filesystem;
static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

namespace grimace {
namespace {

constexpr int64_t kMaxHeaderBytes = 100'000'000;  // the limit of the format's own library
constexpr int64_t kLengthBytes = 8;
constexpr std::string_view kTensorCrcs = "crc32";
constexpr std::string_view kHeaderCrc = "header_crc32";

// The header's own checksum is the first thing in it, so that it is found without parsing. It
// covers the length field and the header, its own eight digits counted as zeros.
constexpr std::string_view kMetadataStart = "{\"__metadata__\":{";
constexpr std::string_view kChecksumStart = "{\"__metadata__\":{\"header_crc32\":\"";
constexpr size_t kCrcDigits = 8;

std::string hex(uint32_t value) {
  char text[kCrcDigits + 1];
  std::snprintf(text, sizeof text, "%08x", value);
  return text;
}

std::string header_crc(std::string header) {
  header.replace(kChecksumStart.size(), kCrcDigits, kCrcDigits, '0');
  const uint64_t length = header.size();
  const uint32_t seed = crc32_of(std::as_bytes(std::span(&length, 1)));
  return hex(crc32_of(std::as_bytes(std::span(header)), seed));
}

std::span<const std::byte> bytes_of(const ConstView& view) {
  return {static_cast<const std::byte*>(view.data), static_cast<size_t>(view.type.bytes())};
}

}  // namespace

SafetensorsFile::SafetensorsFile(const fs::path& path) : file_(path, "a .safetensors file") {
  const std::string file = path.string();
  check(file_.size() >= kLengthBytes + 2, file, ": has ", file_.size(),
        " bytes, too few for a safetensors file; it is truncated or of another kind");
  uint64_t length = 0;
  file_.read(0, std::as_writable_bytes(std::span(&length, 1)));
  check(length <= static_cast<uint64_t>(std::min(kMaxHeaderBytes, file_.size() - kLengthBytes)),
        file, ": claims a header of ", length, " bytes in a file of ", file_.size(), " (limit ",
        kMaxHeaderBytes, "); it is truncated, damaged or not a safetensors file");
  std::string header(length, '\0');
  file_.read(kLengthBytes, std::as_writable_bytes(std::span(header)));
  data_start_ = kLengthBytes + static_cast<int64_t>(length);
  const bool checked =
      header.starts_with(kChecksumStart) && header.size() >= kChecksumStart.size() + kCrcDigits;
  check(!checked || header.substr(kChecksumStart.size(), kCrcDigits) == header_crc(header), file,
        ": the header does not match its checksum; the file is damaged, use another copy");
  header_ = parse_safetensors_header(header, file_.size() - data_start_, file);
  for (size_t i = 0; i < header_.entries.size(); ++i) {
    names_.push_back(header_.entries[i].name);
    index_.emplace(header_.entries[i].name, i);
  }
  take_checksums(checked);
}

// Both kinds of checksum come and go together, so damage to one's name does not disable it.
void SafetensorsFile::take_checksums(bool header_checked) {
  const auto crcs = header_.metadata.find(kTensorCrcs);
  const bool both = crcs != header_.metadata.end() && header_checked;
  const bool neither = crcs == header_.metadata.end() && !has_metadata(kHeaderCrc);
  check(both || neither, path().string(),
        ": its checksums are incomplete; the file is damaged, or "
        "another program rewrote it and kept some of its metadata");
  if (neither) return;
  has_checksums_ = true;
  checksums_.resize(names_.size());
  std::vector<bool> taken(names_.size());
  size_t count = 0;
  const bool listed =
      read_json_texts(crcs->second, [&](const std::string& name, const std::string& text) {
        const auto found = index_.find(name);
        if (found == index_.end() || taken[found->second]) return false;
        taken[found->second] = true;
        ++count;
        const char* last = text.data() + text.size();
        const auto [end, code] = std::from_chars(text.data(), last, checksums_[found->second], 16);
        return code == std::errc() && end == last;
      });
  check(listed && count == names_.size(), path().string(),
        ": the metadata entry crc32 does not list every tensor and its checksum; write the file "
        "again");
  header_.metadata.erase(std::string(kTensorCrcs));
  header_.metadata.erase(std::string(kHeaderCrc));
}

bool SafetensorsFile::contains(std::string_view name) const {
  return index_.contains(name);
}

size_t SafetensorsFile::index(std::string_view name) const {
  const auto found = index_.find(name);
  check(found != index_.end(), path().string(), ": has no tensor ", quoted_name(name),
        " among its ", names_.size());
  return found->second;
}

const TensorType& SafetensorsFile::type(std::string_view name) const {
  return header_.entries[index(name)].type;
}

const std::string& SafetensorsFile::metadata(std::string_view key) const {
  const auto found = header_.metadata.find(key);
  check(found != header_.metadata.end(), path().string(), ": has no metadata entry ",
        quoted_name(key));
  return found->second;
}

Tensor SafetensorsFile::tensor(std::string_view name) const {
  Tensor result(type(name));
  read(name, result.view());
  return result;
}

void SafetensorsFile::read(std::string_view name, View into) const {
  const size_t i = index(name);
  const SafetensorsEntry& entry = header_.entries[i];
  check(entry.type == into.type, path().string(), ": tensor ", quoted_name(name), " is ",
        entry.type, ", expected ", into.type);
  const std::span bytes(static_cast<std::byte*>(into.data), static_cast<size_t>(into.type.bytes()));
  file_.read(data_start_ + entry.begin, bytes);
  if (has_checksums()) check_crc(i, crc32_of(bytes));
  if (entry.type.dtype == DType::boolean)
    check(std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b <= std::byte{1}; }),
          path().string(), ": tensor ", quoted_name(name),
          " holds a truth value other than 0 and 1");
}

void SafetensorsFile::verify() const {
  std::vector<std::byte> buffer(size_t{1} << 20);
  for (size_t i = 0; i < header_.entries.size(); ++i) {
    const SafetensorsEntry& entry = header_.entries[i];
    uint32_t crc = 0;
    for (int64_t at = entry.begin; at < entry.end;) {
      const auto size = std::min(static_cast<int64_t>(buffer.size()), entry.end - at);
      const std::span chunk(buffer.data(), static_cast<size_t>(size));
      file_.read(data_start_ + at, chunk);
      crc = crc32_of(chunk, crc);
      at += size;
    }
    if (has_checksums()) check_crc(i, crc);
  }
}

void SafetensorsFile::check_crc(size_t index, uint32_t crc) const {
  check(crc == checksums_[index], path().string(), ": tensor ", quoted_name(names_[index]),
        " does not match its checksum (stored ", hex(checksums_[index]), ", computed ", hex(crc),
        "); the file is damaged, use another copy");
}

namespace {

// Offsets in the order given; every tensor aligned, because sizes never grow along the file.
SafetensorsHeader lay_out(std::vector<NamedView>& tensors, Metadata metadata) {
  std::stable_sort(tensors.begin(), tensors.end(), [](const NamedView& a, const NamedView& b) {
    return size_of(a.view.type.dtype) > size_of(b.view.type.dtype);
  });
  SafetensorsHeader header{.metadata = std::move(metadata), .entries = {}};
  std::map<std::string, std::string> crcs;  // "name":"crc", by name
  int64_t end = 0;
  for (const NamedView& tensor : tensors) {
    std::string entry =
        json_text(tensor.name) + ":\"" + hex(crc32_of(bytes_of(tensor.view))) + "\"";
    internal_check(
        tensor.name != "__metadata__" && crcs.emplace(tensor.name, std::move(entry)).second,
        "tensor ", quoted_name(tensor.name), " is saved twice or under a reserved name");
    const int64_t begin = end;
    end += tensor.view.type.bytes();
    header.entries.push_back({tensor.name, tensor.view.type, begin, end});
  }
  internal_check(!header.metadata.contains(kTensorCrcs) && !header.metadata.contains(kHeaderCrc),
                 "the metadata entries crc32 and header_crc32 are reserved");
  std::string table;
  for (const auto& [name, entry] : crcs) table += (table.empty() ? "" : ",") + entry;
  header.metadata.emplace(kTensorCrcs, "{" + table + "}");
  return header;
}

std::string with_checksum(std::string header) {
  header.insert(kMetadataStart.size(),
                cat("\"", kHeaderCrc, "\":\"", std::string(kCrcDigits, '0'), "\","));
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return header.replace(kChecksumStart.size(), kCrcDigits, header_crc(header));
}

}  // namespace

void save_safetensors(const fs::path& path, std::span<const NamedView> tensors,
                      const Metadata& metadata) {
  std::vector<NamedView> ordered(tensors.begin(), tensors.end());
  const std::string header = with_checksum(format_safetensors_header(lay_out(ordered, metadata)));
  internal_check(header.size() <= kMaxHeaderBytes, "the header of ", path.string(), " would have ",
                 header.size(), " bytes");
  const uint64_t length = header.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  for (const NamedView& tensor : ordered) file.write(bytes_of(tensor.view));
  file.commit();
}

}  // namespace grimace
