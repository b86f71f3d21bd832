// The training loop: batches into the executable, schedules, metrics, progress, checkpoints, exact
// resume. It knows neither the model nor the backend.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "runtime/batch_source.h"
#include "runtime/checkpoint.h"
#include "runtime/executable.h"
#include "runtime/progress.h"
#include "runtime/schedule.h"

namespace grimace {

class Trainer;

struct TrainerOptions {
  std::filesystem::path out;      // checkpoints; empty: nothing is ever written (a dry run)
  std::filesystem::path log_dir;  // metrics.jsonl; empty: as `out`
  Schedule schedule;              // its total_steps is the length of the run
  int64_t batch_size = 1;
  int64_t accumulate = 1;  // batches per step
  int64_t save_every_epochs = 0;
  int64_t save_every_steps = 0;
  int64_t keep_last = 3;
  uint64_t seed = 0;
  std::string config;  // the effective configuration, kept in every checkpoint
  // Further names under which a published state dict lists a shared parameter (spec 2.8).
  std::vector<std::pair<std::string, std::string>> aliases;  // alias, parameter
  ProgressMode progress = ProgressMode::automatic;
  // Called after the last step of an epoch, before what is due then is saved. Again for the same
  // epoch only when the run was resumed from an earlier step.
  std::function<void(Trainer&, int64_t epoch)> epoch_done;
  const std::atomic<bool>* stop = nullptr;  // set from outside: save after this step and return
};

struct TrainingSummary {
  int64_t steps = 0;              // steps done in the whole run
  int64_t skipped = 0;            // of them without an update, for a non-finite gradient
  double loss = 0.0;              // of the last step
  double seconds_per_step = 0.0;  // mean, without the first
  bool interrupted = false;
};

// The executable holds a graph of autodiff/train_step.h.
class Trainer {
 public:
  // Error when an epoch has fewer batches than a step takes.
  Trainer(Executable& executable, BatchSource& source, TrainerOptions options);

  // Continues from a checkpoint: Error naming the tensor when it is of another architecture.
  void restore(const Checkpoint& checkpoint);
  // Runs to the end of the schedule, or until asked to stop. RunError when a checkpoint cannot be
  // written or gradients stay non-finite; older checkpoints are then as they were.
  TrainingSummary run();
  // Writes a checkpoint of the parameters as they are now; nothing in a dry run.
  void save();
  // The values of a parameter to answer with: its average where the step keeps one.
  ConstView answering(const std::string& param) const;
  // Writes these values of all parameters to a file beside the checkpoints, with `extra` in its
  // metadata.
  void save_model(const std::string& file_name, const Metadata& extra) const;

  int64_t steps_done() const { return step_; }
  int64_t steps_per_epoch() const { return steps_per_epoch_; }
  // Bytes of one checkpoint, without its header.
  int64_t checkpoint_bytes() const;

 private:
  // A step under way. What came of it is asked for when the next one has begun, so that a device
  // never waits for its host.
  struct Running {
    int64_t step = 0;
    double lr = 0.0;
    double seconds = 0.0;
    double wait_seconds = 0.0;
    double loss_before = 0.0;  // of its batches but the last
    std::function<double()> loss = {}, grad_norm = {}, applied = {};
  };
  class Reports;
  // `begun` is called once the first of its batches is being computed.
  Running start_step(const std::function<void()>& begun);
  void feed(Batch batch, int64_t micro);
  void write_scalar(const std::string& name, double value);
  void report_skipped(int64_t step, double loss, double grad_norm, bool applied);
  bool save_due() const;
  std::vector<NamedView> model(bool answers) const;  // or what is trained
  std::vector<NamedView> tensors() const;
  CheckpointInfo info() const;
  int64_t epoch() const { return step_ / steps_per_epoch_; }

  Executable& executable_;
  BatchSource& source_;
  TrainerOptions options_;
  int64_t steps_per_epoch_ = 1;
  int64_t step_ = 0;  // steps done
  int64_t skipped_ = 0;
  int64_t skipped_in_a_row_ = 0;
};

}  // namespace grimace
