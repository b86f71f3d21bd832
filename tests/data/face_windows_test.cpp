// From frames to windows of people, with a detector that says what the test tells it.
#include "data/face_windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/error.h"

namespace grimace {
namespace {

using ::testing::ElementsAre;

// Finds what `script` says for a look, by its number.
class ScriptedDetector : public FaceDetector {
 public:
  explicit ScriptedDetector(std::function<std::vector<Face>(int64_t)> script)
      : script_(std::move(script)) {}
  std::vector<Face> find(const Image&) override { return script_(looks_++); }
  int64_t looks() const { return looks_; }

 private:
  std::function<std::vector<Face>(int64_t)> script_;
  int64_t looks_ = 0;
};

const Face kAnna{{100, 60, 40, 40}, 1};
const Face kBert{{220, 60, 40, 40}, 1};

// 4 samples, each of 2 frames; a look every 2nd frame; 10 frames a second.
FaceWindowsConfig small() {
  return {.clip = {.frames = 4, .sampling_rate = 2, .image_size = 8},
          .stride = 2,
          .detect_every = 2,
          .tracker = {.hold = 2, .forget = 6}};
}

struct Row {
  int64_t person;
  int64_t start;  // tenths of a second
  int64_t end;
  bool operator==(const Row&) const = default;
};
void PrintTo(const Row& row, std::ostream* out) {
  *out << row.person << ":" << row.start << "-" << row.end;
}

struct Result {
  std::vector<Row> rows = {};
  int64_t most_held = 0;
  int64_t pictures = 0;  // frames whose pixels were asked for
};

Result run(int64_t frames, FaceDetector* detector, const FaceWindowsConfig& config = small()) {
  Result result;
  int64_t settled = 0;
  const auto tenths = [](double seconds) { return std::lround(seconds * 10); };
  FaceWindows windows(config, detector, [&](const FaceWindow& window) {
    result.rows.push_back({window.person, tenths(window.start), tenths(window.end)});
    if (window.person > 0) {
      EXPECT_EQ(window.samples.size(), 4u);
      EXPECT_GE(window.samples.front()->frame, settled);
      EXPECT_EQ(window.samples.front()->image.width, 8);
    }
  });
  for (int64_t frame = 0; frame < frames; ++frame) {
    windows.add(static_cast<double>(frame) / 10, 0.1, [&] {
      ++result.pictures;
      return make_image(320, 160, {1, 2, 3});
    });
    EXPECT_GE(windows.settled(), settled);
    settled = windows.settled();
    result.most_held = std::max(result.most_held, windows.samples_held());
  }
  windows.finish();
  return result;
}

Result run(int64_t frames, std::function<std::vector<Face>(int64_t)> script) {
  ScriptedDetector detector(std::move(script));
  return run(frames, &detector);
}

TEST(FaceWindows, follow_one_person) {
  const auto always = [](int64_t) { return std::vector{kAnna}; };
  EXPECT_THAT(run(16, always).rows, ElementsAre(Row{1, 0, 7}, Row{1, 4, 11}, Row{1, 8, 15}));
}

TEST(FaceWindows, ask_for_the_pixels_of_few_frames) {
  EXPECT_EQ(run(16, [](int64_t) { return std::vector{kAnna}; }).pictures, 8);
}

TEST(FaceWindows, of_several_people_begin_when_each_of_them_comes) {
  const auto later = [](int64_t look) {
    return look < 2 ? std::vector{kAnna} : std::vector{kAnna, kBert};
  };
  EXPECT_THAT(run(12, later).rows, ElementsAre(Row{1, 0, 7}, Row{1, 4, 11}, Row{2, 4, 11}));
}

TEST(FaceWindows, name_times_without_a_face) {
  const auto nobody = [](int64_t) { return std::vector<Face>{}; };
  EXPECT_THAT(run(10, nobody).rows, ElementsAre(Row{0, 0, 8}, Row{0, 8, 10}));
  EXPECT_THAT(run(1, nobody).rows, ElementsAre(Row{0, 0, 1}));
}

TEST(FaceWindows, end_when_the_person_was_last_seen) {
  // Seen in looks 1 to 4, frames 2 to 8.
  const auto visit = [](int64_t look) {
    return look >= 1 && look <= 4 ? std::vector{kAnna} : std::vector<Face>{};
  };
  EXPECT_THAT(run(40, visit).rows, ElementsAre(Row{0, 0, 2}, Row{1, 2, 9}, Row{0, 10, 18},
                                               Row{0, 18, 26}, Row{0, 26, 34}, Row{0, 34, 40}));
}

TEST(FaceWindows, bridge_looks_that_miss_the_face) {
  const auto blink = [](int64_t look) {
    return look == 2 || look == 3 ? std::vector<Face>{} : std::vector{kAnna};
  };
  EXPECT_THAT(run(16, blink).rows, ElementsAre(Row{1, 0, 7}, Row{1, 4, 11}, Row{1, 8, 15}));
}

TEST(FaceWindows, call_a_person_who_returns_by_the_same_number) {
  const auto returns = [](int64_t look) {
    return look >= 2 && look <= 6 ? std::vector<Face>{} : std::vector{kAnna};
  };
  EXPECT_THAT(run(18, returns).rows,
              ElementsAre(Row{1, 0, 3}, Row{0, 4, 12}, Row{0, 12, 14}, Row{1, 14, 17}));
}

TEST(FaceWindows, take_a_face_seen_once_for_noise_unless_there_was_no_second_chance) {
  const auto once = [](int64_t look) {
    return look == 1 ? std::vector{kAnna} : std::vector<Face>{};
  };
  EXPECT_THAT(run(14, once).rows, ElementsAre(Row{0, 0, 8}, Row{0, 8, 14}));
  EXPECT_THAT(run(4, once).rows, ElementsAre(Row{0, 0, 2}, Row{1, 2, 3}));
  EXPECT_THAT(run(1, [](int64_t) { return std::vector{kAnna}; }).rows, ElementsAre(Row{1, 0, 1}));
}

TEST(FaceWindows, without_a_detector_take_whole_frames) {
  EXPECT_THAT(run(11, nullptr).rows, ElementsAre(Row{1, 0, 7}, Row{1, 4, 11}));
  EXPECT_THAT(run(1, nullptr).rows, ElementsAre(Row{1, 0, 1}));
  EXPECT_TRUE(run(0, nullptr).rows.empty());
}

TEST(FaceWindows, hold_no_more_of_a_long_video_than_of_a_short_one) {
  const auto restless = [](int64_t look) {
    std::vector<Face> faces;
    if (look / 7 % 3 != 0) faces.push_back(kAnna);
    if (look / 5 % 2 != 0) faces.push_back(kBert);
    return faces;
  };
  const Result brief = run(500, restless);
  const Result lengthy = run(20'000, restless);
  EXPECT_GT(lengthy.rows.size(), 35 * brief.rows.size());
  EXPECT_EQ(lengthy.most_held, brief.most_held);
  EXPECT_LE(lengthy.most_held, 14);  // two people, a window and the samples of a gap
}

TEST(FaceWindows, crop_a_square_inside_the_frame) {
  EXPECT_EQ(crop_box({100, 60, 40, 40}, 1.5, 320, 160), (Box{90, 50, 60, 60}));
  EXPECT_EQ(crop_box({-10, -10, 40, 40}, 1.5, 320, 160), (Box{0, 0, 60, 60}));
  EXPECT_EQ(crop_box({300, 140, 40, 40}, 1.5, 320, 160), (Box{260, 100, 60, 60}));
  EXPECT_EQ(crop_box({0, 0, 320, 320}, 1.5, 320, 160), (Box{80, 0, 160, 160}));
}

TEST(FaceWindows, refuse_settings_out_of_range) {
  FaceWindowsConfig config = small();
  config.stride = 5;
  EXPECT_THROW(run(1, nullptr, config), Error);
  config = small();
  config.crop = 0.5;
  EXPECT_THROW(run(1, nullptr, config), Error);
}

}  // namespace
}  // namespace grimace
