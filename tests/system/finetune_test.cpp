// From labelled clips to figures as a user sees it: fine-tuning, its checkpoints and its resuming,
// evaluation, and what both refuse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <set>

#include "ir/error.h"
#include "runtime/safetensors.h"
#include "tests/data/clips.h"
#include "tests/system/tiny_run.h"

namespace fs = std::filesystem;

namespace grimace::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string bytes_of(const fs::path& file, const std::string& name) {
  const Tensor tensor = SafetensorsFile(file).tensor(name);
  const auto* data = static_cast<const char*>(tensor.view().data);
  return {data, data + tensor.bytes()};
}

class FinetuneTest : public ::testing::Test {
 protected:
  // The tiny recipe names no model, so the command chooses the classifier.
  Words finetune(const fs::path& out, const Words& more = {}, const fs::path& list = faces_list()) {
    return Words{"finetune", "--config", tiny_recipe_file(), "--data", list, "--out", out} + more;
  }
  Outcome finetune_well(const fs::path& out, const Words& more = {}) {
    Outcome outcome = run_grimace(finetune(out, more));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome;
  }
  Outcome evaluate(const fs::path& model, const Words& more = {}) {
    return run_grimace(Words{"evaluate", "--data", faces_list(), "--model", model} + more);
  }
  fs::path write_list(const std::string& text) {
    write_bytes(scratch_ / "list.csv", text);
    return scratch_ / "list.csv";
  }
  // The list of the faces with absolute paths; `change` may alter each line.
  template <typename Change>
  fs::path changed_list(Change change) {
    std::ifstream in(faces_list());
    std::string text, line;
    std::getline(in, line);
    text = line + "\n";
    for (int64_t i = 0; std::getline(in, line); ++i)
      text += change(i, (faces_list().parent_path() / line).string()) + "\n";
    return write_list(text);
  }
  void expect_finetune_refused(const Words& more, const std::string& place,
                               const fs::path& list = faces_list()) {
    expect_refused(run_grimace(finetune(run_, more, list)), place);
    EXPECT_FALSE(fs::exists(run_)) << place;
  }

  ScratchDir scratch_;
  fs::path run_ = scratch_ / "run";
};

TEST_F(FinetuneTest, labelled_clips_become_a_classifier_and_its_figures) {
  finetune_well(run_, {"--val", faces_list()});
  EXPECT_THAT(names_in(run_),
              ElementsAre("checkpoint-12.safetensors", "checkpoint-best.safetensors",
                          "metrics.jsonl", "validation.jsonl"));
  for (const fs::path& model : {run_, run_ / "checkpoint-best.safetensors"}) {
    const Outcome outcome = evaluate(model, {"--out", scratch_ / "figures"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("24 clips"));
    EXPECT_THAT(outcome.out, HasSubstr("surprise"));
    EXPECT_THAT(outcome.out, HasSubstr("UAR"));
  }
  EXPECT_THAT(names_in(scratch_ / "figures"),
              ElementsAre("confusion.png", "metrics.json", "pred.csv", "views.txt"));
  const auto json = nlohmann::json::parse(file_text(scratch_ / "figures" / "metrics.json"));
  EXPECT_EQ(json["clips"], 24);
  EXPECT_EQ(json["classes"].size(), 7u);
  EXPECT_EQ(json["classes"][0]["name"], "angry");
}

TEST_F(FinetuneTest, every_epoch_is_validated_and_the_best_is_kept) {
  finetune_well(run_, {"--val", faces_list(), "--val-metric", "uar", "--no-augmentation", "--steps",
                       "30", "--lr", "0.3"});
  std::ifstream in(run_ / "validation.jsonl");
  double best = -1;
  int64_t best_step = 0;
  int64_t epochs = 0;
  for (std::string line; std::getline(in, line); ++epochs) {
    const auto entry = nlohmann::json::parse(line);
    EXPECT_EQ(entry["epoch"], epochs);
    EXPECT_EQ(entry["step"], 3 * (epochs + 1));
    if (entry["uar"].get<double>() <= best) continue;
    best = entry["uar"];
    best_step = entry["step"];
  }
  EXPECT_EQ(epochs, 10);
  const Outcome outcome = evaluate(run_ / "checkpoint-best.safetensors");
  EXPECT_THAT(outcome.out, HasSubstr(cat("checkpoint-best.safetensors (step ", best_step, ")")));
}

class FinetunePrecisionTest : public FinetuneTest,
                              public ::testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(, FinetunePrecisionTest, ::testing::Values("f32", "bf16"),
                         [](const auto& info) { return std::string(info.param); });

// With everything that draws: mixing, augmentation, drop path; and with validation in between.
TEST_P(FinetunePrecisionTest, a_resumed_run_equals_an_uninterrupted_one_bit_for_bit) {
  const Words settings{"--precision", GetParam(),         "--set",      "run.save_every_steps=5",
                       "--val",       faces_list(),       "--set",      "model.drop_path=0.3",
                       "--set",       "augment.reprob=1", "--model-ema"};
  const fs::path whole = scratch_ / "whole";
  finetune_well(whole, settings);
  finetune_well(run_, settings);
  fs::remove(checkpoint(run_, 10));
  fs::remove(checkpoint(run_, 12));
  const Outcome outcome = finetune_well(run_, settings);
  EXPECT_THAT(outcome.err, HasSubstr("checkpoint-5.safetensors, step 5\n"));
  expect_same_tensors(checkpoint(whole, 12), checkpoint(run_, 12));
  expect_same_losses(metrics(whole), metrics(run_));
  EXPECT_EQ(file_text(whole / "validation.jsonl"), file_text(run_ / "validation.jsonl"));
  for (const char* name : {"head.weight", "blocks.0.mlp.fc1.weight"})
    EXPECT_EQ(bytes_of(whole / "checkpoint-best.safetensors", name),
              bytes_of(run_ / "checkpoint-best.safetensors", name));
}

TEST_F(FinetuneTest, clips_are_learnt_by_heart_when_nothing_changes_them) {
  finetune_well(run_, {"--no-augmentation", "--mixup", "0", "--cutmix", "0", "--smoothing", "0",
                       "--set", "data.hold_batch=true", "--steps", "150", "--lr", "0.15",
                       "--layer-decay", "1", "--drop-path", "0", "--set", "optim.warmup_steps=10"});
  EXPECT_NEAR(metrics(run_).front().at("loss").get<double>(), std::log(7.0), 0.01);
  EXPECT_LT(metrics(run_).back().at("loss").get<double>(), 0.3);
}

TEST_F(FinetuneTest, a_pre_trained_encoder_gives_its_architecture_and_its_weights) {
  const fs::path before = scratch_ / "pretrained";
  pretrain_well(before);
  ASSERT_EQ(run_grimace({"convert", before, scratch_ / "plain.pth"}).exit_code, 0);
  // No recipe: the sizes come from the checkpoint.
  const Words words{"finetune",
                    "--data",
                    faces_list(),
                    "--threads",
                    "1",
                    "--batch-size",
                    "8",
                    "--steps",
                    "2",
                    "--set",
                    "optim.lr=0",
                    "--set",
                    "optim.min_lr=0",
                    "--sampling-rate",
                    "2"};
  for (const fs::path& init : {before, scratch_ / "plain.pth"}) {
    const fs::path out = scratch_ / ("from_" + init.filename().string());
    const Outcome outcome = run_grimace(words + Words{"--init", init, "--out", out});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("starting from "));
    EXPECT_THAT(outcome.err, HasSubstr("not in the file: 4 (fc_norm.weight, fc_norm.bias, head."));
    EXPECT_THAT(outcome.err, HasSubstr("not used: "));
    // A rate of zero leaves everything as it was loaded.
    for (const char* name : {"lg_region_tokens", "blocks.1.mlp.fc2.weight"})
      EXPECT_EQ(bytes_of(checkpoint(out, 2), name),
                bytes_of(checkpoint(before, 12), std::string("encoder.") + name))
          << name;
  }
}

TEST_F(FinetuneTest, pre_training_continues_from_other_weights) {
  const fs::path before = scratch_ / "before";
  pretrain_well(before);
  const Outcome outcome = pretrain_well(run_, {"--init", before, "--lr", "0", "--min-lr", "0"});
  EXPECT_THAT(outcome.err, HasSubstr("starting from "));
  EXPECT_EQ(bytes_of(checkpoint(run_, 12), "mask_token"),
            bytes_of(checkpoint(before, 12), "mask_token"));
}

TEST_F(FinetuneTest, a_run_is_not_continued_with_other_classes) {
  finetune_well(run_);
  const fs::path two = changed_list([](int64_t i, const std::string& line) {
    return line.substr(0, line.rfind(',') + 1) + (i % 2 == 0 ? "a" : "b");
  });
  expect_refused(run_grimace(finetune(run_, {}, two)),
                 "it has model.classes = 7 and this run 2; it is a checkpoint of another");
}

TEST_F(FinetuneTest, rows_without_a_label_are_counted_and_left_out) {
  const fs::path list = changed_list([](int64_t i, const std::string& line) {
    return i < 3 ? line.substr(0, line.rfind(',') + 1) : line;
  });
  const Outcome outcome = run_grimace(finetune(run_, {}, list));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("list.csv: 3 clips without a label are left out"));
  EXPECT_THAT(outcome.err, HasSubstr("21 clips, 2 batches of 8 an epoch"));
}

TEST_F(FinetuneTest, labels_that_fit_no_class_are_refused_by_line) {
  const Words seven{"--nb-classes", "7"};
  expect_finetune_refused(seven, "list.csv:2: label 7 is out of range; the classes are 0..6",
                          write_list("a 0\nb 7\n"));
  expect_finetune_refused({}, "list.csv:1: label -1 is out of range", write_list("a -1\nb 7\n"));
  expect_finetune_refused({"--classes", "angry,happy"}, "is none of the 2 classes angry, happy");
  expect_finetune_refused({}, "none of its 2 clips has a label", write_list("file\na\nb\n"));
  expect_finetune_refused({}, "all clips are of one class", write_list("file,label\na,x\nb,x\n"));
}

TEST_F(FinetuneTest, a_class_list_of_another_length_is_refused) {
  expect_finetune_refused({"--nb-classes", "6"}, "its labels name 7 classes, but the model has 6");
  expect_finetune_refused({"--nb-classes", "3", "--classes", "a,b"},
                          "data.classes names 2 classes but model.classes = 3");
  finetune_well(run_);
  expect_refused(evaluate(run_, {"--classes", "a,b"}),
                 "data.classes names 2 classes but model.classes = 7");
}

TEST_F(FinetuneTest, an_odd_batch_cannot_be_mixed) {
  expect_finetune_refused({"--batch-size", "7"}, "the batch of 7 must be even");
  EXPECT_EQ(
      run_grimace(finetune(run_, {"--batch-size", "7", "--mixup", "0", "--cutmix", "0"})).exit_code,
      0);
}

TEST_F(FinetuneTest, clips_that_cannot_be_read_are_named_and_replaced_or_refused) {
  fs::create_directory(scratch_ / "empty");
  const fs::path list = changed_list([&](int64_t i, const std::string& line) {
    return i == 5 ? (scratch_ / "empty").string() + line.substr(line.find(',')) : line;
  });
  const Outcome outcome = run_grimace(finetune(run_, {}, list));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("list.csv:7: this clip is replaced by another: "));
  EXPECT_THAT(outcome.err, HasSubstr("holds no .jpg or .png frames"));
  const Outcome figures = run_grimace({"evaluate", "--data", list, "--model", run_});
  EXPECT_EQ(figures.exit_code, 0) << figures.err;
  EXPECT_THAT(figures.err, HasSubstr("list.csv:7: this clip is left out: "));
  EXPECT_THAT(figures.out, HasSubstr("23 clips"));
  fs::remove_all(run_);
  expect_finetune_refused({"--max-bad", "0.01"}, "more than --max-bad 0.01 allows", list);
  std::string missing;
  for (int i = 0; i < 8; ++i) missing += cat("gone", i, ".mp4 ", i % 2, "\n");
  expect_finetune_refused({}, "1 of 8 clips are unreadable", write_list(missing));
}

TEST_F(FinetuneTest, a_clip_that_is_listed_twice_is_evaluated_once) {
  finetune_well(run_);
  const fs::path list = changed_list(
      [](int64_t i, const std::string& line) { return i == 0 ? line + "\n" + line : line; });
  const Outcome outcome = run_grimace({"evaluate", "--data", list, "--model", run_});
  EXPECT_THAT(outcome.err, HasSubstr("list.csv: 1 repeated clips count once"));
  EXPECT_THAT(outcome.out, HasSubstr("24 clips"));
}

TEST_F(FinetuneTest, models_of_the_wrong_kind_are_refused) {
  const fs::path before = scratch_ / "pretrained";
  pretrain_well(before);
  const Outcome outcome = evaluate(before);
  expect_refused(outcome, "holds a pre-training model, which knows no classes; make a classifier");
  EXPECT_THAT(outcome.err, HasSubstr("grimace finetune --init"));
  expect_refused(evaluate("mae-dfer-classifier"), "evaluate needs trained weights");
  expect_refused(evaluate(scratch_ / "gone"), "no such file or folder");
  expect_finetune_refused({"--init", scratch_ / "gone"}, "gone: no such file or folder");
  expect_finetune_refused({"--model", "mae-dfer-pretrain"}, "is a pre-training model");
  const Outcome wider =
      run_grimace(finetune(run_, {"--init", before, "--set", "model.embed_dim=64"}));
  EXPECT_EQ(wider.exit_code, 2);
  EXPECT_THAT(wider.err, HasSubstr("holds LGI-Former pre-training model, width 32, 2 blocks"));
  EXPECT_THAT(wider.err, HasSubstr("wanted is LGI-Former classifier, width 64, 2 blocks"));
  EXPECT_FALSE(fs::exists(run_));
}

TEST_F(FinetuneTest, averaged_parameters_can_be_evaluated_where_a_run_kept_them) {
  // An average that forgets at once is the parameters; one that never moves, those at the start.
  finetune_well(run_, {"--model-ema", "--model-ema-decay", "0"});
  EXPECT_EQ(bytes_of(checkpoint(run_, 12), "state.ema.head.weight"),
            bytes_of(checkpoint(run_, 12), "head.weight"));
  const fs::path still = scratch_ / "still";
  finetune_well(still, {"--model-ema", "--model-ema-decay", "1"});
  finetune_well(scratch_ / "start", {"--lr", "0", "--min-lr", "0"});
  EXPECT_EQ(bytes_of(checkpoint(still, 12), "state.ema.head.weight"),
            bytes_of(checkpoint(scratch_ / "start", 12), "head.weight"));
  // Without being asked for; the ones last trained only on demand.
  const auto answers = [&](const fs::path& model, const Words& more) {
    const Outcome outcome = evaluate(model, more + Words{"--out", scratch_ / "figures"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return file_text(scratch_ / "figures" / "views.txt");
  };
  const std::string averaged = answers(still, {});
  EXPECT_EQ(averaged, answers(scratch_ / "start", {}));
  EXPECT_EQ(averaged, answers(still, {"--ema"}));
  EXPECT_NE(averaged, answers(still, {"--no-ema"}));
  // The authors' program keeps them in an entry of its own.
  const fs::path theirs = with_authors_averages(checkpoint(still, 12), scratch_ / "theirs.pth");
  EXPECT_EQ(averaged, answers(theirs, {}));
  EXPECT_EQ(answers(still, {"--no-ema"}), answers(theirs, {"--no-ema"}));
  expect_refused(evaluate(scratch_ / "start", {"--ema"}), "keeps no averaged parameters");
}

TEST_F(FinetuneTest, epochs_are_validated_with_the_averaged_parameters) {
  // The average never moves, so that no epoch is better than the first.
  finetune_well(run_,
                {"--val", faces_list(), "--model-ema", "--model-ema-decay", "1", "--lr", "1"});
  std::ifstream in(run_ / "validation.jsonl");
  std::set<std::string> figures;
  for (std::string line; std::getline(in, line);) figures.insert(line.substr(line.find("acc1")));
  EXPECT_EQ(figures.size(), 1u);
  const fs::path best = run_ / "checkpoint-best.safetensors";
  EXPECT_EQ(bytes_of(best, "head.weight"), bytes_of(checkpoint(run_, 12), "state.ema.head.weight"));
  EXPECT_NE(bytes_of(best, "head.weight"), bytes_of(checkpoint(run_, 12), "head.weight"));
  EXPECT_EQ(evaluate(best).exit_code, 0);
}

TEST_F(FinetuneTest, pre_training_refuses_settings_it_has_no_use_for) {
  const auto refused = [&](const Words& more, const std::string& setting) {
    expect_refused(run_grimace(pretrain(run_, more)),
                   setting + ": pretrain has no use for it; it is a setting of finetune");
    EXPECT_FALSE(fs::exists(run_));
  };
  refused({"--val", faces_list()}, "data.val = \"" + faces_list().string() + "\"");
  refused({"--reprob", "0.5"}, "augment.reprob = 0.5");
  refused({"--classes", "a,b"}, "data.classes = [\"a\", \"b\"]");
  refused({"--layer-decay", "0.75"}, "optim.layer_decay = 0.75");
  refused({"--fold", "1"}, "data.fold = 1");
}

TEST_F(FinetuneTest, the_help_names_the_defaults_of_the_command) {
  EXPECT_THAT(run_grimace({"finetune", "--help"}).out, HasSubstr("(default 0.75)"));
  EXPECT_THAT(run_grimace({"pretrain", "--help"}).out, ::testing::Not(HasSubstr("(default 0.75)")));
}

TEST_F(FinetuneTest, a_dry_run_writes_nothing) {
  const Outcome outcome = finetune_well(run_, {"--dry-run", "2", "--val", faces_list()});
  EXPECT_THAT(outcome.out, HasSubstr("dry run: 2 steps"));
  EXPECT_FALSE(fs::exists(run_));
}

// The published fine-tuning script's command line, with the sizes of a tiny model.
TEST_F(FinetuneTest, the_authors_command_line_is_accepted) {
  finetune_well(run_,
                words_of("--model vit_base_dim512_no_depth_patch16_160 --encoder_depth 2 "
                         "--attn_type local_global --lg_classify_token_type region --nb_classes 7 "
                         "--layer_decay 0.75 --drop_path 0.1 --mixup 0.8 --cutmix 1.0 "
                         "--mixup_prob 1.0 --mixup_switch_prob 0.5 --smoothing 0.1 "
                         "--aa rand-m7-n4-mstd0.5-inc1 --reprob 0.25 --recount 1 --num_sample 1 "
                         "--opt_betas 0.9 0.999 --warmup_epochs 0 --val_metric acc1 "
                         "--test_num_segment 2 --test_num_crop 2 --seed 1"));
  const Outcome outcome = evaluate(run_, {"--set", "data.test_num_segment=1"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

// What the published script gives beside settings: a folder of lists, and flags without effect
// here.
TEST_F(FinetuneTest, the_authors_folder_of_lists_is_taken) {
  const fs::path folder = scratch_ / "split01";
  fs::create_directory(folder);
  fs::copy_file(changed_list([](int64_t, const std::string& line) { return line; }),
                folder / "train.csv");
  fs::copy_file(folder / "train.csv", folder / "val.csv");
  const Outcome outcome = run_grimace({"finetune",
                                       "--config",
                                       tiny_recipe_file(),
                                       "--output_dir",
                                       run_,
                                       "--data_path",
                                       folder,
                                       "--model",
                                       "vit_base_dim512_no_depth_patch16_160",
                                       "--depth",
                                       "2",
                                       "--data_set",
                                       "DFEW",
                                       "--nb_classes",
                                       "7",
                                       "--short_side_size",
                                       "160",
                                       "--dist_eval",
                                       "--test_num_segment",
                                       "2",
                                       "--update_freq",
                                       "1",
                                       "--color_jitter",
                                       "0.4",
                                       "--num_workers",
                                       "1",
                                       "--opt",
                                       "adamw"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("--data_set has no effect: labels and classes are those of"));
  EXPECT_THAT(outcome.err, HasSubstr("--dist_eval has no effect"));
  EXPECT_THAT(names_in(run_), ::testing::Contains("checkpoint-best.safetensors"));
}

}  // namespace
}  // namespace grimace::testing
