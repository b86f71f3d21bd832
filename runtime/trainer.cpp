#include "runtime/trainer.h"

#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "autodiff/train_step.h"
#include "runtime/log.h"
#include "runtime/metrics.h"

namespace grimace {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kMostSkippedInARow = 20;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// "exp_avg.<param>" -> its name in a checkpoint; other states keep theirs.
std::string checkpoint_name(const std::string& state) {
  for (const std::string kind : {"exp_avg", "exp_avg_sq"})
    if (state.starts_with(kind + ".")) return optimizer_tensor(kind, state.substr(kind.size() + 1));
  return state_tensor(state);
}

// Sums that a step starts from zero: nothing to keep between steps.
bool is_scratch(const std::string& state) {
  return state.starts_with("accumulated.");
}

}  // namespace

Trainer::Trainer(Executable& executable, BatchSource& source, TrainerOptions options)
    : executable_(executable), source_(source), options_(std::move(options)) {
  options_.schedule.validate();
  steps_per_epoch_ = source_.batches_per_epoch() / options_.accumulate;
  check(steps_per_epoch_ > 0, "an epoch has ", source_.batches_per_epoch(),
        " batches, but one step takes ", options_.accumulate,
        "; use a smaller batch size or less accumulation");
  if (options_.log_dir.empty()) options_.log_dir = options_.out;
}

ConstView Trainer::answering(const std::string& param) const {
  const std::string average = average_of(param);
  return executable_.view(executable_.graph().find_input(average) ? average : param);
}

std::vector<NamedView> Trainer::model(bool answers) const {
  const auto view = [&](const std::string& param) {
    return answers ? answering(param) : executable_.view(param);
  };
  std::vector<NamedView> result;
  for (const Value& param : executable_.graph().inputs(Role::param))
    result.push_back({param.name(), view(param.name())});
  for (const auto& [alias, param] : options_.aliases) result.push_back({alias, view(param)});
  return result;
}

std::vector<NamedView> Trainer::tensors() const {
  std::vector<NamedView> result = model(false);
  for (const Value& state : executable_.graph().inputs(Role::state))
    if (!is_scratch(state.name()))
      result.push_back({checkpoint_name(state.name()), executable_.view(state.name())});
  return result;
}

int64_t Trainer::checkpoint_bytes() const {
  int64_t total = 0;
  for (const NamedView& tensor : tensors()) total += tensor.view.type.bytes();
  return total;
}

void Trainer::restore(const Checkpoint& checkpoint) {
  const SafetensorsFile& file = checkpoint.file;
  const std::string where = file.path().string();
  std::vector<std::string> wanted;
  for (const NamedView& tensor : tensors()) {
    check(file.contains(tensor.name), where, ": it has no '", tensor.name,
          "'; it is a checkpoint of another architecture");
    check(file.type(tensor.name).shape == tensor.view.type.shape, where, ": '", tensor.name,
          "' is ", file.type(tensor.name), " but this model's is ", tensor.view.type,
          "; it is a checkpoint of another architecture");
    wanted.push_back(tensor.name);
  }
  check(file.names().size() == wanted.size(), where, ": it has ", file.names().size(),
        " tensors but this model ", wanted.size(), "; it is a checkpoint of another architecture");
  for (const Value& param : executable_.graph().inputs(Role::param))
    executable_.write(param.name(), file.tensor(param.name()).view());
  for (const Value& state : executable_.graph().inputs(Role::state))
    if (!is_scratch(state.name()))
      executable_.write(state.name(), file.tensor(checkpoint_name(state.name())).view());
  step_ = checkpoint.info.step;
}

void Trainer::write_scalar(const std::string& name, double value) {
  executable_.write(name, {{DType::f64, {}}, &value});
}

void Trainer::feed(Batch batch, int64_t micro) {
  for (const auto& [name, tensor] : batch)
    if (executable_.graph().find_input(name)) executable_.write(name, tensor.view());
  if (executable_.graph().find_input("random.step")) {
    write_scalar("random.seed", static_cast<double>(options_.seed));
    write_scalar("random.step", static_cast<double>(step_ * options_.accumulate + micro));
  }
  if (options_.accumulate > 1) {
    write_scalar("first_of_update", micro == 0 ? 1.0 : 0.0);
    write_scalar("last_of_update", micro + 1 == options_.accumulate ? 1.0 : 0.0);
  }
}

Trainer::Running Trainer::start_step(const std::function<void()>& begun) {
  Running result{.step = step_, .lr = options_.schedule.learning_rate(step_)};
  write_scalar("lr", result.lr);
  write_scalar("weight_decay", options_.schedule.weight_decay_at(step_));
  for (int64_t micro = 0; micro < options_.accumulate; ++micro) {
    const Clock::time_point start = Clock::now();
    Batch batch = source_.next();
    result.wait_seconds += seconds_since(start);
    feed(std::move(batch), micro);
    executable_.run();
    if (micro == 0)
      begun();
    else
      result.loss_before += result.loss();
    result.loss = executable_.read_later("loss");
  }
  result.grad_norm = executable_.read_later("grad_norm");
  result.applied = executable_.read_later("applied");
  return result;
}

void Trainer::report_skipped(int64_t step, double loss, double grad_norm, bool applied) {
  skipped_in_a_row_ = applied ? 0 : skipped_in_a_row_ + 1;
  if (applied) return;
  ++skipped_;
  warn(cat("step ", step, " skipped: its gradient norm is ", grad_norm, ", its loss ", loss,
           "; parameters are unchanged"));
  if (skipped_in_a_row_ >= kMostSkippedInARow)
    throw RunError(cat("stopped at step ", step, ": the last ", skipped_in_a_row_,
                       " steps all had non-finite gradients; lower optim.lr or check the data"));
}

bool Trainer::save_due() const {
  const auto every = [&](int64_t steps) { return steps > 0 && step_ % steps == 0; };
  return every(options_.save_every_steps) || every(options_.save_every_epochs * steps_per_epoch_);
}

void Trainer::save() {
  if (options_.out.empty()) return;
  save_checkpoint(options_.out, info(), tensors(), options_.keep_last);
}

void Trainer::save_model(const std::string& file_name, const Metadata& extra) const {
  if (options_.out.empty()) return;
  CheckpointInfo with_extra = info();
  with_extra.extra = extra;
  write_checkpoint(options_.out / file_name, with_extra, model(true));
}

CheckpointInfo Trainer::info() const {
  return {.step = step_, .epoch = epoch(), .config = options_.config};
}

// Tells of every step, in the log and on the screen, once its results are there.
class Trainer::Reports {
 public:
  explicit Reports(Trainer& trainer)
      : trainer_(trainer), options_(trainer.options_), progress_(options_.progress) {}

  void add(Running step) { running_ = std::move(step); }

  void settle() {
    if (!running_) return;
    const Running step = *std::exchange(running_, {});
    loss_ = (step.loss_before + step.loss()) / static_cast<double>(options_.accumulate);
    const double grad_norm = step.grad_norm();
    // Not before a step was done: a run whose first batch is refused leaves no file behind.
    if (!options_.out.empty() && !metrics_)
      metrics_ = std::make_unique<MetricsWriter>(options_.log_dir / "metrics.jsonl", step.step);
    trainer_.report_skipped(step.step, loss_, grad_norm, step.applied() != 0.0);
    const double clips_per_s =
        static_cast<double>(options_.batch_size * options_.accumulate) / step.seconds;
    const double wait = step.wait_seconds / step.seconds;
    const int64_t epoch = step.step / trainer_.steps_per_epoch_;
    if (metrics_)
      metrics_->append(to_json({.step = step.step,
                                .epoch = epoch,
                                .loss = loss_,
                                .lr = step.lr,
                                .grad_norm = grad_norm,
                                .clips_per_s = clips_per_s,
                                .data_wait = wait}));
    const int64_t total = options_.schedule.total_steps;
    progress_.update({.step = step.step + 1,
                      .steps = total,
                      .epoch = epoch,
                      .epochs = (total + trainer_.steps_per_epoch_ - 1) / trainer_.steps_per_epoch_,
                      .loss = loss_,
                      .lr = step.lr,
                      .clips_per_s = clips_per_s,
                      .data_wait = wait});
  }
  double loss() const { return loss_; }  // of the last step told of

 private:
  Trainer& trainer_;
  const TrainerOptions& options_;
  ProgressDisplay progress_;
  std::unique_ptr<MetricsWriter> metrics_;
  std::optional<Running> running_;
  double loss_ = 0.0;
};

TrainingSummary Trainer::run() {
  const int64_t total = options_.schedule.total_steps;
  TrainingSummary summary{.steps = step_};
  Reports reports(*this);
  double timed_seconds = 0.0;
  int64_t timed_steps = -1;  // the first step warms up and is not counted
  bool saved = step_ >= total;
  while (step_ < total && !summary.interrupted) {
    const int64_t in_epoch = step_ % steps_per_epoch_;
    if (in_epoch == 0 || timed_steps < 0) source_.seek(epoch(), in_epoch * options_.accumulate);
    const Clock::time_point start = Clock::now();
    Running step = start_step([&] { reports.settle(); });
    step.seconds = seconds_since(start);
    if (timed_steps++ >= 0) timed_seconds += step.seconds;
    reports.add(std::move(step));
    ++step_;
    const bool epoch_done = step_ % steps_per_epoch_ == 0;
    if (epoch_done || step_ == total) reports.settle();
    if (epoch_done && options_.epoch_done)
      options_.epoch_done(*this, (step_ - 1) / steps_per_epoch_);
    summary.interrupted = options_.stop != nullptr && options_.stop->load();
    saved = save_due() || summary.interrupted;
    if (!saved) continue;
    reports.settle();
    save();
  }
  if (!saved) save();
  summary.loss = reports.loss();
  summary.steps = step_;
  summary.skipped = skipped_;
  summary.seconds_per_step = timed_seconds / static_cast<double>(std::max<int64_t>(timed_steps, 1));
  return summary;
}

}  // namespace grimace
