// The writing half of the container: 64-bit sizes and offsets in every record, so that there is one
// form whatever the size of the file.
#include "ir/error.h"
#include "runtime/pth_zip.h"

namespace grimace {
namespace {

constexpr uint16_t kVersion = 45;       // the first with 64-bit sizes
constexpr uint32_t kIn64 = 0xffffffff;  // the 64-bit field counts
constexpr uint16_t kDate = 1 << 5 | 1;  // 1 January 1980: the same file for the same weights
constexpr int64_t kAlignment = 64;
constexpr uint16_t kPaddingField = 'F' | 'B' << 8;  // as torch.save names it

// Little-endian numbers, one after the other.
class Record {
 public:
  template <typename T>
  Record& put(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  const std::string& text() const { return text_; }
  int64_t size() const { return static_cast<int64_t>(text_.size()); }

 private:
  std::string text_;
};

// What local header and directory share: version, flags, method, time, checksum, sizes, name.
void put_entry(Record& record, uint32_t crc, size_t name_bytes, size_t extra_bytes) {
  record.put(kVersion).put<uint16_t>(0).put<uint16_t>(0).put<uint16_t>(0).put(kDate);
  record.put(crc).put(kIn64).put(kIn64);
  record.put(static_cast<uint16_t>(name_bytes)).put(static_cast<uint16_t>(extra_bytes));
}

}  // namespace

ZipWriter::ZipWriter(const std::filesystem::path& path, std::string top_folder)
    : file_(path), top_folder_(std::move(top_folder)) {}

void ZipWriter::write(std::string_view bytes) {
  file_.write(bytes);
  at_ += static_cast<int64_t>(bytes.size());
}

void ZipWriter::add(std::string_view entry, std::span<const std::byte> bytes) {
  const std::string name = cat(top_folder_, "/", entry);
  const int64_t begin = at_;
  const uint64_t size = bytes.size();
  const uint32_t crc = crc32_of(bytes);
  constexpr int64_t kLocalBytes = 30, kSizesField = 20, kFieldHead = 4;
  const int64_t unpadded =
      begin + kLocalBytes + static_cast<int64_t>(name.size()) + kSizesField + kFieldHead;
  const auto padding = static_cast<size_t>((kAlignment - unpadded % kAlignment) % kAlignment);

  Record local;
  local.put<uint32_t>(0x04034b50);
  put_entry(local, crc, name.size(), kSizesField + kFieldHead + padding);
  write(local.text());
  write(name);
  Record extra;
  extra.put<uint16_t>(1).put<uint16_t>(16).put(size).put(size);
  extra.put(kPaddingField).put(static_cast<uint16_t>(padding));
  write(extra.text() + std::string(padding, 'Z'));
  file_.write(bytes);
  at_ += static_cast<int64_t>(size);

  Record listed;
  listed.put<uint32_t>(0x02014b50).put(kVersion);
  put_entry(listed, crc, name.size(), 28);
  listed.put<uint16_t>(0).put<uint16_t>(0).put<uint16_t>(0).put<uint32_t>(0).put(kIn64);
  Record wide;
  wide.put<uint16_t>(1).put<uint16_t>(24).put(size).put(size).put(begin);
  directory_ += listed.text() + name + wide.text();
  ++count_;
}

void ZipWriter::commit() {
  const int64_t begin = at_;
  write(directory_);
  const auto size = static_cast<int64_t>(directory_.size());
  Record end;
  end.put<uint32_t>(0x06064b50).put<int64_t>(44).put(kVersion).put(kVersion);
  end.put<uint32_t>(0).put<uint32_t>(0).put(count_).put(count_).put(size).put(begin);
  end.put<uint32_t>(0x07064b50).put<uint32_t>(0).put(at_).put<uint32_t>(1);  // the locator
  end.put<uint32_t>(0x06054b50).put<uint16_t>(0).put<uint16_t>(0);
  end.put<uint16_t>(0xffff).put<uint16_t>(0xffff).put(kIn64).put(kIn64).put<uint16_t>(0);
  write(end.text());
  file_.commit();
}

}  // namespace grimace
