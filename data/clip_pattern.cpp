#include "data/clip_pattern.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "data/frame_folder.h"
#include "ir/error.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

constexpr size_t kMaxPattern = 500;
constexpr size_t kMaxDigits = 18;  // of a number that fits 64 bits
constexpr size_t kMaxClips = 10'000'000;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_video(const fs::path& path) {
  constexpr std::array kExtensions{".mp4", ".avi", ".flv", ".mov",  ".mkv",
                                   ".m4v", ".mpg", ".wmv", ".mpeg", ".webm"};
  std::string extension = path.extension().string();
  for (char& c : extension)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return std::ranges::find(kExtensions, extension) != kExtensions.end();
}

// A list holds one clip a line.
bool fits_a_line(const std::string& path) {
  return std::ranges::none_of(path, [](char c) { return static_cast<unsigned char>(c) < ' '; });
}

// Sorted, without hidden ones.
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code failed;
  fs::directory_iterator at(folder, failed);
  for (; !failed && at != fs::directory_iterator(); at.increment(failed))
    if (!at->path().filename().string().starts_with('.')) entries.push_back(at->path());
  check(!failed, folder.string(), ": cannot be listed: ", failed.message());
  std::ranges::sort(entries);
  return entries;
}

enum class Content { frames, clips, neither };

Content content_of(const fs::path& folder) {
  Content content = Content::neither;
  std::error_code failed, ignored;
  fs::directory_iterator at(folder, failed);
  for (; !failed && at != fs::directory_iterator(); at.increment(failed)) {
    if (is_picture(at->path())) return Content::frames;
    if (at->is_directory(ignored) || is_video(at->path())) content = Content::clips;
  }
  return content;
}

// Past the digits that stand together from `at` on; `at` where there are none or they begin
// earlier.
size_t digits_end(std::string_view name, size_t at) {
  if (at > 0 && is_digit(name[at - 1])) return at;
  while (at < name.size() && is_digit(name[at])) ++at;
  return at;
}

void append_part(std::string& text, std::string_view part) {
  if (!text.empty()) text += '/';
  text += part;
}

std::string without_extension(const fs::path& path, bool folder) {
  return folder ? path.filename().string() : path.stem().string();
}

}  // namespace

// The places where the rest of a name can begin after a token, least first.
std::vector<size_t> ClipPattern::ends(const Token& token, std::string_view name, size_t at) {
  const auto one = [&](bool fits) { return fits ? std::vector{at + 1} : std::vector<size_t>(); };
  switch (token.kind) {
    case Kind::literal:
      return one(at < name.size() && name[at] == token.letter);
    case Kind::any_one:
      return one(at < name.size());
    case Kind::subject: {
      const size_t end = digits_end(name, at);
      return end > at && end - at <= kMaxDigits ? std::vector{end} : std::vector<size_t>();
    }
    default:
      break;
  }
  std::vector<size_t> all;
  for (size_t end = at + (token.kind == Kind::any ? 0 : 1); end <= name.size(); ++end)
    all.push_back(end);
  return all;
}

// Then what differs has nothing to do with clips.
bool ClipPattern::all_literal(const Part& part) {
  return std::ranges::all_of(part, [](const Token& t) { return t.kind == Kind::literal; });
}

bool ClipPattern::match_part(const Part& part, std::string_view name, PathFields& fields) {
  // fits[t][at]: the tokens from t on match the name from `at` on.
  std::vector<std::vector<bool>> fits(part.size() + 1, std::vector<bool>(name.size() + 1));
  fits[part.size()][name.size()] = true;
  const auto next = [&](size_t t, size_t at) -> std::optional<size_t> {
    for (const size_t end : ends(part[t], name, at))
      if (fits[t + 1][end]) return end;
    return std::nullopt;
  };
  for (size_t t = part.size(); t-- > 0;)
    for (size_t at = 0; at <= name.size(); ++at) fits[t][at] = next(t, at).has_value();
  if (!fits[0][0]) return false;
  size_t at = 0;
  for (size_t t = 0; t < part.size(); ++t) {
    const size_t end = *next(t, at);
    const std::string_view text = name.substr(at, end - at);
    if (part[t].kind == Kind::label) append_part(fields.label, text);
    if (part[t].kind == Kind::name) append_part(fields.name, text);
    if (part[t].kind == Kind::subject) {
      int64_t number = 0;
      std::from_chars(text.data(), text.data() + text.size(), number);
      fields.subject = number;
    }
    at = end;
  }
  return true;
}

ClipPattern::Kind ClipPattern::field_kind(const std::string& text, std::string_view field) {
  if (field == "{label}") return Kind::label;
  if (field == "{name}") return Kind::name;
  check(field == "{subject}", "the pattern '", text,
        "': expected {label}, {name} or {subject}, got '", field, "'");
  return Kind::subject;
}

ClipPattern::Part ClipPattern::parse_part(const std::string& text, std::string_view part) {
  check(!part.empty() && part != "." && part != "..", "the pattern '", text,
        "' has an empty part, '.' or '..' between its slashes; it starts at the data set's folder");
  Part tokens;
  for (size_t at = 0; at < part.size(); ++at) {
    const char c = part[at];
    if (c == '*' || c == '?') {
      tokens.push_back({c == '*' ? Kind::any : Kind::any_one, c});
    } else if (c == '{') {
      const size_t end = std::min(part.find('}', at), part.size() - 1);
      tokens.push_back({field_kind(text, part.substr(at, end - at + 1)), c});
      at = end;
    } else {
      check(c != '}', "the pattern '", text, "' has a } without its {");
      tokens.push_back({Kind::literal, c});
    }
  }
  return tokens;
}

ClipPattern::ClipPattern(std::string text) : text_(std::move(text)) {
  check(!text_.empty() && text_.size() <= kMaxPattern, "a pattern has 1 to ", kMaxPattern,
        " bytes; got ", text_.size());
  for (size_t start = 0; start <= text_.size();) {
    const size_t end = std::min(text_.find('/', start), text_.size());
    parts_.push_back(parse_part(text_, std::string_view(text_).substr(start, end - start)));
    start = end + 1;
  }
}

bool ClipPattern::has(std::string_view field) const {
  return text_.find(cat("{", field, "}")) != std::string::npos;
}

std::optional<PathFields> ClipPattern::match(std::string_view path) const {
  PathFields fields;
  for (const Part& part : parts_) {
    const size_t end = std::min(path.find('/'), path.size());
    if (!match_part(part, path.substr(0, end), fields)) return std::nullopt;
    const bool last = &part == &parts_.back();
    if (last != (end == path.size())) return std::nullopt;
    path.remove_prefix(last ? end : end + 1);
  }
  return fields;
}

FoundClips ClipPattern::find(const fs::path& root) const {
  FoundClips found;
  find_in(root, 0, {}, found);
  return found;
}

void ClipPattern::find_in(const fs::path& folder, size_t depth, const PathFields& fields,
                          FoundClips& found) const {
  const bool last = depth + 1 == parts_.size();
  for (const fs::path& entry : entries_of(folder)) {
    std::error_code failed;
    const bool is_folder = fs::is_directory(entry, failed);
    if (!is_folder && !(last && (is_video(entry) || is_picture(entry)))) continue;
    const auto pass_over = [&](const char* reason) {
      found.passed_over.push_back({entry, reason});
    };
    PathFields further = fields;
    if (!match_part(parts_[depth], without_extension(entry, is_folder), further)) {
      if (!all_literal(parts_[depth])) pass_over("of another form");
    } else if (!last) {
      find_in(entry, depth + 1, further, found);
    } else if (!fits_a_line(entry.string())) {
      pass_over("with a control character in the name");
    } else if (const Content content = is_folder ? content_of(entry) : Content::frames;
               content == Content::frames) {
      found.clips.push_back({entry, std::move(further)});
    } else if (content == Content::neither) {
      pass_over("without .jpg or .png frames");
    }
    check(found.clips.size() + found.passed_over.size() <= kMaxClips, folder.string(),
          ": more than ", kMaxClips, " clips");
  }
}

}  // namespace grimace
