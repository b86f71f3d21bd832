// The data sets of the published results: classes, folds, where their files are. Sources: spec 8.8
// and, for names and places of files, docs/datasets.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace grimace {

struct Corpus {
  std::string name = {};   // of the command line
  std::string title = {};  // for people
  std::vector<std::string> classes = {};
  // How the data set writes a class, and the class.
  std::vector<std::pair<std::string, std::string>> labels = {};

  // Where clips are, relative to the data set's folder: patterns (data/clip_pattern.h) that belong
  // together; the first group that finds a clip is used.
  std::vector<std::vector<std::string>> places = {};

  // A set that comes with lists names the clips of each part; {fold} stands for the fold's number.
  // The first folder that is there is used. Otherwise persons make the folds, below.
  struct Lists {
    std::vector<std::string> folders = {};
    std::vector<std::string> train = {}, test = {};  // names in use for a list; the first there is
    std::string name_column = {};  // of a CSV with header; empty: lines "<name> <label>"
    bool names_have_extensions = false;
  } lists = {};
  // Of each fold, the persons tested on, as ranges from..to; all others are trained on.
  using Persons = std::vector<std::pair<int64_t, int64_t>>;
  std::vector<Persons> test_persons = {};

  // As published, to compare with.
  std::vector<int64_t> class_clips = {};
  struct FoldClips {
    int64_t train = 0, test = 0;
  };
  std::vector<FoldClips> folds = {};
};

const std::vector<Corpus>& corpora();
// Error that names those there are.
const Corpus& find_corpus(std::string_view name);

}  // namespace grimace
