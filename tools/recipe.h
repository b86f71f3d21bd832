// A recipe: every setting of a training run as plain fields whose defaults are the published
// pre-training (spec 6) or, where the model is a classifier, the published fine-tuning (spec 7.3);
// and the ways to fill it: a TOML file, --set a.b=c, command-line flags.
// The names, limits and meanings of the fields are the table in recipe_keys.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace grimace {

struct Recipe {
  using Size3 = std::array<int64_t, 3>;  // time, rows, columns, in tokens

  struct Model {
    std::string name = "mae-dfer-pretrain";
    std::string attn_type = "local_global";  // or joint
    int64_t image = 160, frames = 16, tubelet = 2, patch = 16;
    int64_t embed_dim = 512, heads = 8, encoder_depth = 16;
    int64_t decoder_dim = 384, decoder_heads = 6, decoder_depth = 4;
    double mlp_ratio = 4;
    Size3 region = {2, 5, 10};
    std::string first_attn_type = "self", third_attn_type = "cross";
    bool share_first_third = false, share_all = false;
    bool no_second = false, no_third = false;
    double drop_path = 0;
    std::string decoder_visible_order = "reference";  // or raster; spec section 4.3
    int64_t classes = 0;                              // of a classifier; 0: as many as are named
    std::string classify_token = "region";            // or org, all; spec 2.9
    bool operator==(const Model&) const = default;
  } model;

  struct Mask {
    std::string type = "part_window";  // or tube
    double ratio = 0.9;
    Size3 window = {2, 5, 10};  // the time entry is not used
    std::string symmetry = "none";
    bool operator==(const Mask&) const = default;
  } mask;

  struct Target {
    bool normalise = true;
    bool frame_diff = true;
    int64_t group_size = 2;
    std::optional<double> diff_weight = {};
    bool operator==(const Target&) const = default;
  } target;

  struct Data {
    std::string list = {}, root = {};
    int64_t sampling_rate = 4, num_samples = 1, workers = 2;
    bool no_augmentation = false;
    bool hold_batch = false;
    double max_bad = 0.05;
    // Fine-tuning and evaluation alone.
    std::string val = {};
    std::vector<std::string> classes = {};  // names in the order of their numbers
    int64_t folds = 0, fold = 0;            // where `list` is a folder of them; tools/folds.h
    int64_t test_num_segment = 2, test_num_crop = 2;
    bool operator==(const Data&) const = default;
  } data;

  struct Augment {                               // fine-tuning alone; spec 7.3, 8.3, 8.4
    std::string aa = "rand-m7-n4-mstd0.5-inc1";  // or none
    std::array<double, 2> crop_area = {0.08, 1};
    double flip = 0.5;
    double reprob = 0.25;
    int64_t recount = 1;
    int64_t num_sample = 1;
    double mixup = 0.8, cutmix = 1, mixup_prob = 1, mixup_switch_prob = 0.5;
    double smoothing = 0.1;
    bool operator==(const Augment&) const = default;
  } augment;

  struct Optim {
    std::string name = "adamw";
    double lr = 3e-4, min_lr = 1e-5;  // per 256 samples; multiply by batch_size * accumulate / 256
    std::array<double, 2> betas = {0.9, 0.95};
    double eps = 1e-8;
    double weight_decay = 0.05;
    std::optional<double> weight_decay_end = {};  // unset: constant weight decay
    double layer_decay = 1;                       // fine-tuning alone; spec 7.4
    std::optional<double> clip_grad = {};
    bool model_ema = false;
    double model_ema_decay = 0.9999;
    double warmup_epochs = 5;
    int64_t warmup_steps = 0;  // used instead of warmup_epochs when positive
    int64_t batch_size = 32, accumulate = 1;
    int64_t epochs = 100, steps = 0;
    bool operator==(const Optim&) const = default;
  } optim;

  struct Run {
    std::string init = {};  // weights to start from
    std::string out = {}, log_dir = {};
    int64_t seed = 0;
    std::string precision = "f32", backend = "cpu";
    int64_t threads = 0, device = 0, memory_budget = 0;
    int64_t save_every_epochs = 10, save_every_steps = 0, keep_last = 3;
    std::string resume = "auto";  // auto, none, or a run folder or checkpoint
    std::string val_metric = "acc1";
    std::string progress = "auto";
    bool operator==(const Run&) const = default;
  } run;

  bool operator==(const Recipe&) const = default;
};

// One setting's value; which alternative is the type of the field it is for.
using SettingValue = std::variant<bool, int64_t, double, std::optional<double>, std::string,
                                  Recipe::Size3, std::array<double, 2>, std::vector<std::string>>;
struct Key;

struct ResolvedRecipe {
  Recipe recipe;
  std::vector<std::string> warnings;  // one line each
};

// Settings collected from any number of places; for one key the latest wins. Every function throws
// Error, naming the place (file:line or flag), on an unknown key (with the nearest known one), a
// wrong type or a value out of range.
class Settings {
 public:
  void read_toml_file(const std::filesystem::path& path);
  void read_toml(std::string_view text, const std::string& name);
  // `text` as on the command line: true/false/1/0, 2,5,10 or (2,5,10) or "2 5 10", none.
  void set(std::string_view key, std::string_view text, const std::string& where);
  // A --set argument, key=value.
  void set_pair(std::string_view pair);

  // The defaults, then what the configuration model.name stands for, then the other settings. The
  // encoder depth of a published configuration without no_depth in its name is fixed (spec section
  // 1.1): another one is dropped with a warning. A warm-up that is not given is a twentieth of the
  // run, as published. Combinations are for validate() to judge.
  ResolvedRecipe resolve() const;

 private:
  std::map<const Key*, SettingValue> values_;
};

Recipe recipe_from_toml(std::string_view text, const std::string& name);
// Every key with its value; recipe_from_toml(to_toml(r)) == r.
std::string to_toml(const Recipe& recipe);

// The names model.name may have: the project's and the authors' (spec section 1.1).
std::vector<std::string> model_names();
bool is_classifier(std::string_view model_name);
// The default recipe of a configuration. Throws Error listing the names when there is none such.
Recipe recipe_for_model(const std::string& model_name);

// Throws Error with one line naming key and numbers when settings do not fit together.
void validate(const Recipe& recipe);

// docs/flags.md, from the table.
std::string flags_markdown();

}  // namespace grimace
