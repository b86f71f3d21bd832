#include "data/corpora.h"

#include <algorithm>

#include "ir/error.h"

namespace grimace {
namespace {

const std::vector<std::string> kSevenClasses{"happy",    "sad",     "neutral", "angry",
                                             "surprise", "disgust", "fear"};

// Classes that the data set calls by their names.
std::vector<std::pair<std::string, std::string>> own_names(
    const std::vector<std::string>& classes) {
  std::vector<std::pair<std::string, std::string>> labels;
  for (const std::string& name : classes) labels.emplace_back(name, name);
  return labels;
}

Corpus dfew() {
  return {
      .name = "dfew",
      .title = "DFEW",
      .classes = kSevenClasses,
      .labels = {{"1", "happy"},
                 {"2", "sad"},
                 {"3", "neutral"},
                 {"4", "angry"},
                 {"5", "surprise"},
                 {"6", "disgust"},
                 {"7", "fear"}},
      .places = {{"Clip/clip_224x224/{name}"}, {"Clip/jpg_256/{name}"}, {"Clip/jpg_224/{name}"}},
      .lists = {.folders = {"EmoLabel_DataSplit"},
                .train = {"train(single-labeled)/set_{fold}.csv",
                          "train(single-labeled)/train_set_{fold}.csv"},
                .test = {"test(single-labeled)/set_{fold}.csv",
                         "test(single-labeled)/test_set_{fold}.csv"},
                .name_column = "video_name"},
      .class_clips = {2445, 1894, 2669, 2173, 1469, 145, 902},
      .folds = {{9356, 2341}, {9356, 2341}, {9357, 2340}, {9358, 2339}, {9361, 2336}},
  };
}

Corpus ferv39k() {
  return {
      .name = "ferv39k",
      .title = "FERV39k",
      .classes = kSevenClasses,
      .labels = {{"Happy", "happy"},
                 {"Sad", "sad"},
                 {"Neutral", "neutral"},
                 {"Angry", "angry"},
                 {"Surprise", "surprise"},
                 {"Disgust", "disgust"},
                 {"Fear", "fear"}},
      .places = {{"2_ClipsforFaceCrop/{name}/{name}/{name}"}},
      .lists = {.folders = {"4_setups/All_scenes"},
                .train = {"train_All.csv"},
                .test = {"test_All.csv"}},
      .class_clips = {7327, 6916, 9748, 7393, 3140, 2300, 2111},
      .folds = {{31088, 7847}},
  };
}

Corpus mafw() {
  const std::vector<std::string> classes{"anger",   "disgust",      "fear",          "happiness",
                                         "neutral", "sadness",      "surprise",      "contempt",
                                         "anxiety", "helplessness", "disappointment"};
  return {
      .name = "mafw",
      .title = "MAFW",
      .classes = classes,
      .labels = own_names(classes),
      .places = {{"data/frames/{name}"}},
      .lists = {.folders = {"Train & Test Set/single/no_caption", "split/single/no_caption"},
                .train = {"set_{fold}/train.txt"},
                .test = {"set_{fold}/test.txt"},
                .names_have_extensions = true},
      .class_clips = {1390, 639, 625, 1242, 1138, 1470, 1072, 236, 916, 262, 182},
      .folds = {{7333, 1839}, {7335, 1837}, {7339, 1833}, {7340, 1832}, {7341, 1831}},
  };
}

Corpus crema_d() {
  return {
      .name = "crema-d",
      .title = "CREMA-D",
      .classes = {"anger", "disgust", "fear", "happy", "neutral", "sad"},
      .labels = {{"ANG", "anger"},
                 {"DIS", "disgust"},
                 {"FEA", "fear"},
                 {"HAP", "happy"},
                 {"NEU", "neutral"},
                 {"SAD", "sad"}},
      .places = {{"face_aligned/{subject}_*_{label}_*"},
                 {"VideoFlash/{subject}_*_{label}_*"},
                 {"{subject}_*_{label}_*"}},
      .test_persons =
          {{{1001, 1018}}, {{1019, 1036}}, {{1037, 1054}}, {{1055, 1072}}, {{1073, 1091}}},
      .class_clips = {1271, 1271, 1271, 1271, 1087, 1271},
      .folds = {{5979, 1463}, {5972, 1470}, {5966, 1476}, {5966, 1476}, {5885, 1557}},
  };
}

Corpus ravdess() {
  // Video alone (02) of speech (01), emotion, intensity, statement, repetition, actor.
  const std::string clip = "02-01-{label}-*-*-*-{subject}*";
  return {
      .name = "ravdess",
      .title = "RAVDESS",
      .classes = {"neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"},
      .labels = {{"01", "neutral"},
                 {"02", "calm"},
                 {"03", "happy"},
                 {"04", "sad"},
                 {"05", "angry"},
                 {"06", "fearful"},
                 {"07", "disgust"},
                 {"08", "surprised"}},
      .places = {{"face_aligned/Actor_*/" + clip},
                 {"Actor_*/" + clip},
                 {"Video_Speech_Actor_*/Actor_*/" + clip}},
      .test_persons = {{{1, 4}}, {{5, 8}}, {{9, 12}}, {{13, 16}}, {{17, 20}}, {{21, 24}}},
      .class_clips = {96, 192, 192, 192, 192, 192, 192, 192},
      .folds = std::vector<Corpus::FoldClips>(6, {1200, 240}),
  };
}

Corpus enterface05() {
  const std::vector<std::string> classes{"anger",     "disgust", "fear",
                                         "happiness", "sadness", "surprise"};
  const auto place = [](const std::string& folder) {
    return std::vector{folder + "subject?{subject}/{label}/sentence*/*",
                       folder + "subject?{subject}/{label}/*"};
  };
  return {
      .name = "enterface05",
      .title = "eNTERFACE'05",
      .classes = classes,
      .labels = own_names(classes),
      .places = {place("face_aligned/"), place("enterface database/"), place("")},
      .test_persons = {{{1, 5}, {7, 10}}, {{11, 19}}, {{20, 28}}, {{29, 37}}, {{38, 44}}},
      .class_clips = {215, 215, 215, 212, 215, 215},
      .folds = {{1017, 270}, {1017, 270}, {1020, 267}, {1017, 270}, {1077, 210}},
  };
}

}  // namespace

const std::vector<Corpus>& corpora() {
  static const std::vector<Corpus> all{dfew(),    ferv39k(), mafw(),
                                       crema_d(), ravdess(), enterface05()};
  return all;
}

const Corpus& find_corpus(std::string_view name) {
  const auto found = std::ranges::find(corpora(), name, &Corpus::name);
  if (found != corpora().end()) return *found;
  throw Error(cat("no data set is called '", name.substr(0, 100),
                  "'; known: ", joined(corpora(), ", ", &Corpus::name)));
}

}  // namespace grimace
