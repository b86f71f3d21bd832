// Layout: local header and bytes of each entry, then the directory, then its end record; 64-bit
// forms of sizes and offsets beside the 32-bit ones. All numbers are little-endian.
#include "runtime/pth_zip.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <ostream>

#include "ir/error.h"
#include "runtime/safetensors_header.h"  // quoted_name

namespace grimace {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kEntrySignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kLocatorSignature = 0x07064b50;
constexpr int64_t kLocalBytes = 30, kEntryBytes = 46, kEndBytes = 22, kEnd64Bytes = 56,
                  kLocatorBytes = 20;
constexpr uint16_t kZip64Field = 1;
constexpr uint32_t kIn64 = 0xffffffff;  // in a 32-bit field: the 64-bit one counts
constexpr uint16_t kEncrypted = 1, kSizesFollow = 8;

constexpr int64_t kMaxEntries = 20'000;
constexpr int64_t kMaxDirectoryBytes = int64_t{8} << 20;
constexpr size_t kMaxNameBytes = 500;
constexpr int64_t kMaxCommentBytes = 0xffff;

template <typename T>
T number(std::string_view bytes, int64_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::string read_text(const InputFile& file, int64_t begin, int64_t size) {
  std::string text(static_cast<size_t>(size), '\0');
  file.read(begin, std::as_writable_bytes(std::span(text)));
  return text;
}

// How errors name an entry; text only where it is printed.
struct Where {
  const std::string& file;
  std::string_view entry;
};
std::ostream& operator<<(std::ostream& out, const Where& where) {
  return out << where.file << ": entry " << quoted_name(where.entry);
}

// What the first bytes are, where they are not those of a zip file.
std::string other_kind(std::string_view head) {
  // The number 0x1950a86a20f9469cfc6c as a pickle.
  constexpr std::string_view kOldMagic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19",
                                       14);
  if (head.starts_with(kOldMagic))
    return "is in PyTorch's old format, from before version 1.6; load it in PyTorch and save it "
           "again, which writes the zip format";
  if (head.starts_with("\x80")) return "is a bare pickle; expected the zip format of torch.save";
  if (head.starts_with(std::string_view("\x1f\x8b", 2)) || head.starts_with("BZh"))
    return "is a compressed archive; unpack it first";
  return "is not a PyTorch file: it does not begin like a zip file";
}

// The 64-bit numbers of an extra field, in the order of the 32-bit fields that are full.
void widen(std::string_view extra, std::span<std::optional<int64_t>*> fields, const Where& where) {
  while (extra.size() >= 4) {
    const auto id = number<uint16_t>(extra, 0);
    const auto size = number<uint16_t>(extra, 2);
    check(size <= extra.size() - 4, where, ": has a damaged extra field");
    std::string_view body = extra.substr(4, size);
    for (std::optional<int64_t>* field : fields) {
      if (id != kZip64Field || field->has_value()) continue;
      check(body.size() >= 8, where, ": lacks its 64-bit sizes");
      *field = number<int64_t>(body, 0);
      body.remove_prefix(8);
    }
    extra.remove_prefix(4 + size_t{size});
  }
  for (const std::optional<int64_t>* field : fields)
    check(field->has_value(), where, ": lacks its 64-bit sizes");
}

std::optional<int64_t> narrow(uint32_t value) {
  return value == kIn64 ? std::nullopt : std::optional<int64_t>(value);
}

// Names are looked up, never used as paths; those that would lead elsewhere show bad intent.
void check_name(std::string_view name, const Where& where) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 32 || c == '\\'; };
  const std::string inside = cat("/", name, "/");
  check(!name.empty() && name.size() <= kMaxNameBytes && name.front() != '/' &&
            std::ranges::none_of(name, control) && inside.find("/../") == std::string::npos &&
            inside.find("/./") == std::string::npos && name.find(':') == std::string::npos,
        where, ": its name is not one that a checkpoint has; the file is made to harm");
}

}  // namespace

ZipFile::ZipFile(const std::filesystem::path& path)
    : file_(path, "a .pth file"), where_(path.string()) {
  const std::string head = read_text(file_, 0, std::min<int64_t>(file_.size(), 16));
  check(head.starts_with("PK"), where_, ": ", other_kind(head));
  const Directory directory = find_directory();
  read_directory(directory);
  for (ZipEntry& entry : entries_) place_entry(entry);
  std::ranges::sort(entries_, {}, &ZipEntry::header);
  check_layout(directory.begin);
  drop_top_folder();
}

ZipFile::Directory ZipFile::find_directory() const {
  const int64_t tail_bytes = std::min(file_.size(), kEndBytes + kMaxCommentBytes);
  const int64_t tail_begin = file_.size() - tail_bytes;
  const std::string tail = read_text(file_, tail_begin, tail_bytes);
  int64_t end = tail_bytes - kEndBytes;
  while (end >= 0 && (number<uint32_t>(tail, end) != kEndSignature ||
                      number<uint16_t>(tail, end + 20) != tail_bytes - end - kEndBytes))
    --end;
  check(end >= 0, where_, ": has no directory at its end; the file is truncated");
  check(number<uint32_t>(tail, end + 4) == 0, where_, ": is one part of a divided zip file");
  Directory found{.begin = number<uint32_t>(tail, end + 16),
                  .end = tail_begin + end,
                  .count = number<uint16_t>(tail, end + 10)};
  int64_t size = number<uint32_t>(tail, end + 12);
  const int64_t locator = end - kLocatorBytes;
  if (locator >= 0 && number<uint32_t>(tail, locator) == kLocatorSignature) {
    const auto at = number<int64_t>(tail, locator + 8);
    check(at >= 0 && at <= tail_begin + locator - kEnd64Bytes, where_,
          ": its 64-bit end record lies outside of the file; the file is damaged");
    const std::string record = read_text(file_, at, kEnd64Bytes);
    check(number<uint32_t>(record, 0) == kEnd64Signature, where_,
          ": has no 64-bit end record; the file is damaged");
    found = {.begin = number<int64_t>(record, 48), .end = at, .count = number<int64_t>(record, 32)};
    size = number<int64_t>(record, 40);
  }
  check(
      found.begin >= 0 && size >= 0 && found.begin <= found.end && found.end - found.begin == size,
      where_, ": its directory does not end where its end record begins; the file is damaged");
  check(found.count >= 1 && found.count <= kMaxEntries && size <= kMaxDirectoryBytes, where_,
        ": claims ", found.count, " entries in a directory of ", size, " bytes (limits 1 to ",
        kMaxEntries, " and ", kMaxDirectoryBytes, ")");
  return found;
}

void ZipFile::read_directory(const Directory& directory) {
  const std::string text = read_text(file_, directory.begin, directory.end - directory.begin);
  std::string_view rest = text;
  for (int64_t i = 0; i < directory.count; ++i) {
    check(static_cast<int64_t>(rest.size()) >= kEntryBytes &&
              number<uint32_t>(rest, 0) == kEntrySignature,
          where_, ": its directory is damaged at entry ", i);
    const size_t name_bytes = number<uint16_t>(rest, 28);
    const size_t extra_bytes = number<uint16_t>(rest, 30);
    const size_t bytes = kEntryBytes + name_bytes + extra_bytes + number<uint16_t>(rest, 32);
    check(bytes <= rest.size(), where_, ": its directory is damaged at entry ", i);
    const std::string_view name = rest.substr(kEntryBytes, name_bytes);
    const Where where{where_, name};
    check_name(name, where);
    check((number<uint16_t>(rest, 8) & kEncrypted) == 0, where, ": is encrypted");
    check(number<uint16_t>(rest, 10) == 0, where,
          ": is compressed; torch.save stores entries as they are");
    std::optional<int64_t> size = narrow(number<uint32_t>(rest, 24));
    std::optional<int64_t> stored = narrow(number<uint32_t>(rest, 20));
    std::optional<int64_t> header = narrow(number<uint32_t>(rest, 42));
    std::optional<int64_t>* const wide[] = {&size, &stored, &header};
    std::vector<std::optional<int64_t>*> full;
    std::ranges::copy_if(wide, std::back_inserter(full), [](auto* f) { return !f->has_value(); });
    if (!full.empty()) widen(rest.substr(kEntryBytes + name_bytes, extra_bytes), full, where);
    check(size == stored && *size >= 0 && *header >= 0, where, ": has sizes that do not agree");
    entries_.push_back({.name = std::string(name),
                        .begin = 0,
                        .size = *size,
                        .header = *header,
                        .crc = number<uint32_t>(rest, 16)});
    rest.remove_prefix(bytes);
  }
  check(rest.empty(), where_, ": its directory has more than ", directory.count, " entries");
}

// Where the bytes begin, which only the local header tells.
void ZipFile::place_entry(ZipEntry& entry) const {
  const Where where{where_, entry.name};
  const auto name_bytes = static_cast<int64_t>(entry.name.size());
  check(entry.header <= file_.size() - kLocalBytes - name_bytes, where,
        ": begins outside of the file; the file is truncated or damaged");
  const std::string local = read_text(file_, entry.header, kLocalBytes + name_bytes);
  check(number<uint32_t>(local, 0) == kLocalSignature &&
            number<uint16_t>(local, 26) == name_bytes &&
            std::string_view(local).substr(kLocalBytes) == entry.name &&
            number<uint16_t>(local, 8) == 0,
        where, ": the directory and the entry itself do not agree; the file is damaged");
  const bool sizes_follow = (number<uint16_t>(local, 6) & kSizesFollow) != 0;
  const auto size = number<uint32_t>(local, 22);
  check(sizes_follow || size == kIn64 || size == entry.size, where, ": has two sizes, ", size,
        " and ", entry.size, "; the file is damaged");
  entry.begin = entry.header + kLocalBytes + name_bytes + number<uint16_t>(local, 28);
  check(entry.begin <= file_.size() && entry.size <= file_.size() - entry.begin, where, ": claims ",
        entry.size, " bytes from byte ", entry.begin, " of a file of ", file_.size(),
        "; the file is truncated or damaged");
}

void ZipFile::check_layout(int64_t directory_begin) const {
  for (size_t i = 0; i < entries_.size(); ++i) {
    const int64_t next = i + 1 < entries_.size() ? entries_[i + 1].header : directory_begin;
    check(entries_[i].begin + entries_[i].size <= next, Where{where_, entries_[i].name},
          " overlaps what comes after it; the file is damaged or made to harm");
  }
}

void ZipFile::drop_top_folder() {
  const std::string top = entries_.front().name.substr(0, entries_.front().name.find('/') + 1);
  for (size_t i = 0; i < entries_.size(); ++i) {
    ZipEntry& entry = entries_[i];
    check(!top.empty() && entry.name.starts_with(top), Where{where_, entry.name},
          " is not in one folder with the others; the file is not one of torch.save");
    entry.name.erase(0, top.size());
    check(index_.emplace(entry.name, i).second, Where{where_, entry.name}, " is there twice");
  }
}

const ZipEntry* ZipFile::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

std::vector<char> ZipFile::read(const ZipEntry& entry, int64_t limit) const {
  check(entry.size <= limit, Where{where_, entry.name}, " has ", entry.size, " bytes (limit ",
        limit, "); it is no checkpoint of tensors");
  std::vector<char> bytes(static_cast<size_t>(entry.size));
  file_.read(entry.begin, std::as_writable_bytes(std::span(bytes)));
  check_crc(entry, crc32_of(std::as_bytes(std::span(bytes))));
  return bytes;
}

void ZipFile::check_crc(const ZipEntry& entry, uint32_t crc) const {
  check(crc == entry.crc, Where{where_, entry.name},
        " does not match its checksum; the file is damaged, use another copy");
}

}  // namespace grimace
