#include "tools/folds.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "ir/error.h"
#include "tools/table.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

constexpr std::string_view kPrefix = "fold-";
constexpr int64_t kMostClips = 1'000'000'000;  // of a cell: no sum of them overflows

bool read_fold(std::string_view text, int64_t& fold) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), fold);
  return code == std::errc() && end == text.data() + text.size() && fold >= 1;
}

// Sorted.
std::vector<int64_t> folds_in(const fs::path& lists) {
  std::vector<int64_t> folds;
  std::error_code failed;
  fs::directory_iterator at(lists, failed);
  check(!failed, lists.string(), ": folds are in a folder of lists, as grimace data prepare ",
        "writes it; this is none");
  for (; !failed && at != fs::directory_iterator(); at.increment(failed)) {
    const std::string name = at->path().filename().string();
    int64_t fold = 0;
    if (name.starts_with(kPrefix) && read_fold(name.substr(kPrefix.size()), fold) &&
        name == fold_name(fold))
      folds.push_back(fold);
  }
  check(!folds.empty(), lists.string(), ": there are no folds in it; expected ", fold_name(1), "/",
        kTrainList, " and so on, as grimace data prepare writes it");
  std::ranges::sort(folds);
  return folds;
}

std::vector<int64_t> parse_folds(const std::string& text) {
  std::set<int64_t> folds;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(',', start), text.size());
    int64_t fold = 0;
    check(read_fold(std::string_view(text).substr(start, end - start), fold),
          "--folds: expected all, or numbers with commas between, got '", text.substr(0, 100), "'");
    folds.insert(fold);
    start = end + 1;
  }
  return {folds.begin(), folds.end()};
}

struct Figure {
  const char* title;
  std::string_view name;
};
constexpr Figure kFigures[]{{"UAR %", "uar"},
                            {"WAR %", "war"},
                            {"macro F1 %", "macro_f1"},
                            {"weighted F1 %", "weighted_f1"}};

ClassificationMetrics metrics_of(const ConfusionMatrix& matrix) {
  return classification_metrics(matrix, 0);  // matrices do not tell what is among the first five
}

ConfusionMatrix sum(const std::vector<FoldScore>& scores) {
  const FoldScore& first = scores.front();
  ConfusionMatrix all(first.matrix.classes());
  for (const FoldScore& score : scores)
    check(score.matrix.classes() == all.classes(), "fold ", score.fold, " tells ",
          score.matrix.classes(), " classes apart and fold ", first.fold, " ", all.classes(),
          "; folds of one data set have the same");
  for (const FoldScore& score : scores)
    for (int64_t label = 0; label < all.classes(); ++label)
      for (int64_t predicted = 0; predicted < all.classes(); ++predicted)
        all.add(label, predicted, score.matrix.at(label, predicted));
  return all;
}

double mean(const std::vector<FoldScore>& scores, std::string_view figure) {
  double total = 0;
  for (const FoldScore& score : scores) total += metrics_of(score.matrix).value(figure);
  return total / static_cast<double>(scores.size());
}

}  // namespace

std::string fold_name(int64_t fold) {
  return cat(kPrefix, fold);
}

std::vector<int64_t> choose_folds(const fs::path& lists, const std::string& text,
                                  int64_t expected) {
  const std::vector<int64_t> there = folds_in(lists);
  if (text == "all")
    check(expected == 0 || std::ssize(there) == expected, lists.string(), ": it has the folds ",
          joined(there, ", "), "; data.folds says there are ", expected);
  const std::vector<int64_t> chosen = text == "all" ? there : parse_folds(text);
  for (const int64_t fold : chosen)
    check(std::ranges::count(there, fold) > 0, lists.string(), ": there is no fold ", fold,
          "; there are ", joined(there, ", "));
  return chosen;
}

ConfusionMatrix confusion_from_json(const nlohmann::json& metrics, int64_t classes,
                                    const std::string& where) {
  const auto found = metrics.find("confusion");
  const auto has_size = [&](const nlohmann::json& list) {
    return list.is_array() && std::ssize(list) == classes;
  };
  check(found != metrics.end() && has_size(*found) && std::ranges::all_of(*found, has_size), where,
        ": expected a confusion matrix of ", classes, " rows and columns");
  ConfusionMatrix matrix(classes);
  for (int64_t label = 0; label < classes; ++label)
    for (int64_t predicted = 0; predicted < classes; ++predicted) {
      const nlohmann::json& clips =
          (*found)[static_cast<size_t>(label)][static_cast<size_t>(predicted)];
      check(clips.is_number_unsigned() && clips.get<uint64_t>() <= kMostClips, where,
            ": its confusion matrix has something other than a number of clips in row ", label,
            ", column ", predicted);
      matrix.add(label, predicted, clips.get<int64_t>());
    }
  return matrix;
}

std::string fold_table(const std::vector<FoldScore>& scores) {
  Table table({"fold", "clips", "UAR %", "WAR %", "macro F1 %", "weighted F1 %"});
  const auto row = [&](const std::string& name, int64_t clips, const auto& value_of) {
    std::vector<std::string> cells{name, grouped(clips)};
    for (const Figure& figure : kFigures) cells.push_back(fixed(100 * value_of(figure.name), 2));
    table.row(cells);
  };
  const auto row_of = [&](const std::string& name, const ConfusionMatrix& matrix) {
    const ClassificationMetrics metrics = metrics_of(matrix);
    row(name, matrix.total(), [&](std::string_view figure) { return metrics.value(figure); });
  };
  for (const FoldScore& score : scores) row_of(std::to_string(score.fold), score.matrix);
  if (scores.size() == 1) return table.text();
  table.rule();
  const ConfusionMatrix all = sum(scores);
  row("mean", all.total(), [&](std::string_view figure) { return mean(scores, figure); });
  row_of("pooled", all);
  return table.text();
}

std::string folds_json(const std::vector<FoldScore>& scores) {
  using nlohmann::ordered_json;
  const auto figures = [](const auto& value_of) {
    ordered_json json;
    for (const Figure& figure : kFigures) json[std::string(figure.name)] = value_of(figure.name);
    return json;
  };
  ordered_json json;
  for (const FoldScore& score : scores) {
    const ClassificationMetrics metrics = metrics_of(score.matrix);
    ordered_json fold{{"fold", score.fold}, {"clips", score.matrix.total()}};
    fold.update(figures([&](std::string_view name) { return metrics.value(name); }));
    json["folds"].push_back(fold);
  }
  json["mean"] = figures([&](std::string_view name) { return mean(scores, name); });
  const ClassificationMetrics pooled = metrics_of(sum(scores));
  json["pooled"] = figures([&](std::string_view name) { return pooled.value(name); });
  return json.dump(2) + "\n";
}

}  // namespace grimace
