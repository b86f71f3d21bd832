#include "data/prepare_lists.h"

#include <algorithm>
#include <optional>
#include <set>

#include "data/list_file.h"
#include "ir/error.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

void leave_out(PreparedLists& lists, const std::string& reason, const std::string& example) {
  LeftOut& left = lists.left_out[reason];
  if (left.count++ == 0) left.example = example;
}

// Position of the class that the data set writes like this; a class' own name is understood as
// well.
std::optional<size_t> class_of(const Corpus& corpus, const std::string& label) {
  const auto code =
      std::ranges::find(corpus.labels, label, [](const auto& pair) { return pair.first; });
  const std::string& name = code == corpus.labels.end() ? label : code->second;
  const auto found = std::ranges::find(corpus.classes, name);
  if (found == corpus.classes.end()) return std::nullopt;
  return static_cast<size_t>(found - corpus.classes.begin());
}

std::string known_labels(const Corpus& corpus) {
  return joined(corpus.labels, ", ", [](const auto& label) { return label.first; });
}

// ---- Finding clips ----

// Clips of one group of patterns, each once. What one pattern passes over another may find.
FoundClips find_clips(const fs::path& root, const std::vector<std::string>& patterns) {
  FoundClips all;
  std::set<fs::path> found;
  std::map<fs::path, std::string> passed_over;
  for (const std::string& pattern : patterns) {
    FoundClips some = ClipPattern(pattern).find(root);
    for (FoundClip& clip : some.clips)
      if (found.insert(clip.path).second) all.clips.push_back(std::move(clip));
    for (PassedOver& other : some.passed_over) passed_over.emplace(other.path, other.reason);
  }
  for (const auto& [path, reason] : passed_over)
    if (!found.contains(path)) all.passed_over.push_back({path, reason});
  return all;
}

std::string quoted(const std::vector<std::string>& patterns) {
  return joined(patterns, ", ", [](const std::string& p) { return "'" + p + "'"; });
}

// A clip must tell what its place in the lists depends on.
void check_fields(const Corpus& corpus, const std::vector<std::string>& patterns) {
  const bool listed = corpus.test_persons.empty();
  for (const std::string& text : patterns) {
    const ClipPattern pattern(text);
    for (const char* field : {listed ? "name" : "label", listed ? "name" : "subject"})
      check(pattern.has(field), "the pattern '", text, "' has no {", field, "}; ", corpus.title,
            listed ? " comes with lists that name its clips" : " needs {label} and {subject}");
  }
}

FoundClips find_corpus_clips(const Corpus& corpus, const fs::path& root,
                             const std::vector<std::string>& patterns, PreparedLists& lists) {
  std::vector<std::vector<std::string>> places = corpus.places;
  if (!patterns.empty()) places = {patterns};
  for (const auto& place : places) {
    check_fields(corpus, place);
    FoundClips found = find_clips(root, place);
    if (found.clips.empty()) continue;
    lists.patterns = place;
    for (const PassedOver& other : found.passed_over)
      leave_out(lists, other.reason, other.path.string());
    return found;
  }
  throw Error(cat(root.string(), ": no clips of ", corpus.title, " there; looked for ",
                  joined(places, ", ", quoted), "; clips elsewhere: --pattern"));
}

// ---- Folds by persons ----

// The fold that tests this person.
std::optional<size_t> fold_of(const Corpus& corpus, int64_t subject) {
  for (size_t fold = 0; fold < corpus.test_persons.size(); ++fold)
    for (const auto& [from, to] : corpus.test_persons[fold])
      if (subject >= from && subject <= to) return fold;
  return std::nullopt;
}

void fold_by_persons(const Corpus& corpus, const FoundClips& found, PreparedLists& lists) {
  for (const FoundClip& clip : found.clips) {
    const auto label = class_of(corpus, clip.fields.label);
    const auto test_fold = fold_of(corpus, *clip.fields.subject);
    if (!label) {
      leave_out(lists,
                cat("labelled '", clip.fields.label, "', which is none of ", known_labels(corpus)),
                clip.path.string());
    } else if (!test_fold) {
      leave_out(lists, "of a person in no fold", clip.path.string());
    } else {
      for (size_t fold = 0; fold < lists.folds.size(); ++fold) {
        PreparedFold& into = lists.folds[fold];
        (fold == *test_fold ? into.test : into.train).push_back({clip.path, *label});
      }
    }
  }
}

// ---- Folds by lists ----

// Names of digits alone are numbers: 00042 is 42.
std::string normal_name(std::string name, bool has_extension) {
  if (has_extension) name = name.substr(0, name.find('.'));
  const bool number = std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
  if (number) name.erase(0, std::min(name.find_first_not_of('0'), name.size()));
  return name;
}

std::map<std::string, fs::path> by_name(const FoundClips& found) {
  std::map<std::string, fs::path> clips;
  for (const FoundClip& clip : found.clips) {
    const auto [other, is_new] = clips.emplace(normal_name(clip.fields.name, false), clip.path);
    check(is_new, clip.path.string(), " and ", other->second.string(), " are both the clip ",
          clip.fields.name, "; --pattern tells which to use");
  }
  return clips;
}

fs::path lists_folder(const Corpus& corpus, const fs::path& root) {
  std::error_code ignored;
  std::string tried;
  for (const std::string& folder : corpus.lists.folders) {
    if (fs::is_directory(root / folder, ignored)) return root / folder;
    tried += (tried.empty() ? "'" : " or '") + folder + "'";
  }
  throw Error(
      cat(root.string(), ": the lists of ", corpus.title, " are not there; expected ", tried));
}

ListFile read_part(const Corpus& corpus, const fs::path& folder,
                   const std::vector<std::string>& names, size_t fold) {
  const std::string field = "{fold}";
  std::vector<fs::path> files;
  for (std::string name : names) {
    if (const size_t at = name.find(field); at != std::string::npos)
      name.replace(at, field.size(), std::to_string(fold + 1));
    files.push_back(folder / name);
  }
  const auto there = std::ranges::find_if(files, [](const fs::path& file) {
    std::error_code ignored;
    return fs::exists(file, ignored);
  });
  return read_list(there == files.end() ? files.front() : *there,
                   {.append_mp4 = false,
                    .as_written = true,
                    .path_column = corpus.lists.name_column,
                    .named_labels = true});
}

void fold_by_lists(const Corpus& corpus, const fs::path& root, const FoundClips& found,
                   PreparedLists& lists) {
  const fs::path folder = lists_folder(corpus, root);
  const std::map<std::string, fs::path> clips = by_name(found);
  std::set<std::string> listed, absent;
  const auto read = [&](const std::vector<std::string>& names, size_t fold,
                        std::vector<PreparedClip>& into) {
    const ListFile list = read_part(corpus, folder, names, fold);
    for (const ListEntry& entry : list.entries) {
      const auto label = class_of(corpus, entry.label.value_or(""));
      check(label.has_value(), list.place(entry), ": the label '", entry.label.value_or(""),
            "' is none of ", known_labels(corpus));
      const std::string name = normal_name(entry.path.string(), corpus.lists.names_have_extensions);
      const auto clip = clips.find(name);
      if (clip != clips.end())
        into.push_back({clip->second, *label});
      else if (absent.insert(name).second)
        leave_out(lists, "listed, but not there", cat(list.place(entry), " ", entry.path.string()));
      listed.insert(name);
    }
  };
  for (size_t fold = 0; fold < lists.folds.size(); ++fold) {
    read(corpus.lists.train, fold, lists.folds[fold].train);
    read(corpus.lists.test, fold, lists.folds[fold].test);
  }
  for (const auto& [name, path] : clips)
    if (!listed.contains(name)) leave_out(lists, "there, but in no list", path.string());
}

}  // namespace

PreparedLists prepare_lists(const Corpus& corpus, const fs::path& root,
                            const std::vector<std::string>& patterns) {
  std::error_code ignored;
  check(fs::is_directory(root, ignored), root.string(), ": no such folder; expected that of ",
        corpus.title);
  const fs::path folder = fs::absolute(root).lexically_normal();
  PreparedLists lists;
  lists.folds.resize(corpus.folds.size());
  const FoundClips found = find_corpus_clips(corpus, folder, patterns, lists);
  if (corpus.test_persons.empty())
    fold_by_lists(corpus, folder, found, lists);
  else
    fold_by_persons(corpus, found, lists);
  for (size_t fold = 0; fold < lists.folds.size(); ++fold)
    for (const bool test : {false, true})
      check(!(test ? lists.folds[fold].test : lists.folds[fold].train).empty(), root.string(),
            ": fold ", fold + 1, " has no clips to ", test ? "test" : "train", " on; ",
            found.clips.size(), " clips of ", corpus.title, " were found");
  return lists;
}

}  // namespace grimace
