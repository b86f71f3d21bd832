// From the labels of a list to class numbers. Source: spec 8.1, 8.8.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/list_file.h"

namespace grimace {

constexpr int64_t kMaxClasses = 1000;  // a confusion matrix has a number for every two

struct LabelledClips {
  ListFile list;                     // the labelled rows; never empty
  std::vector<int32_t> labels;       // of list.entries, each in 0..classes-1
  std::vector<std::string> classes;  // their names
  int64_t unlabelled = 0;            // rows that were left out
};

// `classes` are the names in the order of their numbers; a label is a name, or else a number.
// Without them: labels that are all numbers make the classes "0".."highest", labels that are all
// names make those classes, sorted. Error naming the line of a label out of range or of no class,
// of numbers mixed with names, or when no row has a label. Lists of frame folders should be read
// with ListOptions::append_mp4 off.
LabelledClips label_clips(ListFile list, std::vector<std::string> classes = {});

// "0", "1", ...: the names of `count` classes that have none.
std::vector<std::string> numbered_classes(int64_t count);

}  // namespace grimace
