// grimace data prepare: the lists of a published data set's folds, from its folder.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "data/prepare_lists.h"
#include "ir/error.h"
#include "runtime/atomic_file.h"
#include "runtime/log.h"
#include "tools/commands.h"
#include "tools/csv_field.h"
#include "tools/folds.h"
#include "tools/new_folders.h"
#include "tools/table.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

struct Options {
  std::string corpus = {};
  std::string root = {};
  std::string out = {};
  std::vector<std::string> patterns = {};
};

std::string list_text(const Corpus& corpus, const std::vector<PreparedClip>& clips) {
  std::string text = "path,label\n";
  for (const PreparedClip& clip : clips)
    text += csv_field(clip.path.string()) + "," + csv_field(corpus.classes[clip.label]) + "\n";
  return text;
}

// A new folder beside `out`, under a name that nothing has.
fs::path make_folder_beside(const fs::path& out) {
  for (int number = 0;; ++number) {
    const fs::path folder = cat(out.string(), ".", getpid(), "-", number, kPartialSuffix);
    std::error_code failed;
    if (fs::create_directory(folder, failed)) return folder;
    std::error_code ignored;
    if (fs::exists(fs::symlink_status(folder, ignored))) continue;
    throw RunError(cat("cannot make the folder ", folder.string(), ": ", failed.message()));
  }
}

// All lists or none: they are made in a folder beside, which then takes its name.
void write_lists(const Corpus& corpus, const PreparedLists& lists, fs::path out) {
  out = fs::absolute(out).lexically_normal();
  if (!out.has_filename()) out = out.parent_path();  // a slash at the end
  NewFolders parents;
  parents.make(out.parent_path());
  const fs::path partial = make_folder_beside(out);
  try {
    for (size_t i = 0; i < lists.folds.size(); ++i) {
      const fs::path folder = partial / fold_name(static_cast<int64_t>(i + 1));
      ensure_writable_dir(folder);
      write_text(folder / kTrainList, list_text(corpus, lists.folds[i].train));
      write_text(folder / kTestList, list_text(corpus, lists.folds[i].test));
    }
    fs::rename(partial, out);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(partial, ignored);
    throw;
  }
}

// Every fold holds the whole set, so the first one tells how many clips a class has.
std::vector<int64_t> class_clips(const Corpus& corpus, const PreparedFold& fold) {
  std::vector<int64_t> counts(corpus.classes.size());
  for (const auto* part : {&fold.train, &fold.test})
    for (const PreparedClip& clip : *part) ++counts[clip.label];
  return counts;
}

// Returns whether all numbers are the published ones.
bool print_counts(const Corpus& corpus, const PreparedLists& lists) {
  bool as_published = true;
  const std::vector<int64_t> counts = class_clips(corpus, lists.folds.front());
  Table classes({"class", "clips", "published"});
  for (size_t c = 0; c < counts.size(); ++c) {
    classes.row({corpus.classes[c], grouped(counts[c]), grouped(corpus.class_clips[c])});
    as_published = as_published && counts[c] == corpus.class_clips[c];
  }
  Table folds({"fold", "train", "test", "published train", "published test"});
  for (size_t i = 0; i < lists.folds.size(); ++i) {
    const auto train = std::ssize(lists.folds[i].train), test = std::ssize(lists.folds[i].test);
    const Corpus::FoldClips published = corpus.folds[i];
    folds.row({std::to_string(i + 1), grouped(train), grouped(test), grouped(published.train),
               grouped(published.test)});
    as_published = as_published && train == published.train && test == published.test;
  }
  std::printf("%s\n%s", classes.text().c_str(), folds.text().c_str());
  return as_published;
}

int run(const Options& options) {
  const Corpus& corpus = find_corpus(options.corpus);
  std::error_code ignored;
  check(!fs::exists(options.out, ignored) || fs::is_empty(options.out, ignored), "--out ",
        options.out, " is there already; choose another folder, or remove it");
  const PreparedLists lists = prepare_lists(corpus, options.root, options.patterns);
  write_lists(corpus, lists, options.out);
  std::string patterns;
  for (const std::string& pattern : lists.patterns) patterns += " " + pattern;
  std::printf("%s in %s, clips at%s\n\n", corpus.title.c_str(), options.root.c_str(),
              patterns.c_str());
  const bool as_published = print_counts(corpus, lists);
  for (const auto& [reason, left] : lists.left_out)
    std::printf("\nleft out: %s %s, such as %s", grouped(left.count).c_str(),
                printable(reason).c_str(), printable(left.example).c_str());
  const fs::path written = fs::path(options.out) / (fold_name(1) + " ...");
  std::printf("%s\nlists: %s\n", lists.left_out.empty() ? "" : "\n", written.c_str());
  if (!as_published)
    warn(cat(corpus.title, " was published with other numbers of clips; results will differ"));
  return 0;
}

}  // namespace

void add_data_prepare(CLI::App& data, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = data.add_subcommand(
      "prepare", "Write the lists of a data set's folds, from the folder it was unpacked to");
  command->add_option("dataset", options->corpus, joined(corpora(), ", ", &Corpus::name))
      ->required();
  command->add_option("root", options->root, "the data set's folder")->required();
  command->add_option("--out", options->out, "folder for the lists, which is not there yet")
      ->required()
      ->type_name("DIR");
  command
      ->add_option("--pattern", options->patterns,
                   "where in the folder clips are, with {name} or {label} and {subject}; ? and * "
                   "stand for any characters; may be given several times")
      ->allow_extra_args(false);
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace grimace
