// grimace predict: expressions over time of everyone in a video.
#include <glob.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>

#include "data/clip.h"
#include "runtime/log.h"
#include "runtime/merged_views.h"
#include "tools/commands.h"
#include "tools/interrupt.h"
#include "tools/prediction_video.h"
#include "tools/recipe_model.h"
#include "tools/run_on.h"
#include "tools/view_classifier.h"

namespace grimace {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string model;
  std::string classes;
  std::string face = "find";
  std::string out;
  std::string video;
  RunOn on = {};
  std::vector<std::string> pairs;
  int64_t stride = 0;
  int64_t batch_size = 1;
  int64_t detect_every = 4;
  double min_face = FaceDetectorConfig{}.min_face;
  double crop = FaceWindowsConfig{}.crop;
  double fps = FrameStreamConfig{}.frames_per_second;
  std::optional<bool> ema;
};

FaceWindowsConfig windows_config(const Options& options, const Recipe& recipe) {
  FaceWindowsConfig config;
  config.clip = {.frames = static_cast<int>(recipe.model.frames),
                 .sampling_rate = static_cast<int>(recipe.data.sampling_rate),
                 .image_size = static_cast<int>(recipe.model.image)};
  config.stride = options.stride > 0 ? options.stride : std::max(1, config.clip.frames / 2);
  config.detect_every = options.detect_every;
  config.crop = options.crop;
  validate(config);
  return config;
}

FaceBox mean_box(const FaceWindow& window) {
  FaceBox sum;
  const auto share = 1 / static_cast<float>(window.samples.size());
  for (const auto& sample : window.samples)
    sum = {sum.x + share * sample->box.x, sum.y + share * sample->box.y,
           sum.width + share * sample->box.width, sum.height + share * sample->box.height};
  return sum;
}

// Gathers windows to batches and answers them.
class Answers {
 public:
  using Give = std::function<void(const FaceWindow&, const Prediction&)>;
  Answers(ViewClassifier& classifier, const FrameConfig& clip, int64_t batch)
      : classifier_(classifier),
        clip_(clip),
        batch_(batch),
        video_(DType::f32, {batch, 3, clip.frames, clip.image_size, clip.image_size}) {}

  // For the windows of one file, until the next.
  void start(std::string file, Give give) {
    file_ = std::move(file);
    give_ = std::move(give);
    waiting_.clear();
    faces_ = 0;
  }
  void add(FaceWindow window) {
    faces_ += window.person > 0 ? 1 : 0;
    waiting_.push_back(std::move(window));
    // Times without a face do not wait long for a batch to fill.
    if (faces_ == batch_ || faces_ == 0 || std::ssize(waiting_) > 2 * batch_) flush();
  }
  // Answers what waits, in the order in which it came.
  void flush() {
    if (faces_ > 0) fill_video();
    const Tensor logits = faces_ > 0 ? classifier_.logits(video_) : Tensor(DType::f32, {0, 0});
    size_t row = 0;
    for (const FaceWindow& window : waiting_) {
      Prediction prediction{
          .file = file_, .person = window.person, .start = window.start, .end = window.end};
      if (window.person > 0) {
        const auto classes = static_cast<size_t>(logits.shape()[1]);
        prediction.probabilities =
            softmax(file_, logits.as<float>().subspan(row++ * classes, classes));
        prediction.box = mean_box(window);
      }
      give_(window, prediction);
    }
    waiting_.clear();
    faces_ = 0;
  }
  bool empty() const { return waiting_.empty(); }

 private:
  void fill_video() {
    const auto pixels = int64_t{clip_.image_size} * clip_.image_size;
    float* out = video_.as<float>().data();
    for (const FaceWindow& window : waiting_) {
      for (size_t t = 0; t < window.samples.size(); ++t)
        normalise(window.samples[t]->image, out + static_cast<int64_t>(t) * pixels,
                  clip_.frames * pixels);
      if (window.person > 0) out += 3 * clip_.frames * pixels;
    }
  }

  ViewClassifier& classifier_;
  FrameConfig clip_;
  int64_t batch_;
  Tensor video_;
  std::string file_;
  Give give_;
  std::vector<FaceWindow> waiting_;
  int64_t faces_ = 0;
};

struct Session {
  const Options& options;
  FaceWindowsConfig windows;
  std::vector<std::string> classes;
  std::unique_ptr<FaceDetector> detector;
  std::unique_ptr<PredictionFile> rows;
};

void predict_file(Session& session, Answers& answers, const std::string& file) {
  const Options& options = session.options;
  const FrameStreamConfig stream_config{.frames_per_second = options.fps, .stop = &interrupted()};
  const auto frames = open_frame_stream(file, stream_config);
  std::unique_ptr<PredictionVideo> video;
  if (!options.video.empty())
    video = std::make_unique<PredictionVideo>(options.video, open_frame_stream(file, stream_config),
                                              session.classes, session.windows.clip.sampling_rate);
  const PredictionTable table(session.classes);
  answers.start(file, [&](const FaceWindow& window, const Prediction& prediction) {
    std::printf("%s\n", printable(table.line(prediction)).c_str());
    std::fflush(stdout);
    if (session.rows) session.rows->add(prediction);
    if (video) video->add(window, prediction);
  });
  FaceWindows windows(session.windows, session.detector.get(),
                      [&](FaceWindow window) { answers.add(std::move(window)); });
  int64_t count = 0;
  for (; !interrupted() && frames->next(); ++count) {
    windows.add(frames->seconds(), 1 / frames->frames_per_second(),
                [&] { return frames->image(); });
    if (video && answers.empty()) video->draw_until(windows.settled());
  }
  check(count > 0 || interrupted(), file, ": holds no frames");
  windows.finish();
  answers.flush();
  if (video) video->finish(interrupted());
}

// The files a pattern stands for; anything else stands for itself.
std::vector<std::string> expanded(const std::vector<std::string>& words) {
  std::vector<std::string> files;
  for (const std::string& word : words) {
    std::error_code ignored;
    glob_t found{};
    const bool pattern =
        word.find_first_of("*?[") != std::string::npos && !std::filesystem::exists(word, ignored);
    if (pattern && glob(word.c_str(), 0, nullptr, &found) == 0)
      files.insert(files.end(), found.gl_pathv, found.gl_pathv + found.gl_pathc);
    else
      files.push_back(word);
    globfree(&found);
  }
  return files;
}

// One file after another; a bad one is named, and the others go on.
int predict_all(Session& session, Answers& answers, const std::vector<std::string>& files) {
  int code = 0;
  int64_t bad = 0;
  for (const std::string& file : files) {
    if (interrupted()) break;
    if (files.size() > 1) std::printf("%s\n", printable(file).c_str());
    try {
      predict_file(session, answers, file);
    } catch (const InternalError&) {
      throw;
    } catch (const std::exception& error) {
      if (files.size() == 1) throw;
      const bool input = dynamic_cast<const Error*>(&error) != nullptr;
      inform("error: " + printable(error.what()));
      code = std::max<int>(code, input ? kWrongUsage : kFailed);
      ++bad;
    }
  }
  if (bad > 0) warn(cat(bad, " of ", files.size(), " inputs could not be used to their end"));
  return code;
}

int run(const Options& options) {
  check(std::isfinite(options.fps), "--fps: expected frames a second, got ", options.fps);
  const std::vector<std::string> files = expanded(options.files);
  check(options.video.empty() || (files.size() == 1 && files[0] != "-"),
        "--video takes one file at a time, and no stream: its frames are read twice");
  std::error_code absent;
  check(options.video.empty() || !std::filesystem::equivalent(files[0], options.video, absent),
        "--video ", options.video, " is the video that is read; choose another name");
  const ModelSource source = open_model_source(options.model);
  const Recipe recipe =
      classifier_recipe(source, "predict", options.batch_size, options.classes, options.pairs);
  Session session{options, windows_config(options, recipe), recipe.data.classes, nullptr, nullptr};
  if (options.face == "find") session.detector = make_face_detector({options.min_face});
  if (!options.out.empty())
    session.rows = std::make_unique<PredictionFile>(options.out, session.classes);
  ViewClassifier classifier(recipe, options.on.backend, options.on.options());
  classifier.load(open_weights(source.file), options.ema);
  Answers answers(classifier, session.windows.clip, options.batch_size);
  const InterruptScope interrupts;
  std::printf("%s\n", printable(PredictionTable(session.classes).header()).c_str());
  const int code = predict_all(session, answers, files);
  if (session.rows) session.rows->finish();
  if (!interrupted()) return code;
  inform("interrupted: what was found until then is kept");
  return kInterrupted;
}

void add_options(CLI::App& command, Options& options) {
  command
      .add_option("files", options.files,
                  "videos, pictures or folders of frames; - is a video on standard input")
      ->required()
      ->type_name("FILE...");
  command
      .add_option("--model", options.model,
                  "run folder of finetune, checkpoint, .safetensors or .pth file")
      ->required();
  command.add_option("--classes", options.classes,
                     "names of the classes, commas between (default: the model's)");
  command.add_option("--face", options.face, "find faces, or none: frames already are faces")
      ->check(CLI::IsMember({"find", "none"}))
      ->capture_default_str();
  command.add_option("--out", options.out, "file for the rows, .csv or .jsonl")->type_name("FILE");
  command.add_option("--video", options.video, "mp4 for the frames with boxes and labels")
      ->type_name("FILE");
  command
      .add_option("--stride", options.stride,
                  "model's frames from one window to the next (default: half a window)")
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--min-face", options.min_face,
                  "smallest face, as a share of the frame's shorter side")
      ->capture_default_str();
  command.add_option("--crop", options.crop, "side of the crop around a face, in faces")
      ->capture_default_str();
  command
      .add_option("--detect-every", options.detect_every,
                  "frames from one look for faces to the next")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--fps", options.fps, "frames a second of folders of frames")
      ->check(CLI::Range(0.01, 1000.0))
      ->capture_default_str();
  command.add_option("--set", options.pairs, "override a recipe key: data.sampling_rate=1")
      ->allow_extra_args(false);
  command.add_option("--batch,--batch-size", options.batch_size, "windows computed at once")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command.add_flag_function(
      "--ema,!--no-ema", [&options](int64_t given) { options.ema = given > 0; },
      "the averaged parameters, or not (default: where the run kept some)");
  add_run_on(command, options.on);
}

}  // namespace

void add_predict(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("predict", "Expressions over time of the people in videos");
  add_options(*command, *options);
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace grimace
