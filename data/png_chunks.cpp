#include "data/png_chunks.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "ir/error.h"

namespace grimace {
namespace {

constexpr size_t kSignature = 8;
constexpr size_t kFrame = 12;  // of a chunk: length and type before its data, checksum behind

constexpr std::array<std::string_view, 10> kPictureChunks{"IHDR", "PLTE", "tRNS", "IDAT", "IEND",
                                                          "gAMA", "cHRM", "sRGB", "sBIT", "cICP"};

size_t big_endian(std::span<const uint8_t> bytes) {
  size_t value = 0;
  for (const uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

}  // namespace

size_t keep_picture_chunks(const std::string& file, std::span<uint8_t> png) {
  size_t kept = std::min(kSignature, png.size());
  for (size_t at = kept; at < png.size();) {
    const size_t left = png.size() - at;
    const size_t length = left < kFrame ? 0 : big_endian(png.subspan(at, 4));
    check(left >= kFrame && length <= left - kFrame, file,
          ": the picture is damaged or truncated: the chunk at byte ", at, " needs ",
          length + kFrame, " bytes and there are ", left);
    const std::string_view type(reinterpret_cast<const char*>(png.data()) + at + 4, 4);
    const bool last = type == "IEND";
    if (std::ranges::find(kPictureChunks, type) != kPictureChunks.end()) {
      std::copy_n(png.begin() + static_cast<ptrdiff_t>(at), length + kFrame,
                  png.begin() + static_cast<ptrdiff_t>(kept));
      kept += length + kFrame;
    }
    if (last) break;
    at += length + kFrame;
  }
  return kept;
}

}  // namespace grimace
