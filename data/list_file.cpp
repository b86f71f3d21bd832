#include "data/list_file.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string_view>

#include "ir/error.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

constexpr size_t kMaxLine = size_t{64} << 10;
constexpr size_t kMaxEntries = 10'000'000;
constexpr std::string_view kForms =
    "expected '<path> <integer>' with a single space, or a CSV header with a column 'file' or "
    "'path'";

// At most this much of a bad line is shown.
std::string excerpt(std::string_view text) {
  constexpr size_t kShown = 60;
  return text.size() <= kShown ? std::string(text) : std::string(text.substr(0, kShown)) + "...";
}

bool is_integer(std::string_view text) {
  int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && end == text.data() + text.size();
}

// Lines of a text file with a bound on their length, without their line ends.
class LineReader {
 public:
  explicit LineReader(const fs::path& file) : file_(file) {
    std::error_code failed;
    check(fs::exists(file, failed), file.string(), ": the list file does not exist");
    check(fs::is_regular_file(file, failed), file.string(), ": the list is not a regular file");
    in_.open(file, std::ios::binary);
    check(in_.is_open(), file.string(), ": the list file cannot be opened");
  }

  // The next line that is neither blank nor a comment; false at the end.
  bool next() {
    while (read_line()) {
      const size_t last = text_.find_last_not_of(" \t\r");
      text_.resize(last == std::string::npos ? 0 : last + 1);
      if (!text_.empty() && text_[0] != '#') return true;
    }
    return false;
  }

  const std::string& text() const { return text_; }
  int64_t number() const { return number_; }
  std::string place() const { return cat(file_.string(), ":", number_); }

 private:
  bool read_line() {
    text_.clear();
    ++number_;
    for (int ch = in_.get(); ch != '\n'; ch = in_.get()) {
      if (ch == std::char_traits<char>::eof()) {
        check(in_.eof(), file_.string(), ": reading the list failed");
        return !text_.empty();
      }
      check(ch != '\0', place(), ": not a text file");
      check(text_.size() < kMaxLine, place(), ": a line of more than ", kMaxLine, " bytes");
      text_.push_back(static_cast<char>(ch));
    }
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (number_ == 1 && text_.starts_with(kByteOrderMark)) text_.erase(0, kByteOrderMark.size());
    return true;
  }

  fs::path file_;
  std::ifstream in_;
  std::string text_;
  int64_t number_ = 0;
};

// One line of CSV. A quoted field may hold commas and, doubled, quotes.
std::vector<std::string> split_csv(const LineReader& line) {
  const std::string& text = line.text();
  std::vector<std::string> fields;
  size_t at = 0;
  while (true) {
    std::string field;
    if (at < text.size() && text[at] == '"') {
      for (++at;; ++at) {
        check(at < text.size(), line.place(), ": a quoted field has no closing quote");
        if (text[at] != '"')
          field.push_back(text[at]);
        else if (at + 1 < text.size() && text[at + 1] == '"')
          field.push_back(text[++at]);
        else
          break;
      }
      ++at;
      check(at == text.size() || text[at] == ',', line.place(),
            ": expected a comma after the closing quote; got '", text.substr(at, 1), "'");
    } else {
      const size_t end = std::min(text.find(',', at), text.size());
      field = text.substr(at, end - at);
      at = end;
    }
    fields.push_back(std::move(field));
    if (at == text.size()) return fields;
    ++at;
  }
}

struct Columns {
  size_t count = 0;
  size_t path = 0;
  std::optional<size_t> label;
};

// The columns if the line is a header with a path column.
std::optional<Columns> parse_header(const LineReader& line, const std::string& path_column) {
  if (line.text().find(' ') != std::string::npos && line.text().find(',') == std::string::npos)
    return std::nullopt;
  const std::vector<std::string> names = split_csv(line);
  const auto find = [&](std::string_view name) -> std::optional<size_t> {
    const auto at = std::find(names.begin(), names.end(), name);
    if (at == names.end()) return std::nullopt;
    return static_cast<size_t>(at - names.begin());
  };
  std::optional<size_t> path = find("file");
  if (!path) path = find("path");
  if (!path && !path_column.empty()) path = find(path_column);
  if (!path) return std::nullopt;
  return Columns{names.size(), *path, find("label")};
}

ListEntry parse_csv(const LineReader& line, const Columns& columns) {
  const std::vector<std::string> fields = split_csv(line);
  check(fields.size() == columns.count, line.place(), ": ", fields.size(),
        " fields where the header has ", columns.count);
  check(!fields[columns.path].empty(), line.place(), ": the path is empty");
  ListEntry entry{fields[columns.path], std::nullopt, line.number()};
  if (columns.label && !fields[*columns.label].empty()) entry.label = fields[*columns.label];
  return entry;
}

// The reference takes the first two fields; more are allowed when the second is the integer.
ListEntry parse_spaced(const LineReader& line, bool named_labels) {
  const std::string_view text = line.text();
  const size_t space = text.find(' ');
  check(space != std::string_view::npos && space > 0, line.place(), ": ", kForms, "; got '",
        excerpt(text), "'");
  const std::string_view rest = text.substr(space + 1);
  const std::string_view label = rest.substr(0, rest.find(' '));
  check(is_integer(label) || named_labels, line.place(),
        ": the label after the first space must be an integer; ", "got '", excerpt(label),
        "' (paths with spaces need the CSV form)");
  return {std::string(text.substr(0, space)), std::string(label), line.number()};
}

void resolve(ListEntry& entry, const fs::path& root, bool append_mp4) {
  const bool dotted = entry.path.filename().string().find('.') != std::string::npos;
  if (entry.path.is_relative()) entry.path = root / entry.path;
  std::error_code ignored;
  if (append_mp4 && !dotted && !fs::is_directory(entry.path, ignored)) entry.path += ".mp4";
}

}  // namespace

std::string ListFile::place(const ListEntry& entry) const {
  return cat(file.string(), ":", entry.line);
}

ListFile read_list(const fs::path& file, const ListOptions& options) {
  if (options.root)
    check(fs::is_directory(*options.root), options.root->string(),
          ": the root of the list's paths is not a folder");
  const fs::path root = options.root ? *options.root : file.parent_path();
  LineReader line(file);
  ListFile list{file, {}};
  bool more = line.next();
  const std::optional<Columns> columns =
      more ? parse_header(line, options.path_column) : std::nullopt;
  if (columns) more = line.next();
  for (; more; more = line.next()) {
    list.entries.push_back(columns ? parse_csv(line, *columns)
                                   : parse_spaced(line, options.named_labels));
    if (!options.as_written) resolve(list.entries.back(), root, options.append_mp4 && !columns);
    check(list.entries.size() <= kMaxEntries, line.place(), ": more than ", kMaxEntries, " clips");
  }
  check(!list.entries.empty(), file.string(), ": the list names no clips");
  return list;
}

}  // namespace grimace
