#include "tools/training_run.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <sstream>

#include "backends/backend.h"
#include "data/check.h"
#include "models/parameters.h"
#include "runtime/atomic_file.h"
#include "runtime/log.h"
#include "tools/commands.h"
#include "tools/interrupt.h"
#include "tools/model_source.h"
#include "tools/new_folders.h"
#include "tools/profile_report.h"
#include "tools/pth_resume.h"
#include "tools/recipe_keys.h"
#include "tools/recipe_model.h"
#include "tools/run_on.h"

namespace grimace {
namespace {

// With --profile: the first steps touch fresh memory and fill caches.
constexpr int64_t kUnprofiledSteps = 2;
constexpr int64_t kProfiledSteps = 3;

// Refuses another architecture (shapes alone do not tell numbers of heads or kinds of attention),
// and names every other setting that makes the resumed run another one.
void compare_settings(const Recipe& recipe, const Checkpoint& checkpoint) {
  const std::string where = checkpoint.file.path().string();
  const Recipe earlier = recipe_from_toml(checkpoint.info.config, where + ": its recipe");
  std::vector<std::string> changes;
  for (const Key& key : recipe_keys()) {
    const SettingValue theirs = get_value(key, earlier);
    const SettingValue ours = get_value(key, recipe);
    if (theirs == ours || !key.changes_result) continue;
    check(!key.name.starts_with("model.") || key.name == "model.drop_path", where, ": it has ",
          key.name, " = ", value_to_toml(theirs), " and this run ", value_to_toml(ours),
          "; it is a checkpoint of another architecture");
    changes.push_back(cat("resuming with ", key.name, " = ", value_to_toml(ours),
                          "; the checkpoint was made with ", value_to_toml(theirs)));
  }
  for (const std::string& change : changes) warn(change);
}

// The first batch of another source, for ever.
class HeldBatch : public BatchSource {
 public:
  explicit HeldBatch(std::unique_ptr<BatchSource> source) : source_(std::move(source)) {}
  int64_t batches_per_epoch() const override { return source_->batches_per_epoch(); }
  void seek(int64_t, int64_t) override {}
  Batch next() override {
    if (batch_.empty()) {
      source_->seek(0, 0);
      batch_ = source_->next();
    }
    return batch_;
  }

 private:
  std::unique_ptr<BatchSource> source_;
  Batch batch_;
};

class TrainingRun {
 public:
  TrainingRun(TrainingJob job, bool dry)
      : job_(std::move(job)), recipe_(job_.recipe), dry_(dry), batches_(std::move(job_.batches)) {
    if (recipe_.data.hold_batch) batches_ = std::make_unique<HeldBatch>(std::move(batches_));
    if (dry_) {
      // The schedule keeps its shape; only this many steps of it are run.
      recipe_.run.resume = "none";
    } else {
      folders_.make(recipe_.run.out);
      if (!recipe_.run.log_dir.empty()) folders_.make(recipe_.run.log_dir);
      remove_interrupted_writes(recipe_.run.out);
      refuse_foreign_run();
    }
    const auto graph = training_graph(recipe_);
    backend_ = make_backend(recipe_.run.backend);
    executable_ = backend_->compile(*graph, run_on(recipe_).options());
  }

  // Some warm steps of the coming run go there; where their time went is printed when they are
  // done.
  void profile_to(const std::string& file) {
    ensure_writable_dir(std::filesystem::absolute(file).parent_path());
    const auto peaks = peaks_worth_measuring(*backend_, run_on(recipe_).options());
    profile_.emplace(kUnprofiledSteps, kProfiledSteps, [file, peaks](const Profile& profile) {
      write_trace(profile, file);
      std::istringstream report(profile_report(profile, peaks));
      for (std::string line; std::getline(report, line);) inform(line);
      inform(cat("written to ", file, "; https://ui.perfetto.dev opens it"));
    });
    executable_->profile_into(&*profile_);
  }

  int train() {
    Trainer trainer(*executable_, *batches_, trainer_options(0));
    report(trainer);
    require_room(trainer.checkpoint_bytes());
    const int64_t done = start(trainer);
    const int64_t total = schedule(recipe_, batches_->batches_per_epoch()).total_steps;
    if (done >= total) {
      if (!has_checkpoint(done)) trainer.save();  // resumed from elsewhere: complete this folder
      inform(cat("nothing to do: the run is at step ", done, " of ", total,
                 "; more --epochs or --steps make it longer"));
      return 0;
    }
    const InterruptScope interrupts;
    const TrainingSummary summary = trainer.run();
    check_profiled();
    inform(cat(summary.interrupted ? "interrupted: saved at step " : "done: ", summary.steps,
               summary.interrupted ? "; the same command continues from there" : " steps, loss ",
               summary.interrupted ? "" : cat(summary.loss),
               summary.skipped > 0 ? cat(", ", summary.skipped, " steps skipped") : "", ", in ",
               recipe_.run.out));
    return summary.interrupted ? kInterrupted : kDone;
  }

  int dry_run(int64_t steps) {
    const std::vector<BadClip> bad =
        check_list(job_.list, job_.clip, static_cast<int>(recipe_.data.workers));
    for (const BadClip& clip : bad)
      std::printf(
          "%s\n",
          printable(cat(job_.list.file.string(), ":", clip.line, ": ", clip.reason)).c_str());
    if (!bad.empty()) {
      std::printf("%zu of %zu clips are unreadable\n", bad.size(), job_.list.entries.size());
      return kWrongUsage;
    }
    Trainer trainer(*executable_, *batches_, trainer_options(steps));
    report(trainer);
    make_fresh_params();
    const TrainingSummary summary = trainer.run();
    check_profiled();
    const int64_t total = schedule(recipe_, batches_->batches_per_epoch()).total_steps;
    std::printf("dry run: %lld steps, %.2f s per step, loss %.4f\n", static_cast<long long>(steps),
                summary.seconds_per_step, summary.loss);
    std::printf("a whole run: %lld steps, about %s\n", static_cast<long long>(total),
                format_duration(summary.seconds_per_step * static_cast<double>(total)).c_str());
    std::printf("memory: %s at most in the plan\n",
                mebibytes(executable_->info().peak_bytes()).c_str());
    std::printf("disk: %s for each checkpoint, %s while %lld are kept\n",
                mebibytes(trainer.checkpoint_bytes()).c_str(),
                mebibytes((recipe_.run.keep_last + 1) * trainer.checkpoint_bytes()).c_str(),
                static_cast<long long>(recipe_.run.keep_last));
    return 0;
  }

 private:
  std::vector<ParamSpec> specs() const {
    const ModelConfig config = model_config(recipe_);
    return is_classifier(recipe_.model.name) ? classifier_parameters(config)
                                             : pretrain_parameters(config);
  }

  // By the seed, and then from --init.
  void make_fresh_params() {
    for (const ParamSpec& spec : specs()) {
      if (!spec.alias_of.empty()) continue;
      Tensor values(DType::f32, spec.shape);
      initialise(spec, static_cast<uint64_t>(recipe_.run.seed), values.as<float>());
      executable_->write(spec.name, values.view());
    }
    if (!recipe_.run.init.empty()) load_init();
    if (!recipe_.optim.model_ema) return;
    for (const Value& param : executable_->graph().inputs(Role::param))
      executable_->write(average_of(param.name()), executable_->view(param.name()));
  }

  void load_init() {
    const NamedModel model{model_config(recipe_), is_classifier(recipe_.model.name)};
    const Weights weights = open_weights(recipe_.run.init);
    const LoadReport loaded = load_parameters(*executable_, model, weights,
                                              model.classifier ? LoadRule::encoder : LoadRule::all);
    inform(cat("starting from ", weights.path().string(), ": ", to_string(loaded)));
  }

  TrainerOptions trainer_options(int64_t dry_steps) const {
    TrainerOptions options;
    options.schedule = schedule(recipe_, batches_->batches_per_epoch());
    if (dry_)
      options.schedule.total_steps = std::min(options.schedule.total_steps, dry_steps);
    else
      options.out = recipe_.run.out;
    if (dry_) options.schedule.warmup_steps = 0;
    options.log_dir = recipe_.run.log_dir;
    options.batch_size = recipe_.optim.batch_size;
    options.accumulate = recipe_.optim.accumulate;
    options.save_every_epochs = recipe_.run.save_every_epochs;
    options.save_every_steps = recipe_.run.save_every_steps;
    options.keep_last = recipe_.run.keep_last;
    options.seed = static_cast<uint64_t>(recipe_.run.seed);
    options.config = to_toml(recipe_);
    for (const ParamSpec& spec : specs())
      if (!spec.alias_of.empty()) options.aliases.emplace_back(spec.name, spec.alias_of);
    options.progress = progress_mode_from(recipe_.run.progress);
    options.stop = &interrupted();
    if (!dry_) options.epoch_done = job_.epoch_done;
    return options;
  }

  void check_profiled() const {
    if (profile_ && !profile_->complete())
      warn(cat("--profile: the run ended before batch ", kUnprofiledSteps + kProfiledSteps,
               "; nothing was written"));
  }

  void refuse_foreign_run() const {
    check(recipe_.run.resume != "none" || list_checkpoints(recipe_.run.out).empty(),
          recipe_.run.out,
          " holds checkpoints of an earlier run; continue it with --resume auto, or choose "
          "another --out");
  }

  // What the run will use, before it starts.
  void report(const Trainer& trainer) const {
    const ExecutableInfo& info = executable_->info();
    int64_t params = 0;
    for (const Value& param : executable_->graph().inputs(Role::param))
      params += param.type().numel();
    inform(cat(recipe_.model.name, ": ", params, " parameters, ", job_.list.entries.size(),
               " clips, ", batches_->batches_per_epoch(), " batches of ", recipe_.optim.batch_size,
               " an epoch"));
    inform(cat("backend ", info.backend, "; peak memory ", mebibytes(info.peak_bytes()), " (",
               mebibytes(info.persistent_bytes), " parameters, moments and inputs, ",
               mebibytes(info.transient_bytes), " activations, ", mebibytes(info.private_bytes),
               " of the backend's own); a checkpoint is ", mebibytes(trainer.checkpoint_bytes())));
    for (const std::string& node : info.slow_nodes) inform("without a fast kernel: " + node);
  }

  // For the checkpoints that are kept and the one being written, less those already there.
  void require_room(int64_t checkpoint_bytes) const {
    int64_t needed = (recipe_.run.keep_last + 1) * checkpoint_bytes;
    for (const CheckpointFile& file : list_checkpoints(recipe_.run.out)) {
      std::error_code failed;
      const auto bytes = std::filesystem::file_size(file.path, failed);
      if (!failed) needed -= static_cast<int64_t>(bytes);
    }
    require_free_space(recipe_.run.out, std::max(needed, checkpoint_bytes));
  }

  // What `run.resume` names, if there is such a checkpoint.
  std::optional<Checkpoint> checkpoint_to_resume(int64_t steps_per_epoch) const {
    const std::string& resume = recipe_.run.resume;
    const auto latest = [](const std::filesystem::path& dir) {
      return load_latest_checkpoint(dir, [](const std::string& text) { warn(text); });
    };
    if (resume == "none") return std::nullopt;
    if (resume == "auto") return latest(recipe_.run.out);
    std::error_code ignored;
    check(std::filesystem::exists(resume, ignored), "--resume ", resume,
          ": no such file or folder");
    if (!std::filesystem::is_directory(resume, ignored)) {
      if (is_weights_file(resume) && open_weights(resume).is_pth())
        return import_pth(resume, recipe_, specs(), steps_per_epoch, recipe_.run.out);
      return load_checkpoint(resume);
    }
    std::optional<Checkpoint> checkpoint = latest(resume);
    check(checkpoint.has_value(), "--resume ", resume, ": the folder holds no checkpoint");
    return checkpoint;
  }

  bool has_checkpoint(int64_t step) const {
    const auto files = list_checkpoints(recipe_.run.out);
    return std::ranges::find(files, step, &CheckpointFile::step) != files.end();
  }

  // Fresh parameters, or those of an earlier run. Returns the steps that are done.
  int64_t start(Trainer& trainer) {
    const std::optional<Checkpoint> checkpoint = checkpoint_to_resume(trainer.steps_per_epoch());
    if (!checkpoint) {
      make_fresh_params();
      return 0;
    }
    compare_settings(recipe_, *checkpoint);
    trainer.restore(*checkpoint);
    inform(cat("continuing from ", checkpoint->file.path().string(), ", step ",
               checkpoint->info.step));
    return checkpoint->info.step;
  }

  TrainingJob job_;
  Recipe recipe_;
  bool dry_;
  NewFolders folders_;
  std::unique_ptr<BatchSource> batches_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Executable> executable_;
  std::optional<Profile> profile_;
};

}  // namespace

TrainingFlags::TrainingFlags(CLI::App& command, const std::string& model)
    : recipe_(command, recipe_for_model(model)) {
  command
      .add_option("--dry-run", dry_run,
                  "run N steps, write nothing, print time, memory and disk needed")
      ->check(CLI::Range(1, 1000000));
  command
      .add_option("--profile", profile,
                  "write some steps as a trace for Perfetto, and print where their time goes")
      ->type_name("FILE");
}

Recipe TrainingFlags::resolve(Settings base) const {
  ResolvedRecipe resolved = recipe_.resolve(std::move(base));
  for (const std::string& warning : resolved.warnings) warn(warning);
  return resolved.recipe;
}

void TrainingFlags::require(const Recipe& recipe, const std::string& command) const {
  validate(recipe);
  check(!recipe.data.list.empty(), command, " needs a list of clips: --data LIST");
  check(dry_run > 0 || !recipe.run.out.empty(), command, " needs a run folder: --out DIR");
}

int run_training(TrainingJob job, const TrainingFlags& flags) {
  TrainingRun training(std::move(job), flags.dry_run > 0);
  if (!flags.profile.empty()) training.profile_to(flags.profile);
  return flags.dry_run > 0 ? training.dry_run(flags.dry_run) : training.train();
}

}  // namespace grimace
