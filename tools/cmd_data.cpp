// grimace data check: every clip of a list is opened before a run depends on it.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "data/check.h"
#include "runtime/log.h"
#include "runtime/progress.h"
#include "tools/commands.h"
#include "tools/count_progress.h"

namespace grimace {
namespace {

struct Options {
  std::string list = {};
  std::string root = {};
  ClipConfig clip = {};
  int workers = 1;
  bool json = false;
};

void print_text(const ListFile& list, const std::vector<BadClip>& bad, double seconds) {
  for (const BadClip& clip : bad)
    std::printf("%s:%lld: %s\n", list.file.c_str(), static_cast<long long>(clip.line),
                printable(clip.reason).c_str());
  std::printf("%s: %zu clips, %zu unreadable, checked in %s\n", list.file.c_str(),
              list.entries.size(), bad.size(), format_duration(seconds).c_str());
}

// File names are bytes; those that are not UTF-8 get replacement characters.
void print_json(const ListFile& list, const std::vector<BadClip>& bad) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const BadClip& clip : bad)
    rows.push_back({{"line", clip.line}, {"path", clip.path.string()}, {"reason", clip.reason}});
  const nlohmann::ordered_json json{
      {"list", list.file.string()}, {"clips", list.entries.size()}, {"bad", rows}};
  std::printf("%s\n",
              json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
}

int run(Options options) {
  ListOptions list_options;
  if (!options.root.empty()) list_options.root = options.root;
  const ListFile list = read_list(options.list, list_options);
  options.clip.voxceleb2 = names_voxceleb2(options.list);
  std::vector<BadClip> bad;
  double seconds = 0.0;
  {
    CountProgress progress("checking", static_cast<int64_t>(list.entries.size()));
    bad = check_list(list, options.clip, options.workers,
                     [&](int64_t done) { progress.update(done); });
    seconds = progress.seconds();
  }
  if (options.json)
    print_json(list, bad);
  else
    print_text(list, bad, seconds);
  return bad.empty() ? 0 : 2;
}

}  // namespace

void add_data(CLI::App& app, Action& action) {
  CLI::App* data = app.add_subcommand("data", "Make and check lists of clips");
  data->require_subcommand(1);
  add_data_prepare(*data, action);
  auto options = std::make_shared<Options>();
  options->workers = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  CLI::App* command = data->add_subcommand(
      "check", "Open every clip of a list and name those that cannot be used; exit code 2 if any");
  command->add_option("list", options->list, "list file: CSV with a header, or <path> <label>")
      ->required();
  command->add_option("--root", options->root, "where relative paths start (default: at the list)")
      ->type_name("DIR");
  command->add_option("--num-frames", options->clip.frames, "frames of a clip")
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--sampling-rate", options->clip.sampling_rate, "video frames per clip frame")
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--input-size", options->clip.image_size, "side of a frame in pixels")
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--workers", options->workers, "threads")
      ->type_name("N")
      ->check(CLI::Range(1, 256).description(""))
      ->capture_default_str();
  command->add_flag("--json", options->json, "print JSON");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace grimace
