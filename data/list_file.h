// The files that list a data set's clips. Source: spec 8.1, and a CSV form with a header.
//
// Space form:  <path> <integer>              one clip per line, a single space between
// CSV form:    file,person,label             a header with a column `file` or `path` and perhaps
//              "a, b.mp4",p1,anger           `label`; other columns are ignored; fields may be
//                                            quoted, with "" for a quote
// Both: blank lines and lines that start with # are skipped, CRLF is accepted, UTF-8.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace grimace {

struct ListEntry {
  std::filesystem::path path;        // as it can be opened: joined with the root
  std::optional<std::string> label;  // an integer or a class name; nothing where unlabelled
  int64_t line = 0;                  // 1-based
};

struct ListFile {
  std::filesystem::path file;
  std::vector<ListEntry> entries;  // never empty

  std::string place(const ListEntry& entry) const;  // "clips.csv:12"
};

struct ListOptions {
  // Relative paths start here; without it, at the folder of the list.
  std::optional<std::filesystem::path> root = std::nullopt;
  // Space form: a path whose last component has no dot gets ".mp4", unless it is a folder.
  bool append_mp4 = true;

  // For the lists that data sets come with:
  bool as_written = false;       // paths are not joined with a root, and get no ".mp4"
  std::string path_column = {};  // of a CSV header, beside `file` and `path`
  bool named_labels = false;     // space form: a label need not be an integer
};

// Clips need not exist. Error naming the file and the line when the list is missing, empty, not
// text, too large (10 million clips, 64 KiB a line), or not in one of the two forms.
ListFile read_list(const std::filesystem::path& file, const ListOptions& options = {});

}  // namespace grimace
