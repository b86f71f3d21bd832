#include "data/synth.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "data/synth_motion.h"
#include "data/synth_render.h"
#include "data/video_reader.h"
#include "ir/error.h"
#include "tests/testing.h"

namespace grimace {
namespace {

namespace fs = std::filesystem;
using synth::Expression;

constexpr int kSize = 112;

// A still frontal portrait on a grey background without noise.
Image portrait(int person, const synth::Muscles& muscles) {
  synth::FaceState state;
  state.muscles = muscles;
  const synth::Light light{.x = 0.3f, .y = -0.4f, .z = 0.87f};
  const synth::Canvas grey{
      kSize, std::vector<synth::Pixel>(size_t{kSize} * kSize, {{0.5f, 0.5f, 0.5f}, 1})};
  return render_face(synth::make_person(person), state, light, grey, 1);
}

// Mean absolute difference over rows y0..y1 and the middle third of columns, in grey levels.
double difference(const Image& a, const Image& b, double y0, double y1) {
  double sum = 0;
  int count = 0;
  for (int y = static_cast<int>(y0 * kSize); y < static_cast<int>(y1 * kSize); ++y)
    for (int i = (y * kSize + kSize / 3) * 3; i < (y * kSize + 2 * kSize / 3) * 3; ++i, ++count)
      sum += std::abs(a.rgb[i] - b.rgb[i]);
  return sum / count;
}

SynthOptions small_options(const fs::path& out) {
  return {.out = out, .clips = 3, .persons = 2, .seed = 5, .size = 64};
}

std::string error_of(const SynthOptions& options) {
  return testing::error_of([&] { write_synthetic_clips(options); });
}

TEST(SynthFace, a_frame_is_a_pure_function_of_its_inputs) {
  const synth::Muscles happy = synth::apex_muscles(Expression::happy, 1);
  EXPECT_EQ(portrait(3, happy).rgb, portrait(3, happy).rgb);
}

TEST(SynthFace, two_people_look_more_different_than_one_person_at_rest_and_moved_a_little) {
  const synth::Muscles rest{};
  synth::Muscles stirred{};
  stirred[synth::kCornerUp] = 0.1f;
  for (int person = 0; person < 5; ++person) {
    const Image face = portrait(person, rest);
    EXPECT_GT(difference(face, portrait(person + 1, rest), 0.1, 0.9), 10.0) << person;
    EXPECT_LT(difference(face, portrait(person, stirred), 0.1, 0.9), 1.5) << person;
  }
}

TEST(SynthFace, every_expression_moves_mouth_and_brows_away_from_neutral_and_from_each_other) {
  for (int person = 0; person < 4; ++person) {
    std::vector<Image> faces;
    for (int e = 0; e < 7; ++e)
      faces.push_back(portrait(person, synth::apex_muscles(static_cast<Expression>(e), 0)));
    for (int a = 0; a < 7; ++a)
      for (int b = 0; b < a; ++b) {
        const double eyes = difference(faces[a], faces[b], 0.30, 0.5);
        const double mouth = difference(faces[a], faces[b], 0.62, 0.85);
        EXPECT_GT(eyes + mouth, 5.0) << "person " << person << " " << synth::kExpressionNames[a]
                                     << " and " << synth::kExpressionNames[b];
      }
  }
}

TEST(SynthMotion, an_expression_rises_from_nothing_to_its_height) {
  for (uint64_t i = 0; i < 50; ++i) {
    PhiloxStream random(1, i);
    const synth::ClipScore score = synth::make_clip_score(Expression::surprise, random);
    ASSERT_GE(score.frames, 48);
    ASSERT_LE(score.frames, 72);
    EXPECT_EQ(synth::intensity(score, score.onset), 0.0f);
    const float height = synth::intensity(score, score.onset + score.rise);
    EXPECT_GT(height, 0.8f);
    EXPECT_LT(score.onset + score.rise, static_cast<float>(score.frames) * 0.6f);
  }
}

TEST(SynthMotion, eyes_close_at_a_blink) {
  synth::ClipScore score;
  score.blinks = {10};
  score.rise = score.fall = 5;
  EXPECT_EQ(synth::face_at(score, 10).lids, 0.0f);
  EXPECT_EQ(synth::face_at(score, 20).lids, 1.0f);
}

TEST(Synth, a_clip_moves_and_depends_on_seed_and_index_alone) {
  const SynthOptions options = small_options("");
  const std::vector<Image> frames = render_clip(options, synth_clip(options, 1));
  EXPECT_GE(frames.size(), 48u);
  EXPECT_EQ(frames[20].rgb, render_clip(options, synth_clip(options, 1))[20].rgb);
  EXPECT_NE(frames[0].rgb, frames[30].rgb);
  SynthOptions other = options;
  other.seed = 6;
  EXPECT_NE(frames[20].rgb, render_clip(other, synth_clip(other, 1))[20].rgb);
}

TEST(Synth, seven_rounds_show_every_person_with_every_expression_once) {
  for (const int persons : {1, 2, 6, 7, 14, 20}) {
    const SynthOptions options{.clips = persons * 7, .persons = persons, .first_person = 100};
    std::set<std::pair<int, Expression>> seen;
    for (int64_t i = 0; i < options.clips; ++i) {
      const SynthClip clip = synth_clip(options, i);
      EXPECT_GE(clip.person, 100);
      EXPECT_LT(clip.person, 100 + persons);
      seen.emplace(clip.person, clip.expression);
    }
    EXPECT_EQ(seen.size(), static_cast<size_t>(options.clips)) << persons << " persons";
  }
}

TEST(Synth, the_folder_holds_the_clips_and_their_list) {
  const testing::ScratchDir scratch;
  const SynthOptions options = small_options(scratch / "new" / "clips");
  std::vector<int64_t> progress;
  write_synthetic_clips(options, [&](int64_t done, int64_t) { progress.push_back(done); });
  EXPECT_EQ(progress, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(testing::file_text(options.out / "clips.csv"),
            "file,person,label\n"
            "clip_00000_person_0_happy.mp4,0,happy\n"
            "clip_00001_person_1_sad.mp4,1,sad\n"
            "clip_00002_person_0_sad.mp4,0,sad\n");
  EXPECT_EQ(std::distance(fs::directory_iterator(options.out), {}), 4);
  const auto clip = open_video(options.out / "clip_00002_person_0_sad.mp4", 1);
  EXPECT_EQ(clip->frame_count(),
            static_cast<int64_t>(render_clip(options, synth_clip(options, 2)).size()));
}

TEST(Synth, a_second_run_replaces_the_first_and_threads_change_no_byte) {
  const testing::ScratchDir scratch;
  SynthOptions options = small_options(scratch / "a");
  options.clips = 5;
  write_synthetic_clips(options);
  options.clips = 3;
  options.threads = 3;
  write_synthetic_clips(options);
  EXPECT_EQ(std::distance(fs::directory_iterator(options.out), {}), 4);
  const SynthOptions once = small_options(scratch / "b");
  write_synthetic_clips(once);
  for (int64_t i = 0; i < 3; ++i) {
    const std::string name = synth_clip(once, i).file_name();
    EXPECT_EQ(testing::file_text(options.out / name), testing::file_text(once.out / name)) << name;
  }
}

TEST(Synth, a_film_shows_every_expression_of_one_person) {
  const testing::ScratchDir scratch;
  SynthOptions options{.film = scratch / "film.mp4", .first_person = 3, .size = 32};
  write_synthetic_film(options);
  int frames = 0;
  for (int i = 0; i < 7; ++i)
    frames += static_cast<int>(std::ssize(render_clip(options, {i, 3, synth::Expression(i)})));
  EXPECT_EQ(open_video(options.film, 1)->frame_count(), frames);
  options.size = 33;
  EXPECT_THROW(write_synthetic_film(options), Error);
}

TEST(Synth, an_interrupted_run_leaves_no_list_and_no_half_file) {
  const testing::ScratchDir scratch;
  const SynthOptions options = small_options(scratch.path());
  EXPECT_THROW(write_synthetic_clips(options,
                                     [](int64_t done, int64_t) {
                                       if (done == 2) throw RunError("stop");
                                     }),
               RunError);
  EXPECT_FALSE(fs::exists(scratch / "clips.csv"));
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch.path()), {}), 2);
}

TEST(Synth, bad_options_are_named) {
  const testing::ScratchDir scratch;
  SynthOptions options = small_options(scratch / "out");
  options.clips = 0;
  EXPECT_EQ(error_of(options), "synth: --clips must be in 1..1000000; got 0");
  options = small_options(scratch / "out");
  options.persons = -1;
  EXPECT_EQ(error_of(options), "synth: --persons must be in 1..1000000; got -1");
  options = small_options(scratch / "out");
  options.first_person = -4;
  EXPECT_EQ(error_of(options), "synth: --first-person must be in 0..1000000; got -4");
  EXPECT_EQ(error_of(small_options("")),
            "synth: no output given; use --out DIR for clips or --film FILE");
  EXPECT_FALSE(fs::exists(scratch / "out"));
}

TEST(Synth, a_folder_with_other_files_is_left_alone) {
  for (const std::string name : {"thesis.txt", "clips.csv", "clip_1.mp4"}) {
    const testing::ScratchDir scratch;
    std::ofstream(scratch / name) << "file,person,label,notes\n";
    EXPECT_EQ(error_of(small_options(scratch.path())), "synth: " + scratch.path().string() +
                                                           " holds files of another kind (" + name +
                                                           "); give a new or an empty folder");
    EXPECT_EQ(testing::file_text(scratch / name), "file,person,label,notes\n");
    EXPECT_EQ(std::distance(fs::directory_iterator(scratch.path()), {}), 1);
  }
}

TEST(Synth, a_file_in_place_of_the_folder_is_an_error) {
  const testing::ScratchDir scratch;
  std::ofstream(scratch / "out") << "x";
  EXPECT_NE(error_of(small_options(scratch / "out")).find("cannot make this folder"),
            std::string::npos);
}

}  // namespace
}  // namespace grimace
