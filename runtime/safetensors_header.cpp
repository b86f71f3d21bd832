// An event-driven parser of the header, strict about everything, and its counterpart.
#include "runtime/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "ir/error.h"

namespace grimace {
namespace {

using nlohmann::json;

// In the order of DType, by which formatting looks them up.
struct Name {
  std::string_view text;
  DType dtype;
};
constexpr std::array<Name, 8> kNames{{{"F32", DType::f32},
                                      {"BF16", DType::bf16},
                                      {"F16", DType::f16},
                                      {"F64", DType::f64},
                                      {"I32", DType::i32},
                                      {"I64", DType::i64},
                                      {"U8", DType::u8},
                                      {"BOOL", DType::boolean}}};

// Event-driven, so that memory stays in proportion to the text, whatever it nests or repeats:
// anything that is not part of the format is refused where it begins.
class HeaderReader final : public nlohmann::json_sax<json> {
 public:
  HeaderReader(SafetensorsHeader& header, const std::string& file) : header_(header), file_(file) {}

  bool start_object(std::size_t) override {
    if (place_ == Place::outside)
      place_ = Place::top;
    else if (place_ == Place::top_value)
      place_ = key_ == "__metadata__" ? Place::metadata : Place::tensor;
    else
      refuse("an object");
    return true;
  }
  bool end_object() override {
    if (place_ == Place::tensor) finish_tensor();
    place_ = place_ == Place::top ? Place::outside : Place::top;
    return true;
  }
  bool start_array(std::size_t) override {
    std::optional<std::vector<int64_t>>* list = nullptr;
    if (place_ == Place::tensor && field_ == "shape") list = &shape_;
    if (place_ == Place::tensor && field_ == "data_offsets") list = &offsets_;
    if (list == nullptr) refuse("an array");
    check(!list->has_value(), where(), ": ", field_, " is given twice");
    list->emplace();
    place_ = Place::list;
    return true;
  }
  bool end_array() override {
    place_ = Place::tensor;
    return true;
  }
  bool key(std::string& text) override {
    if (place_ == Place::tensor || place_ == Place::metadata) {
      field_ = text;
      return true;
    }
    check(names_.insert(text).second, file_, ": the header names ", quoted_name(text), " twice");
    key_ = text;
    place_ = Place::top_value;
    return true;
  }
  bool string(std::string& text) override {
    if (place_ == Place::metadata) {
      check(header_.metadata.emplace(field_, text).second, file_, ": the metadata names ",
            quoted_name(field_), " twice");
    } else if (place_ == Place::tensor && field_ == "dtype") {
      check(!dtype_, where(), ": dtype is given twice");
      dtype_ = dtype(text);
    } else {
      refuse("a string");
    }
    return true;
  }
  bool number_unsigned(json::number_unsigned_t value) override {
    if (place_ != Place::list) refuse("a number");
    check(value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()), where(), ": ",
          field_, " holds ", value, ", which no file can have");
    std::vector<int64_t>& list = field_ == "shape" ? *shape_ : *offsets_;
    check(list.size() < kMaxRank, where(), ": ", field_, " has more than ", kMaxRank, " numbers");
    list.push_back(static_cast<int64_t>(value));
    return true;
  }
  bool number_integer(json::number_integer_t) override { refuse("a negative number"); }
  bool number_float(json::number_float_t, const std::string&) override { refuse("a fraction"); }
  bool null() override { refuse("null"); }
  bool boolean(bool) override { refuse("a truth value"); }
  bool binary(json::binary_t&) override { refuse("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    throw Error(cat(file_, ": the header is not valid UTF-8 JSON at byte ", 8 + position,
                    "; the file is damaged or not a safetensors file"));
  }

 private:
  enum class Place { outside, top, top_value, metadata, tensor, list };

  std::string where() const { return cat(file_, ": tensor ", quoted_name(key_)); }

  [[noreturn]] void refuse(const char* what) const {
    const bool inside = place_ == Place::tensor || place_ == Place::list;
    throw Error(
        cat(place_ == Place::outside || place_ == Place::metadata ? file_ : where(),
            ": the header has ", what, " where it must not",
            inside || place_ == Place::metadata ? cat(" (at ", quoted_name(field_), ")") : "",
            "; the file is damaged or not a safetensors file"));
  }

  DType dtype(std::string_view text) const {
    for (const Name& name : kNames)
      if (name.text == text) return name.dtype;
    throw Error(cat(where(), ": element type ", quoted_name(text),
                    " is not known; known are F32, BF16, F16, F64, I32, I64, U8, BOOL"));
  }

  void finish_tensor() {
    check(dtype_ && shape_ && offsets_ && offsets_->size() == 2, where(),
          ": needs dtype, shape and two data_offsets");
    SafetensorsEntry entry{
        .name = key_, .type = {}, .begin = (*offsets_)[0], .end = (*offsets_)[1]};
    try {
      entry.type = {*dtype_, Shape(*shape_)};
    } catch (const Error& error) {
      throw Error(cat(where(), ": ", error.what()));
    }
    check(entry.begin <= entry.end && entry.end - entry.begin == entry.type.bytes(), where(), ": ",
          entry.type, " needs ", entry.type.bytes(), " bytes; data_offsets are [", entry.begin,
          ", ", entry.end, "]");
    header_.entries.push_back(std::move(entry));
    dtype_.reset();
    shape_.reset();
    offsets_.reset();
  }

  SafetensorsHeader& header_;
  const std::string& file_;
  Place place_ = Place::outside;
  std::string key_;              // of the whole header: "__metadata__" or a tensor's name
  std::string field_;            // inside that
  std::set<std::string> names_;  // no hash table: the names are hostile
  std::optional<DType> dtype_;
  std::optional<std::vector<int64_t>> shape_;
  std::optional<std::vector<int64_t>> offsets_;
};

// Stops at anything other than an object of texts.
class TextsReader final : public nlohmann::json_sax<json> {
 public:
  using Take = std::function<bool(const std::string&, const std::string&)>;
  explicit TextsReader(const Take& take) : take_(take) {}

  bool start_object(std::size_t) override { return std::exchange(outside_, false); }
  bool end_object() override { return true; }
  bool key(std::string& text) override {
    key_ = text;
    return true;
  }
  bool string(std::string& text) override { return !outside_ && take_(key_, text); }
  bool start_array(std::size_t) override { return false; }
  bool end_array() override { return false; }
  bool number_unsigned(json::number_unsigned_t) override { return false; }
  bool number_integer(json::number_integer_t) override { return false; }
  bool number_float(json::number_float_t, const std::string&) override { return false; }
  bool null() override { return false; }
  bool boolean(bool) override { return false; }
  bool binary(json::binary_t&) override { return false; }
  bool parse_error(std::size_t, const std::string&, const json::exception&) override {
    return false;
  }

 private:
  const Take& take_;
  std::string key_;
  bool outside_ = true;
};

void check_layout(const std::vector<SafetensorsEntry>& entries, int64_t data_bytes,
                  const std::string& file) {
  int64_t end = 0;
  for (const SafetensorsEntry& entry : entries) {
    check(entry.end <= data_bytes, file, ": tensor ", quoted_name(entry.name), " ends at byte ",
          entry.end, " of the data, which has ", data_bytes, "; the file is truncated or damaged");
    check(entry.begin == end, file, ": tensor ", quoted_name(entry.name), " begins at byte ",
          entry.begin, " of the data, expected ", end,
          "; tensors must neither overlap nor leave gaps");
    end = entry.end;
  }
  check(end == data_bytes, file, ": the tensors fill ", end, " bytes of ", data_bytes,
        "; the file is damaged or has something appended");
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view text, int64_t data_bytes,
                                           const std::string& file) {
  SafetensorsHeader header;
  HeaderReader reader(header, file);
  json::sax_parse(text, &reader);
  std::stable_sort(header.entries.begin(), header.entries.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  check_layout(header.entries, data_bytes, file);
  return header;
}

std::string format_safetensors_header(const SafetensorsHeader& header) {
  std::string out = "{\"__metadata__\":{";
  for (const auto& [key, value] : header.metadata) {
    if (key != header.metadata.begin()->first) out += ",";
    out += json_text(key) + ":" + json_text(value);
  }
  out += "}";
  for (const SafetensorsEntry& entry : header.entries) {
    const json value{{"dtype", kNames[static_cast<size_t>(entry.type.dtype)].text},
                     {"shape", entry.type.shape.to_vector()},
                     {"data_offsets", {entry.begin, entry.end}}};
    out += cat(",", json_text(entry.name), ":", value.dump());
  }
  return out + "}";
}

std::string json_text(const std::string& text) {
  try {
    return json(text).dump();
  } catch (const json::type_error&) {
    throw Error(cat("cannot save ", quoted_name(text), " in a file: it is not UTF-8 text"));
  }
}

bool read_json_texts(std::string_view text, const TextsReader::Take& take) {
  TextsReader reader(take);
  return json::sax_parse(text, &reader);
}

std::string quoted_name(std::string_view name) {
  constexpr size_t kLongest = 120;
  const std::string shown =
      json(name.substr(0, kLongest)).dump(-1, ' ', true, json::error_handler_t::replace);
  return name.size() > kLongest ? shown + "..." : shown;
}

}  // namespace grimace
