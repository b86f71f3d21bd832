#include "tools/validation.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "runtime/log.h"
#include "runtime/metrics.h"
#include "tools/finetune_data.h"
#include "tools/run_on.h"
#include "tools/table.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

constexpr const char* kMetricEntry = "val_metric";
constexpr const char* kValueEntry = "val_value";

std::string validation_line(int64_t step, int64_t epoch, const ClassificationMetrics& metrics) {
  nlohmann::ordered_json line{{"step", step}, {"epoch", epoch}};
  for (const std::string_view name : metric_names()) line[std::string(name)] = metrics.value(name);
  return line.dump();
}

}  // namespace

Validation::Validation(const Recipe& recipe, LabelledClips clips)
    : recipe_(recipe),
      classes_(std::ssize(clips.classes)),
      views_(views(recipe, std::move(clips), Views::validation)),
      classifier_(recipe, recipe.run.backend, run_on(recipe).options()) {}

std::optional<double> Validation::best_before(int64_t step) const {
  const fs::path file = fs::path(recipe_.run.out) / kBestCheckpoint;
  if (!fs::exists(file)) return std::nullopt;
  try {
    const Checkpoint best = load_checkpoint(file);
    const Metadata& extra = best.info.extra;
    if (best.info.step >= step || extra.at(kMetricEntry) != recipe_.run.val_metric)
      return std::nullopt;
    return std::strtod(extra.at(kValueEntry).c_str(), nullptr);
  } catch (const std::exception& error) {
    warn(cat("replacing a best checkpoint that cannot be used: ", error.what()));
    return std::nullopt;
  }
}

void Validation::after_epoch(Trainer& trainer, int64_t epoch) {
  for (const Value& param : classifier_.executable().graph().inputs(Role::param))
    classifier_.executable().write(param.name(), trainer.answering(param.name()));
  const ClassificationMetrics metrics =
      classification_metrics(classifier_.classify(*views_), classes_);
  const int64_t step = trainer.steps_done();
  const fs::path log_dir = recipe_.run.log_dir.empty() ? recipe_.run.out : recipe_.run.log_dir;
  MetricsWriter(log_dir / "validation.jsonl", step).append(validation_line(step, epoch, metrics));
  const double value = metrics.value(recipe_.run.val_metric);
  const std::optional<double> best = best_before(step);
  const bool is_best = !best || value > *best;
  if (is_best)
    trainer.save_model(kBestCheckpoint, {{kMetricEntry, recipe_.run.val_metric},
                                         {kValueEntry, nlohmann::json(value).dump()}});
  const auto percent = [](double fraction) { return fixed(100 * fraction, 2); };
  inform(cat("epoch ", epoch + 1, ": UAR ", percent(metrics.uar), " %, WAR ", percent(metrics.war),
             " % on ", recipe_.data.val, is_best ? "; the best so far" : ""));
}

}  // namespace grimace
