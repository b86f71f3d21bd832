// grimace synth: synthetic face clips to train on.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <thread>

#include "data/synth.h"
#include "runtime/progress.h"
#include "tools/commands.h"
#include "tools/count_progress.h"

namespace grimace {
namespace {

int run(const SynthOptions& options) {
  if (!options.film.empty()) {
    write_synthetic_film(options);
    std::printf("%s: seven expressions of one person\n", options.film.c_str());
    return 0;
  }
  CountProgress progress("rendering", options.clips);
  write_synthetic_clips(options, [&](int64_t done, int64_t) { progress.update(done); });
  const auto list = (options.out / "clips.csv").string();
  std::printf("%lld clips of %d people in %s\nlist: %s\n", static_cast<long long>(options.clips),
              options.persons, format_duration(progress.seconds()).c_str(), list.c_str());
  return 0;
}

}  // namespace

void add_synth(CLI::App& app, Action& action) {
  auto options = std::make_shared<SynthOptions>();
  options->threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  CLI::App* command = app.add_subcommand(
      "synth", "Render labelled synthetic face clips: seven expressions, many people");
  CLI::Option* out =
      command->add_option("--out", options->out, "folder for the clips and their list, clips.csv")
          ->type_name("DIR");
  command->add_option("--film", options->film, "instead: a video of one person's seven expressions")
      ->type_name("FILE")
      ->excludes(out);
  command->add_option("--clips", options->clips, "how many")->type_name("N");
  command->add_option("--persons", options->persons, "how many different people")
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--first-person", options->first_person,
                   "number of the first person: sets without common people have disjoint numbers")
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--seed", options->seed, "of everything but the people's looks")
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--size", options->size, "side of a frame in pixels")
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--variation", options->staging.variation,
                   "of pose and light: from 0, an even frontal portrait, to 1")
      ->type_name("X")
      ->capture_default_str();
  command->add_option("--zoom", options->staging.zoom, "size of the face over the usual one")
      ->type_name("X")
      ->capture_default_str();
  command->add_option("--threads", options->threads, "the clips do not depend on it")
      ->type_name("N")
      ->check(CLI::Range(1, 1024).description(""))
      ->capture_default_str();
  command->footer(
      "A training and a test set of different people:\n"
      "  grimace synth --out train --clips 280 --persons 40\n"
      "  grimace synth --out test --clips 70 --persons 10 --first-person 40");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace grimace
