#include "data/labels.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "ir/error.h"

namespace grimace {
namespace {

constexpr size_t kMaxName = 200;  // bytes of a class name
constexpr const char* kWhy = ", as their confusion matrix is kept and printed whole";

std::optional<int64_t> as_number(std::string_view text) {
  int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void check_number(const ListFile& list, const ListEntry& entry, int64_t number, int64_t classes) {
  check(number >= 0 && number < classes, list.place(entry), ": label ", number,
        " is out of range; the classes are 0..", classes - 1);
}

void check_name(const std::string& where, const std::string& name) {
  const bool printable = std::all_of(name.begin(), name.end(), [](char ch) {
    return static_cast<unsigned char>(ch) >= ' ' && ch != '\x7f';
  });
  check(!name.empty() && name.size() <= kMaxName && printable, where,
        ": a class name must have 1..", kMaxName, " printable characters");
}

// The first few names, to show what would have been right.
std::string shown(const std::vector<std::string>& classes) {
  constexpr size_t kShown = 12;
  std::string text;
  for (size_t i = 0; i < std::min(classes.size(), kShown); ++i)
    text += (i > 0 ? ", " : "") + classes[i];
  return text + (classes.size() > kShown ? ", ..." : "");
}

// The classes that labelled entries speak of.
std::vector<std::string> find_classes(const ListFile& list) {
  const bool numbers = as_number(*list.entries.front().label).has_value();
  int64_t highest = 0;
  std::set<std::string> names;
  for (const ListEntry& entry : list.entries) {
    const std::string where = list.place(entry);
    const auto number = as_number(*entry.label);
    if (number && numbers) {
      check_number(list, entry, *number, kMaxClasses);
      highest = std::max(highest, *number);
      continue;
    }
    check_name(where, *entry.label);
    check(number.has_value() == numbers, where, ": the label '", *entry.label, "' is a ",
          number ? "number" : "name", ", those before are ", numbers ? "numbers" : "names",
          "; name the classes");
    names.insert(*entry.label);
    check(std::ssize(names) <= kMaxClasses, where, ": more than ", kMaxClasses, " classes", kWhy);
  }
  if (numbers) return numbered_classes(highest + 1);
  return {names.begin(), names.end()};
}

std::map<std::string, int32_t, std::less<>> number_classes(
    const std::vector<std::string>& classes) {
  check(std::ssize(classes) <= kMaxClasses, classes.size(), " classes; there can be at most ",
        kMaxClasses, kWhy);
  std::map<std::string, int32_t, std::less<>> numbers;
  for (const std::string& name : classes) {
    check_name("the class names", name);
    const auto next = static_cast<int32_t>(numbers.size());
    check(numbers.emplace(name, next).second, "the class names: '", name, "' is there twice");
  }
  return numbers;
}

}  // namespace

std::vector<std::string> numbered_classes(int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
  return names;
}

LabelledClips label_clips(ListFile list, std::vector<std::string> classes) {
  LabelledClips clips;
  clips.unlabelled =
      std::erase_if(list.entries, [](const ListEntry& entry) { return !entry.label; });
  check(!list.entries.empty(), list.file.string(), ": none of its ", clips.unlabelled,
        " clips has a label");
  if (classes.empty()) classes = find_classes(list);
  const auto numbers = number_classes(classes);
  for (const ListEntry& entry : list.entries) {
    const auto named = numbers.find(*entry.label);
    const auto number =
        named != numbers.end() ? std::optional<int64_t>(named->second) : as_number(*entry.label);
    if (!number) check_name(list.place(entry), *entry.label);
    check(number.has_value(), list.place(entry), ": the label '", *entry.label, "' is none of the ",
          classes.size(), " classes ", shown(classes));
    check_number(list, entry, *number, std::ssize(classes));
    clips.labels.push_back(static_cast<int32_t>(*number));
  }
  clips.list = std::move(list);
  clips.classes = std::move(classes);
  return clips;
}

}  // namespace grimace
