// From the folder of a published data set to the clips that each fold trains and tests on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/clip_pattern.h"
#include "data/corpora.h"

namespace grimace {

struct PreparedClip {
  std::filesystem::path path;  // absolute
  size_t label = 0;            // position in the corpus' classes
};

struct PreparedFold {
  std::vector<PreparedClip> train, test;
};

struct LeftOut {
  int64_t count = 0;
  std::string example = {};
};

struct PreparedLists {
  std::vector<PreparedFold> folds;
  std::vector<std::string> patterns;        // that found the clips
  std::map<std::string, LeftOut> left_out;  // by reason
};

// Where `patterns` are given, they take the place of the corpus' own. Error when the root is no
// folder; no clip is found; a list of the data set is missing, or has a line with another label;
// two clips bear the name of one listed; or a fold has nothing to train or test on.
PreparedLists prepare_lists(const Corpus& corpus, const std::filesystem::path& root,
                            const std::vector<std::string>& patterns = {});

}  // namespace grimace
