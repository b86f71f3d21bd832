// Chooses who shows what, renders clips on several threads and writes the folder.
#include "data/synth.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <fstream>
#include <iomanip>
#include <mutex>
#include <regex>
#include <thread>

#include "data/synth_render.h"
#include "data/video_writer.h"
#include "ir/error.h"
#include "runtime/atomic_file.h"

namespace grimace {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostClips = 1'000'000;
constexpr int kMostPeople = 1'000'000;

void check_list(const SynthOptions& o) {
  check(!o.out.empty(), "synth: no output given; use --out DIR for clips or --film FILE");
  check(o.clips >= 1 && o.clips <= kMostClips, "synth: --clips must be in 1..", kMostClips,
        "; got ", o.clips);
  check(o.persons >= 1 && o.persons <= kMostPeople, "synth: --persons must be in 1..", kMostPeople,
        "; got ", o.persons);
  check(o.threads >= 1 && o.threads <= 1024, "synth: threads must be in 1..1024; got ", o.threads);
}

void check_pictures(const SynthOptions& o) {
  check(o.first_person >= 0 && o.first_person <= kMostPeople,
        "synth: --first-person must be in 0..", kMostPeople, "; got ", o.first_person);
  check(o.size >= 32 && o.size <= 1024 && o.size % 2 == 0,
        "synth: the picture size must be even and in 32..1024; got ", o.size);
  check(o.staging.variation >= 0 && o.staging.variation <= 1,
        "synth: --variation must be in 0..1; got ", o.staging.variation);
  check(o.staging.zoom >= 0.5f && o.staging.zoom <= 1.5f, "synth: --zoom must be in 0.5..1.5; got ",
        o.staging.zoom);
}

constexpr const char* kListHeader = "file,person,label";

// Files of an earlier run, complete or interrupted.
bool is_ours(const fs::directory_entry& entry) {
  const std::string name = entry.path().filename().string();
  if (name == "clips.csv") {
    std::string header;
    std::getline(std::ifstream(entry.path()), header);
    return header == kListHeader;
  }
  static const std::regex pattern(
      R"(clip_\d+_person_\d+_[a-z]+\.mp4(\.partial)?|clips\.csv\.partial)");
  return std::regex_match(name, pattern);
}

// Makes sure the folder is there, ours and writable; then removes what an earlier run left,
// clips.csv first.
void prepare_folder(const fs::path& out) {
  std::error_code failed;
  fs::create_directories(out, failed);
  check(fs::is_directory(out), "synth: ", out.string(), ": cannot make this folder",
        failed ? ": " + failed.message() : "; something else has its name");
  std::vector<fs::path> old;
  fs::directory_iterator entries(out, failed);
  check(!failed, "synth: ", out.string(), ": cannot read this folder: ", failed.message());
  for (const fs::directory_entry& entry : entries) {
    check(entry.is_regular_file() && is_ours(entry), "synth: ", out.string(),
          " holds files of another kind (", entry.path().filename().string(),
          "); give a new or an empty folder");
    old.push_back(entry.path());
  }
  check(access(out.c_str(), W_OK | X_OK) == 0, "synth: ", out.string(),
        ": this folder is not writable; give another with --out");
  fs::remove(out / "clips.csv", failed);
  for (const fs::path& path : old) fs::remove(path, failed);
}

void write_video(const fs::path& path, const SynthOptions& options,
                 const std::vector<SynthClip>& clips) {
  VideoWriter writer(path, options.size, options.size, synth::kFramesPerSecond);
  for (const SynthClip& clip : clips)
    for (const Image& frame : render_clip(options, clip)) writer.add(frame);
  writer.finish();
}

void write_list(const SynthOptions& options) {
  std::ostringstream csv;
  csv << kListHeader << '\n';
  for (int64_t i = 0; i < options.clips; ++i) {
    const SynthClip clip = synth_clip(options, i);
    csv << clip.file_name() << ',' << clip.person << ','
        << synth::kExpressionNames[static_cast<size_t>(clip.expression)] << '\n';
  }
  write_text(options.out / "clips.csv", std::move(csv).str());
}

}  // namespace

std::string SynthClip::file_name() const {
  std::ostringstream name;
  name << "clip_" << std::setw(5) << std::setfill('0') << index << "_person_" << person << '_'
       << synth::kExpressionNames[static_cast<size_t>(expression)] << ".mp4";
  return std::move(name).str();
}

SynthClip synth_clip(const SynthOptions& options, int64_t index) {
  const int64_t person = index % options.persons;
  const int64_t round = index / options.persons;
  const auto label =
      static_cast<synth::Expression>((person + round) % int64_t{synth::kExpressionNames.size()});
  return {index, options.first_person + static_cast<int>(person), label};
}

std::vector<Image> render_clip(const SynthOptions& options, const SynthClip& clip) {
  PhiloxStream random(options.seed, stream_id("synth clip") + static_cast<uint64_t>(clip.index));
  const synth::Person person = synth::make_person(clip.person);
  synth::ClipScore score = synth::make_clip_score(clip.expression, random);
  if (options.staging != synth::Staging{}) stage(score, options.staging);
  const synth::Canvas backdrop = synth::make_backdrop(options.size, random);
  std::vector<Image> frames;
  for (int f = 0; f < score.frames; ++f)
    frames.push_back(synth::render_face(person, synth::face_at(score, f), score.light, backdrop,
                                        random.next_u64()));
  return frames;
}

void write_synthetic_clips(const SynthOptions& options, const SynthProgress& progress) {
  check_list(options);
  check_pictures(options);
  prepare_folder(options.out);
  std::atomic<int64_t> next = 0;
  std::mutex mutex;  // guards what follows
  int64_t done = 0;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      for (int64_t i = next++; i < options.clips; i = next++) {
        const SynthClip clip = synth_clip(options, i);
        write_video(options.out / clip.file_name(), options, {clip});
        const std::lock_guard lock(mutex);
        ++done;
        if (progress) progress(done, options.clips);
      }
    } catch (...) {
      next = options.clips;
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> pool;
    for (int t = 1; t < options.threads; ++t) pool.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
  write_list(options);
}

void write_synthetic_film(const SynthOptions& options) {
  check_pictures(options);
  std::vector<SynthClip> clips;
  for (size_t i = 0; i < synth::kExpressionNames.size(); ++i)
    clips.push_back({std::ssize(clips), options.first_person, static_cast<synth::Expression>(i)});
  write_video(options.film, options, clips);
}

}  // namespace grimace
