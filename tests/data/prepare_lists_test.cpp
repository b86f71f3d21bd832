// The lists of six published data sets, from miniatures of their folders.
#include "data/prepare_lists.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "ir/error.h"
#include "tests/testing.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class PrepareListsTest : public ::testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    fs::create_directories((scratch_ / path).parent_path());
    std::ofstream(scratch_ / path) << text;
  }
  void frames(const std::string& clip) { write(clip + "/1.png", "x"); }
  PreparedLists prepare(const std::string& corpus, const std::vector<std::string>& patterns = {}) {
    return prepare_lists(find_corpus(corpus), scratch_.path(), patterns);
  }
  std::string error_of(const std::string& corpus, const std::vector<std::string>& patterns = {}) {
    try {
      prepare(corpus, patterns);
    } catch (const Error& error) {
      std::string text = error.what();
      for (size_t at; (at = text.find(scratch_.path().string())) != std::string::npos;)
        text.replace(at, scratch_.path().string().size(), "ROOT");
      return text;
    }
    return "no error";
  }
  // "path label" of each clip.
  std::vector<std::string> rows(const std::vector<PreparedClip>& clips) {
    std::vector<std::string> rows;
    for (const PreparedClip& clip : clips)
      rows.push_back(cat(fs::relative(clip.path, scratch_.path()).string(), " ", clip.label));
    return rows;
  }
  static std::vector<std::string> reasons(const PreparedLists& lists) {
    std::vector<std::string> text;
    for (const auto& [reason, left] : lists.left_out) text.push_back(cat(left.count, " ", reason));
    return text;
  }

  // Clips 1..5, of which fold k tests clip k.
  void make_dfew(const std::string& place) {
    for (int clip = 1; clip <= 5; ++clip) frames(cat(place, "/0000", clip));
    for (int fold = 1; fold <= 5; ++fold)
      for (const bool test : {false, true}) {
        std::string text = "video_name,label\n";
        for (int clip = 1; clip <= 5; ++clip)
          if ((clip == fold) == test) text += cat(clip, ",", clip, "\n");
        write(dfew_list(test, fold), text);
      }
  }
  static std::string dfew_list(bool test, int fold) {
    return cat("EmoLabel_DataSplit/", test ? "test" : "train", "(single-labeled)/set_", fold,
               ".csv");
  }

  testing::ScratchDir scratch_;
};

TEST_F(PrepareListsTest, dfew_follows_its_lists) {
  make_dfew("Clip/clip_224x224");
  frames("Clip/clip_224x224/16372");
  const PreparedLists lists = prepare("dfew");
  ASSERT_EQ(lists.folds.size(), 5u);
  EXPECT_THAT(rows(lists.folds[1].test), ElementsAre("Clip/clip_224x224/00002 1"));
  EXPECT_THAT(rows(lists.folds[1].train),
              ElementsAre("Clip/clip_224x224/00001 0", "Clip/clip_224x224/00003 2",
                          "Clip/clip_224x224/00004 3", "Clip/clip_224x224/00005 4"));
  EXPECT_THAT(reasons(lists), ElementsAre("1 there, but in no list"));
}

TEST_F(PrepareListsTest, lists_of_dfew_have_two_names) {
  make_dfew("Clip/clip_224x224");
  fs::rename(scratch_ / dfew_list(true, 2),
             scratch_ / "EmoLabel_DataSplit/test(single-labeled)/test_set_2.csv");
  EXPECT_THAT(rows(prepare("dfew").folds[1].test), ElementsAre("Clip/clip_224x224/00002 1"));
}

TEST_F(PrepareListsTest, clips_elsewhere_are_found_by_a_pattern) {
  make_dfew("faces/part_2");
  EXPECT_EQ(error_of("dfew"),
            "ROOT: no clips of DFEW there; looked for 'Clip/clip_224x224/{name}', "
            "'Clip/jpg_256/{name}', 'Clip/jpg_224/{name}'; clips elsewhere: --pattern");
  EXPECT_THAT(rows(prepare("dfew", {"faces/part_*/{name}"}).folds[2].test),
              ElementsAre("faces/part_2/00003 2"));
  EXPECT_EQ(
      error_of("dfew", {"faces/part_*/*"}),
      "the pattern 'faces/part_*/*' has no {name}; DFEW comes with lists that name its clips");
}

TEST_F(PrepareListsTest, a_listed_clip_that_is_not_there_is_left_out_once) {
  make_dfew("Clip/jpg_256");
  fs::remove_all(scratch_ / "Clip/jpg_256/00004");
  const PreparedLists lists = [&] {
    write(dfew_list(true, 4), "video_name,label\n4,4\n5,5\n");
    return prepare("dfew");
  }();
  EXPECT_THAT(reasons(lists), ElementsAre("1 listed, but not there"));
  EXPECT_EQ(lists.left_out.begin()->second.example,
            (scratch_ / (dfew_list(false, 1) + ":4 4")).string());
}

TEST_F(PrepareListsTest, lists_that_cannot_be_used_are_refused) {
  EXPECT_EQ(error_of("dfew", {"{name}"}),
            "ROOT: no clips of DFEW there; looked for '{name}'; clips elsewhere: --pattern");
  frames("Clip/jpg_256/00001");
  EXPECT_EQ(error_of("dfew"),
            "ROOT: the lists of DFEW are not there; expected 'EmoLabel_DataSplit'");
  make_dfew("Clip/jpg_256");
  write(dfew_list(false, 2), "video_name,label\n1,8\n");
  EXPECT_EQ(error_of("dfew"),
            cat("ROOT/", dfew_list(false, 2), ":2: the label '8' is none of 1, 2, 3, 4, 5, 6, 7"));
  fs::remove(scratch_ / dfew_list(false, 2));
  EXPECT_EQ(error_of("dfew"), cat("ROOT/", dfew_list(false, 2), ": the list file does not exist"));
  write(dfew_list(false, 2), "video_name,label\n77,7\n");
  EXPECT_EQ(error_of("dfew"), "ROOT: fold 2 has no clips to train on; 5 clips of DFEW were found");
  write("Clip/jpg_256/1.mp4", "x");
  EXPECT_EQ(error_of("dfew"),
            "ROOT/Clip/jpg_256/1.mp4 and ROOT/Clip/jpg_256/00001 are both the clip 1; --pattern "
            "tells which to use");
}

TEST_F(PrepareListsTest, ferv39k_follows_its_one_split) {
  for (const char* clip : {"War/Sad/0001", "War/Sad/0002", "Action/Happy/0001"})
    frames(std::string("2_ClipsforFaceCrop/") + clip);
  write("4_setups/All_scenes/train_All.csv", "War/Sad/0001 Sad\nAction/Happy/0001 Happy\n");
  write("4_setups/All_scenes/test_All.csv", "War/Sad/0002 Sad\n");
  const PreparedLists lists = prepare("ferv39k");
  ASSERT_EQ(lists.folds.size(), 1u);
  EXPECT_THAT(rows(lists.folds[0].train), ElementsAre("2_ClipsforFaceCrop/War/Sad/0001 1",
                                                      "2_ClipsforFaceCrop/Action/Happy/0001 0"));
  EXPECT_THAT(rows(lists.folds[0].test), ElementsAre("2_ClipsforFaceCrop/War/Sad/0002 1"));
  EXPECT_THAT(reasons(lists), IsEmpty());
}

TEST_F(PrepareListsTest, mafw_follows_its_lists_under_either_name) {
  for (const char* clip : {"00151", "03747"}) frames(std::string("data/frames/") + clip);
  for (const char* folder :
       {"split/single/no_caption/set_", "Train & Test Set/single/no_caption/set_"}) {
    for (int fold = 1; fold <= 5; ++fold) {
      write(cat(folder, fold, "/train.txt"), "03747.mp4 anger\n");
      write(cat(folder, fold, "/test.txt"), "00151.mp4 disappointment\n");
    }
    const PreparedLists lists = prepare("mafw");
    EXPECT_THAT(rows(lists.folds[4].train), ElementsAre("data/frames/03747 0"));
    EXPECT_THAT(rows(lists.folds[4].test), ElementsAre("data/frames/00151 10"));
    fs::remove_all(scratch_ / "split");
  }
}

// The first and the last person of each fold.
TEST_F(PrepareListsTest, crema_d_is_divided_by_persons) {
  for (const int person : {1001, 1018, 1019, 1036, 1037, 1054, 1055, 1072, 1073, 1091})
    write(cat("VideoFlash/", person, "_DFA_ANG_XX.flv"), "x");
  write("VideoFlash/1019_IEO_SAD_LO.flv", "x");
  write("VideoFlash/1092_IEO_SAD_LO.flv", "x");
  write("VideoFlash/1001_IEO_JOY_LO.flv", "x");
  const PreparedLists lists = prepare("crema-d");
  ASSERT_EQ(lists.folds.size(), 5u);
  EXPECT_THAT(rows(lists.folds[0].test),
              ElementsAre("VideoFlash/1001_DFA_ANG_XX.flv 0", "VideoFlash/1018_DFA_ANG_XX.flv 0"));
  EXPECT_THAT(rows(lists.folds[1].test),
              ElementsAre("VideoFlash/1019_DFA_ANG_XX.flv 0", "VideoFlash/1019_IEO_SAD_LO.flv 5",
                          "VideoFlash/1036_DFA_ANG_XX.flv 0"));
  for (const PreparedFold& fold : lists.folds) EXPECT_EQ(fold.train.size() + fold.test.size(), 11u);
  EXPECT_THAT(reasons(lists),
              ElementsAre("1 labelled 'JOY', which is none of ANG, DIS, FEA, HAP, NEU, SAD",
                          "1 of a person in no fold"));
}

TEST_F(PrepareListsTest, aligned_faces_go_before_the_videos_they_were_made_of) {
  for (int person = 1001; person <= 1091; person += 9) {
    frames(cat("face_aligned/", person, "_DFA_NEU_XX"));
    write(cat("VideoFlash/", person, "_DFA_ANG_XX.flv"), "x");
  }
  EXPECT_EQ(rows(prepare("crema-d").folds[0].test)[0], "face_aligned/1001_DFA_NEU_XX 4");
}

TEST_F(PrepareListsTest, ravdess_takes_speech_without_sound) {
  for (int actor = 1; actor <= 24; ++actor) {
    const std::string two = cat(actor < 10 ? "0" : "", actor);
    for (const char* kind : {"02-01-08-02-01-01-", "01-01-08-02-01-01-", "02-02-05-01-01-01-"})
      write(cat("Video_Speech_Actor_", two, "/Actor_", two, "/", kind, two, ".mp4"), "x");
  }
  const PreparedLists lists = prepare("ravdess");
  ASSERT_EQ(lists.folds.size(), 6u);
  EXPECT_EQ(lists.folds[5].test.size(), 4u);
  EXPECT_EQ(rows(lists.folds[5].test)[0],
            "Video_Speech_Actor_21/Actor_21/02-01-08-02-01-01-21.mp4 7");
  EXPECT_THAT(reasons(lists), ElementsAre("48 of another form"));
}

TEST_F(PrepareListsTest, enterface_is_read_with_and_without_folders_of_sentences) {
  for (int subject = 1; subject <= 44; ++subject)
    if (subject == 23)
      write("subject 23/fear/s23_fe_1.avi", "x");
    else if (subject != 6)
      write(cat("subject ", subject, "/surprise/sentence 1/s_", subject, "_su_1.avi"), "x");
  write("subject 6/subject 6.avi", "x");
  const PreparedLists lists = prepare("enterface05");
  EXPECT_EQ(lists.folds[0].test.size(), 9u);
  EXPECT_EQ(lists.folds[4].test.size(), 7u);
  EXPECT_EQ(rows(lists.folds[0].test)[0], "subject 1/surprise/sentence 1/s_1_su_1.avi 5");
  EXPECT_EQ(rows(lists.folds[2].test).size(), 9u);
  EXPECT_THAT(rows(lists.folds[2].test), ::testing::Contains("subject 23/fear/s23_fe_1.avi 2"));
  EXPECT_THAT(reasons(lists), IsEmpty());
}

TEST_F(PrepareListsTest, folders_and_data_sets_that_are_not_there_are_refused) {
  EXPECT_EQ(error_of("afew"),
            "no data set is called 'afew'; known: dfew, ferv39k, mafw, crema-d, ravdess, "
            "enterface05");
  fs::remove_all(scratch_.path());
  EXPECT_EQ(error_of("mafw"), "ROOT: no such folder; expected that of MAFW");
  fs::create_directories(scratch_.path());
}

TEST(Corpora, published_numbers_agree_with_one_another) {
  for (const Corpus& corpus : corpora()) {
    int64_t clips = 0, tested = 0;
    for (const int64_t count : corpus.class_clips) clips += count;
    EXPECT_EQ(corpus.class_clips.size(), corpus.classes.size()) << corpus.name;
    for (const auto& [train, test] : corpus.folds) {
      EXPECT_EQ(train + test, clips) << corpus.name;
      tested += test;
    }
    if (corpus.folds.size() > 1) {
      EXPECT_EQ(tested, clips) << corpus.name;
    }
  }
}

}  // namespace
}  // namespace grimace
