// The folds of a data set: a folder of lists, fold-1/{train,test}.csv and so on, as `grimace data
// prepare` writes it; and what classifiers of several folds reach together.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "runtime/classification_metrics.h"

namespace grimace {

inline constexpr const char* kTrainList = "train.csv";
inline constexpr const char* kValidationList = "val.csv";
inline constexpr const char* kTestList = "test.csv";

std::string fold_name(int64_t fold);  // "fold-3", of a folder of lists and of a run

// The folds that `text` asks for: "all", or numbers with commas between. Error naming those there
// are when one is not, when `lists` has none, or when "all" are not the `expected` number (0: any).
std::vector<int64_t> choose_folds(const std::filesystem::path& lists, const std::string& text,
                                  int64_t expected);

struct FoldScore {
  int64_t fold = 0;
  ConfusionMatrix matrix;
};

// The entry "confusion" of evaluate's metrics.json. Error, opening with `where`, where it is no
// matrix of clips of so many classes.
ConfusionMatrix confusion_from_json(const nlohmann::json& metrics, int64_t classes,
                                    const std::string& where);

// UAR, WAR and F1s of every fold, their means, which is what is published, and, for comparison, the
// figures of the sum of the folds' matrices (spec 9). Error when they differ in numbers of classes.
std::string fold_table(const std::vector<FoldScore>& scores);
std::string folds_json(const std::vector<FoldScore>& scores);

}  // namespace grimace
