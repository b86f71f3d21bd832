// One Format per element type: its bits, the number it stands for, and both ways of text.
#include "ir/constant_text.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "ir/error.h"
#include "ir/float16.h"

namespace grimace {
namespace {

// How a stored element is written: as the number type `Wide`; `Bits` holds its bit pattern.
template <typename Stored, typename Wide, typename UInt>
struct Format {
  using Bits = UInt;
  static constexpr bool is_float = std::is_floating_point_v<Wide>;

  static Wide widen(UInt bits) { return static_cast<Wide>(std::bit_cast<Stored>(bits)); }
  static UInt narrow(Wide value) { return std::bit_cast<UInt>(Stored(value)); }
  static UInt standard_nan() { return narrow(std::numeric_limits<Wide>::quiet_NaN()); }

  static void append(std::string& out, UInt bits) {
    std::array<char, 40> buffer{};
    char* const end = buffer.data() + buffer.size();
    const Wide value = widen(bits);
    if (value != value && bits != standard_nan()) {
      out += "0x";
      out.append(buffer.data(), std::to_chars(buffer.data(), end, bits, 16).ptr);
    } else {
      out.append(buffer.data(), std::to_chars(buffer.data(), end, value).ptr);
    }
  }

  static UInt parse(std::string_view token) {
    const auto number = [&](std::string_view text, auto value, auto... base) {
      const char* const end = text.data() + text.size();
      const auto [stop, status] = std::from_chars(text.data(), end, value, base...);
      check(status != std::errc::result_out_of_range, "the value ", token.substr(0, 40),
            " is out of range");
      check(status == std::errc{} && stop == end, "expected a value, got '", token.substr(0, 40),
            "'");
      return value;
    };
    if constexpr (is_float) {
      if (token == "nan") return standard_nan();
      if (token.starts_with("0x")) return number(token.substr(2), UInt{}, 16);
    }
    const Wide value = number(token, Wide{});
    const UInt bits = narrow(value);
    if constexpr (is_float)
      check(std::isfinite(widen(bits)) || !std::isfinite(value), "the value ", token.substr(0, 40),
            " is out of range");
    return bits;
  }
};

struct BoolFormat : Format<uint8_t, uint8_t, uint8_t> {
  static uint8_t parse(std::string_view token) {
    check(token == "0" || token == "1", "expected 0 or 1, got '", token.substr(0, 40), "'");
    return token == "1" ? 1 : 0;
  }
};

template <typename Visit>
auto with_format(DType dtype, Visit&& visit) {
  switch (dtype) {
    case DType::f32:
      return visit(Format<float, float, uint32_t>{});
    case DType::bf16:
      return visit(Format<bf16, float, uint16_t>{});
    case DType::f16:
      return visit(Format<f16, float, uint16_t>{});
    case DType::f64:
      return visit(Format<double, double, uint64_t>{});
    case DType::i32:
      return visit(Format<int32_t, int32_t, uint32_t>{});
    case DType::i64:
      return visit(Format<int64_t, int64_t, uint64_t>{});
    case DType::u8:
      return visit(Format<uint8_t, uint8_t, uint8_t>{});
    case DType::boolean:
      return visit(BoolFormat{});
  }
  throw InternalError("unknown element type");
}

}  // namespace

std::string constant_to_text(const TensorType& type, std::span<const std::byte> data) {
  return with_format(type.dtype, [&](auto format) {
    typename decltype(format)::Bits bits{};
    std::string out = "[";
    for (size_t at = 0; at + sizeof(bits) <= data.size(); at += sizeof(bits)) {
      if (at > 0) out += ',';
      std::memcpy(&bits, data.data() + at, sizeof(bits));
      format.append(out, bits);
    }
    return out + "]";
  });
}

std::vector<std::byte> constant_from_text(const TensorType& type, std::string_view text) {
  check(text.size() >= 2 && text.front() == '[' && text.back() == ']',
        "expected the values in brackets, such as [0.5,-1,nan]");
  text = text.substr(1, text.size() - 2);
  return with_format(type.dtype, [&](auto format) {
    std::vector<std::byte> data;
    int64_t count = 0;
    for (bool more = !text.empty(); more; ++count) {
      const size_t comma = text.find(',');
      const auto bits = format.parse(text.substr(0, comma));
      const auto* bytes = reinterpret_cast<const std::byte*>(&bits);
      data.insert(data.end(), bytes, bytes + sizeof(bits));
      more = comma != std::string_view::npos;
      text.remove_prefix(more ? comma + 1 : text.size());
    }
    check(count == type.numel(), "expected ", type.numel(), " values for ", type, ", got ", count);
    return data;
  });
}

}  // namespace grimace
