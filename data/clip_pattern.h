// Finds clips in a folder by the form of their paths, and reads from a path what the clip is.
//
// A pattern is a relative path; between its slashes each part is matched with one folder name:
//   ?          any one character
//   *          any characters, or none
//   {label}    one or more characters, as few as fit: the expression, as the data set writes it
//   {name}     the same: the clip's name in the data set's own lists; the parts of a pattern that
//              has it several times are joined by slashes
//   {subject}  digits, as many as stand together: who is seen
//   all else   itself
// Its last part is the clip: a folder of frames, or the name of a file without its extension.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace grimace {

struct PathFields {
  std::string label = {};
  std::string name = {};
  std::optional<int64_t> subject = std::nullopt;
};

struct FoundClip {
  std::filesystem::path path;
  PathFields fields;
};

struct PassedOver {
  std::filesystem::path path;
  std::string reason;
};

struct FoundClips {
  std::vector<FoundClip> clips;         // sorted by path
  std::vector<PassedOver> passed_over;  // what is like a clip, but of another form, or empty
};

class ClipPattern {
 public:
  // Error naming the pattern and what is wrong with it: an unknown field, a lone brace, a part that
  // is empty, "." or "..", more than 500 bytes.
  explicit ClipPattern(std::string text);

  const std::string& text() const { return text_; }
  bool has(std::string_view field) const;  // "label"
  // The fields if the path, relative and without extension, is of this form.
  std::optional<PathFields> match(std::string_view path) const;
  // Opens no folder deeper than the pattern says, and frames of folders only until one is seen.
  FoundClips find(const std::filesystem::path& root) const;

 private:
  enum class Kind { literal, any_one, any, label, name, subject };
  struct Token {
    Kind kind;
    char letter;  // of a literal
  };
  using Part = std::vector<Token>;  // what stands between two slashes
  static Part parse_part(const std::string& text, std::string_view part);
  static Kind field_kind(const std::string& text, std::string_view field);
  static std::vector<size_t> ends(const Token& token, std::string_view name, size_t at);
  static bool all_literal(const Part& part);
  static bool match_part(const Part& part, std::string_view name, PathFields& fields);
  void find_in(const std::filesystem::path& folder, size_t depth, const PathFields& fields,
               FoundClips& found) const;

  std::string text_;
  std::vector<Part> parts_;
};

}  // namespace grimace
