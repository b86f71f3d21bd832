#include "tools/report_data.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "ir/error.h"
#include "runtime/json_text.h"

namespace grimace {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr uintmax_t kMaxLines = uintmax_t{256} << 20;  // a long run has a million of them
constexpr uintmax_t kMaxPicture = uintmax_t{16} << 20;
constexpr size_t kMaxPictures = 24;
constexpr size_t kMaxClasses = 64;
constexpr size_t kMaxRows = 200'000;         // of a file
constexpr size_t kMaxShownRows = 1'000'000;  // of a report
constexpr double kMaxStep = 1e12;
constexpr double kLargestDrawn = 1e300;
constexpr size_t kMaxTimelines = 24;
constexpr int64_t kLargestNumber = int64_t{1} << 53;

std::string read_bytes(const fs::path& file, uintmax_t limit) {
  std::error_code failed;
  const uintmax_t size = fs::file_size(file, failed);
  check(!failed, file.string(), ": cannot be read: ", failed.message());
  check(size <= limit, file.string(), ": has ", size, " bytes; a report takes at most ", limit);
  std::string bytes(size, '\0');
  std::ifstream in(file, std::ios::binary);
  in.read(bytes.data(), static_cast<std::streamsize>(size));
  check(in.good() || size == 0, file.string(), ": cannot be read");
  return bytes;
}

std::optional<double> number_at(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  const double value = found->get<double>();
  return std::abs(value) <= kLargestDrawn ? std::optional(value) : std::nullopt;
}

std::string text_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

int64_t count_of(const json& value, const std::string& where) {
  if (!value.is_number_integer() || value < 0 || value > kLargestNumber)
    throw Error(cat(where, ": expected a count; got ", value.dump().substr(0, 60)));
  return value.get<int64_t>();
}

// Every line, a JSON object, and where it is; a last line without its end is still being written.
void each_line(const fs::path& file,
               const std::function<void(const json&, const std::string& where)>& take) {
  const std::string bytes = read_bytes(file, kMaxLines);
  for (size_t begin = 0, number = 1; begin < bytes.size(); ++number) {
    const size_t end = bytes.find('\n', begin);
    if (end == std::string::npos) break;
    const std::string where = file.string() + ":" + std::to_string(number);
    const json line = parse_json(std::string_view(bytes).substr(begin, end - begin), where);
    check(line.is_object(), where, ": is no JSON object");
    take(line, where);
    begin = end + 1;
  }
}

// ---- Runs ----

std::optional<double> count_at(const json& object, const char* key, const std::string& where) {
  const auto value = number_at(object, key);
  check(!value || (*value >= 0 && *value <= kMaxStep), where, ": ", key, " is ", value.value_or(0),
        "; expected 0 to ", kMaxStep);
  return value;
}

void add_training(ReportData& report, const fs::path& folder) {
  TrainingCurves run{
      .name = folder.filename().string(), .steps = 0, .loss = {"loss", {}}, .validation = {}};
  each_line(folder / "metrics.jsonl", [&](const json& line, const std::string& where) {
    const auto step = count_at(line, "step", where), loss = number_at(line, "loss");
    if (!step) return;
    run.steps = static_cast<int64_t>(*step) + 1;
    if (loss) run.loss.points.push_back({*step, *loss});
  });
  if (fs::exists(folder / "validation.jsonl")) {
    run.validation = {{"UAR", {}}, {"WAR", {}}};
    each_line(folder / "validation.jsonl", [&](const json& line, const std::string& where) {
      const auto epoch = count_at(line, "epoch", where);
      const auto uar = number_at(line, "uar"), war = number_at(line, "war");
      if (epoch && uar) run.validation[0].points.push_back({*epoch + 1, 100 * *uar});
      if (epoch && war) run.validation[1].points.push_back({*epoch + 1, 100 * *war});
    });
  }
  report.trainings.push_back(std::move(run));
}

// ---- evaluate ----

void add_evaluation(ReportData& report, const fs::path& file) {
  const std::string where = file.string();
  const json all = read_json(file), nothing;
  const auto part = [&](const char* key) -> const json& {
    const auto found = all.find(key);
    return found == all.end() ? nothing : *found;
  };
  const json &classes = part("classes"), &confusion = part("confusion");
  check(classes.is_array() && confusion.is_array() && !classes.empty() &&
            classes.size() == confusion.size(),
        where, ": is not what evaluate writes: it needs classes and a confusion matrix of them");
  check(classes.size() <= kMaxClasses, where, ": ", classes.size(),
        " classes; a report shows at most ", kMaxClasses);
  EvaluationFigures figures{.name = file.parent_path().filename().string(),
                            .list = text_at(all, "list"),
                            .clips = all.contains("clips") ? count_of(part("clips"), where) : 0,
                            .uar = number_at(all, "uar"),
                            .war = number_at(all, "war"),
                            .macro_f1 = number_at(all, "macro_f1"),
                            .classes = {},
                            .confusion = {}};
  for (size_t c = 0; c < classes.size(); ++c) {
    check(classes[c].is_object(), where, ": class ", c, " is no object");
    figures.classes.push_back({text_at(classes[c], "name"), number_at(classes[c], "recall"),
                               number_at(classes[c], "f1")});
    check(confusion[c].is_array() && confusion[c].size() == classes.size(), where,
          ": the confusion matrix is not square");
    figures.confusion.emplace_back();
    for (const json& count : confusion[c])
      figures.confusion.back().push_back(count_of(count, where));
  }
  report.evaluations.push_back(std::move(figures));
}

// ---- Pictures and predictions ----

void add_picture(ReportData& report, const fs::path& file) {
  check(report.pictures.size() < kMaxPictures, file.string(), ": a report shows at most ",
        kMaxPictures, " pictures");
  std::string bytes = read_bytes(file, kMaxPicture);
  check(bytes.starts_with("\x89PNG\r\n\x1a\n"), file.string(), ": is no PNG picture");
  report.pictures.push_back({file.stem().string(), std::move(bytes)});
}

std::string person_of(const json& line) {
  const auto found = line.find("person");
  if (found == line.end() || found->is_null()) return "";
  return found->is_string() ? found->get<std::string>() : found->dump().substr(0, 20);
}

// Times without a face are nobody's: they go to every person of their file.
void share_absences(std::vector<Timeline>& timelines, const fs::path& file) {
  for (size_t nobody = 0; nobody < timelines.size();) {
    if (!timelines[nobody].person.empty()) {
      ++nobody;
      continue;
    }
    bool shared = false;
    for (Timeline& timeline : timelines)
      if (timeline.file == timelines[nobody].file && !timeline.person.empty()) {
        const auto& rows = timelines[nobody].rows;
        timeline.rows.insert(timeline.rows.end(), rows.begin(), rows.end());
        shared = true;
      }
    if (shared)
      timelines.erase(timelines.begin() + static_cast<ptrdiff_t>(nobody));
    else
      ++nobody;
  }
  size_t rows = 0;
  for (Timeline& timeline : timelines) {
    std::ranges::stable_sort(timeline.rows, {}, &TimelineRow::start);
    rows += timeline.rows.size();
  }
  check(rows <= kMaxShownRows, file.string(), ": with it the report has ", rows,
        " lines of predictions; it takes at most ", kMaxShownRows);
}

TimelineRow row_of(const json& line, ReportData& report, const std::string& where) {
  TimelineRow row{.label = text_at(line, "label"), .probabilities = {}};
  if (row.label == "no_face") row.label.clear();
  const auto all = line.find("probabilities");
  if (all == line.end() || !all->is_object()) return row;
  check(all->size() <= kMaxClasses, where, ": ", all->size(),
        " probabilities; a report shows at most ", kMaxClasses);
  for (const auto& [name, value] : all->items()) {
    if (!value.is_number()) continue;
    const auto next = static_cast<uint32_t>(report.expressions.size());
    const uint32_t number = report.expressions.emplace(name, next).first->second;
    check(report.expressions.size() <= kMaxClasses, where, ": one class more than the ",
          kMaxClasses, " that a report shows");
    row.probabilities.emplace_back(number,
                                   static_cast<float>(std::clamp(value.get<double>(), 0.0, 1.0)));
  }
  return row;
}

void add_timelines(ReportData& report, const fs::path& file) {
  std::map<std::pair<std::string, std::string>, size_t> places;
  size_t rows = 0;
  each_line(file, [&](const json& line, const std::string& where) {
    const auto start = number_at(line, "start"), end = number_at(line, "end");
    if (!start || !end || *end < *start || *start < 0 || *end > 1e9) return;
    check(++rows <= kMaxRows, file.string(), ": more than ", kMaxRows, " lines");
    const std::pair key{text_at(line, "file"), person_of(line)};
    if (!places.contains(key)) {
      if (report.timelines.size() == kMaxTimelines) return;
      places[key] = report.timelines.size();
      report.timelines.push_back({key.first, key.second, {}});
    }
    TimelineRow row = row_of(line, report, where);
    row.start = *start, row.end = *end;
    report.timelines[places[key]].rows.push_back(std::move(row));
  });
  check(!places.empty(), file.string(),
        ": holds no lines of predict: objects with start, end, label and probabilities");
  share_absences(report.timelines, file);
}

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> entries;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    entries.push_back(entry.path());
  std::ranges::sort(entries);
  return entries;
}

// Whether there was anything for a report.
bool add_folder(ReportData& report, const fs::path& folder, bool below) {
  bool any = false;
  for (const fs::path& entry : sorted_entries(folder)) {
    const std::string name = entry.filename().string();
    if (fs::is_directory(entry)) {
      any = (below && add_folder(report, entry, false)) || any;
      continue;
    }
    if (name == "metrics.jsonl")
      add_training(report, folder);
    else if (name == "metrics.json")
      add_evaluation(report, entry);
    else if (name.ends_with(".png") && name != "confusion.png")
      add_picture(report, entry);
    else if (name.ends_with(".jsonl") && name != "validation.jsonl")
      add_timelines(report, entry);
    else
      continue;
    any = true;
  }
  return any;
}

}  // namespace

void add_to_report(ReportData& report, const fs::path& path) {
  std::error_code failed;
  if (fs::is_directory(path, failed)) {
    // A name such as "runs/mine/" ends with nothing.
    const fs::path folder = path.has_filename() ? path : path.parent_path();
    check(add_folder(report, folder, true), path.string(),
          ": holds nothing to report: no metrics.jsonl, metrics.json, pictures or predictions");
    return;
  }
  check(fs::exists(path, failed), path.string(), ": no such file or folder");
  const std::string extension = path.extension().string();
  if (extension == ".png") return add_picture(report, path);
  if (extension == ".json") return add_evaluation(report, path);
  if (extension == ".jsonl") return add_timelines(report, path);
  throw Error(cat(path.string(),
                  ": a report is made of run folders, .png, .json (of evaluate) and ",
                  ".jsonl (of predict)"));
}

}  // namespace grimace
