// `grimace synth`: a folder of labelled synthetic face clips, the built-in data of the demo and of
// tests. OUT/clip_00012_person_3_happy.mp4, ... (H.264, 25 frames a second, 48 to 72 frames) and
// OUT/clips.csv with the columns file,person,label; labels are the names of spec 8.8. Or one longer
// video, to see expressions change in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "data/image.h"
#include "data/synth_motion.h"

namespace grimace {

struct SynthOptions {
  std::filesystem::path out = {};   // made if absent; may hold an earlier run's files, nothing else
  std::filesystem::path film = {};  // of write_synthetic_film
  int64_t clips = 0;                // 1..1000000
  int persons = 20;                 // people first_person .. first_person + persons - 1
  int first_person = 0;
  uint64_t seed = 0;  // everything but identity: a person looks the same for every seed
  int size = 224;     // side in pixels, even, 32..1024
  synth::Staging staging = {};
  int threads = 1;  // the files do not depend on it
};

// One clip of the list. Within `persons` * 7 clips every person shows every expression once.
struct SynthClip {
  int64_t index = 0;
  int person = 0;
  synth::Expression expression = synth::Expression::neutral;
  std::string file_name() const;
};

SynthClip synth_clip(const SynthOptions& options, int64_t index);

// The frames of a clip; depends on (seed, size, staging, index, person, expression) only.
std::vector<Image> render_clip(const SynthOptions& options, const SynthClip& clip);

// Called after every finished clip with the number done; one call at a time.
using SynthProgress = std::function<void(int64_t done, int64_t total)>;

// Error for bad options, an unwritable folder or one with somebody else's files (nothing is
// changed then); RunError when the disk is full. clips.csv is written last and by rename, so a
// folder with a clips.csv is complete.
void write_synthetic_clips(const SynthOptions& options, const SynthProgress& progress = {});

// One video instead, options.film: first_person shows every expression in turn.
void write_synthetic_film(const SynthOptions& options);

}  // namespace grimace
