// The file is JSON: {"format": 1, "device": ..., "driver": ..., "library": ..., "choices": {key:
// 128 hexadecimal digits}}.
#include "backends/cuda/libraries/algorithm_cache.h"

#include <cctype>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "ir/error.h"
#include "runtime/atomic_file.h"
#include "runtime/input_file.h"
#include "runtime/log.h"

namespace grimace::cuda {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr int kFormat = 1;
constexpr int64_t kMaxBytes = int64_t{4} << 20;
constexpr size_t kMaxChoices = 10000;
constexpr size_t kMaxKey = 200;
constexpr std::string_view kDigits = "0123456789abcdef";

// Of a device's name, what is good in the name of a file.
std::string file_name(const AlgorithmOwner& owner) {
  std::string device = owner.device.substr(0, 64);
  for (char& c : device)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '-';
  return cat("cublaslt-", device, "-", owner.driver, "-", owner.library, ".json");
}

std::string to_hex(const AlgorithmCache::Algorithm& algorithm) {
  std::string text;
  for (const std::byte byte : algorithm) {
    text += kDigits[std::to_integer<size_t>(byte >> 4)];
    text += kDigits[std::to_integer<size_t>(byte & std::byte{15})];
  }
  return text;
}

AlgorithmCache::Algorithm from_hex(const std::string& text) {
  AlgorithmCache::Algorithm algorithm;
  check(text.size() == 2 * algorithm.size(), "an algorithm must have ", 2 * algorithm.size(),
        " digits; got ", text.size());
  for (size_t i = 0; i < algorithm.size(); ++i) {
    const size_t high = kDigits.find(text[2 * i]);
    const size_t low = kDigits.find(text[2 * i + 1]);
    check(high != kDigits.npos && low != kDigits.npos, "an algorithm holds '",
          printable(text.substr(2 * i, 2)), "', which is not hexadecimal");
    algorithm[i] = static_cast<std::byte>(high << 4 | low);
  }
  return algorithm;
}

std::string text_of(const fs::path& file) {
  const InputFile input(file, "a cache of algorithms");
  check(input.size() <= kMaxBytes, "it has ", input.size(), " bytes; expected at most ", kMaxBytes);
  std::string text(static_cast<size_t>(input.size()), '\0');
  input.read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

// json's own errors quote what they read, which may be anything.
json parsed(const std::string& text) {
  json root = json::parse(text, nullptr, false);
  check(root.is_object(), "it is not a JSON object");
  return root;
}

}  // namespace

fs::path AlgorithmCache::default_folder() {
  const auto variable = [](const char* name) -> fs::path {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  if (const fs::path own = variable("GRIMACE_CACHE"); !own.empty()) return own;
  if (const fs::path shared = variable("XDG_CACHE_HOME"); shared.is_absolute())
    return shared / "grimace";
  const fs::path home = variable("HOME");
  return home.empty() ? fs::path() : home / ".cache" / "grimace";
}

AlgorithmCache::AlgorithmCache(const fs::path& folder, AlgorithmOwner owner)
    : owner_(std::move(owner)), file_(folder.empty() ? fs::path() : folder / file_name(owner_)) {
  choices_ = read();
}

AlgorithmCache::Choices AlgorithmCache::read() const {
  std::error_code code;
  if (file_.empty() || !fs::exists(file_, code)) return {};
  try {
    const json root = parsed(text_of(file_));
    check(root.value("format", 0) == kFormat, "its format is not ", kFormat);
    const AlgorithmOwner owner{root.value("device", ""), root.value("driver", int64_t{0}),
                               root.value("library", int64_t{0})};
    check(owner == owner_, "it was made by another device, driver or library");
    const json& choices = root.at("choices");
    check(choices.is_object() && choices.size() <= kMaxChoices,
          "choices must be an object of at most ", kMaxChoices, " entries");
    Choices result;
    for (const auto& [key, value] : choices.items()) {
      check(key.size() <= kMaxKey, "a key has ", key.size(), " characters; expected at most ",
            kMaxKey);
      result[key] = from_hex(value.get_ref<const std::string&>());
    }
    return result;
  } catch (const json::exception&) {
    warn(cat(file_.string(), " is ignored: a field is missing or has the wrong type"));
  } catch (const std::runtime_error& error) {
    warn(cat(file_.string(), " is ignored: ", error.what()));
  }
  return {};
}

std::optional<AlgorithmCache::Algorithm> AlgorithmCache::find(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto choice = choices_.find(key);
  if (choice == choices_.end()) return std::nullopt;
  return choice->second;
}

void AlgorithmCache::remember(const std::string& key, const Algorithm& algorithm) {
  internal_check(key.size() <= kMaxKey, "a key of ", key.size(), " characters: ", key);
  const std::lock_guard lock(mutex_);
  choices_[key] = algorithm;
  changed_ = true;
}

void AlgorithmCache::save() {
  const std::lock_guard lock(mutex_);
  if (!std::exchange(changed_, false) || file_.empty()) return;
  Choices all = choices_;
  all.merge(read());
  if (all.size() > kMaxChoices) all = choices_;
  json choices = json::object();
  for (const auto& [key, algorithm] : all) choices[key] = to_hex(algorithm);
  const json root{{"format", kFormat},
                  {"device", owner_.device},
                  {"driver", owner_.driver},
                  {"library", owner_.library},
                  {"choices", choices}};
  try {
    fs::create_directories(file_.parent_path());
    write_text(file_, root.dump(1) + "\n");
  } catch (const std::exception& error) {
    warn(cat("the choice of algorithms is not kept, and is made again next time: ", error.what()));
  }
}

}  // namespace grimace::cuda
