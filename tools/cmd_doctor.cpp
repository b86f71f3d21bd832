// grimace doctor: is this machine, and this build, ready for a run?
#include <CLI/CLI.hpp>
#include <cstdio>

#include "data/video_support.h"
#include "models/parameters.h"
#include "tools/commands.h"
#include "tools/golden_compare.h"
#include "tools/machine.h"
#include "tools/recipe_model.h"
#include "tools/table.h"

namespace grimace {
namespace {

// A model with every kind of layer that takes a moment even on the reference backend.
Recipe tiny_recipe() {
  Settings settings;
  for (const char* pair :
       {"model.image=64", "model.frames=4", "model.embed_dim=64", "model.heads=4",
        "model.encoder_depth=2", "model.decoder_dim=48", "model.decoder_heads=3",
        "model.decoder_depth=1", "model.region=2,2,4", "mask.window=2,2,4", "mask.ratio=0.75"})
    settings.set_pair(pair);
  return settings.resolve().recipe;
}

struct Computed {
  std::string backend;
  Tensor pred;
};

// The prediction for random pixels and parameters, the same on every backend.
Computed compute(const Recipe& recipe, const std::string& backend, Precision precision) {
  constexpr int64_t batch = 2;
  constexpr uint64_t seed = 1;
  const auto graph = forward_graph(recipe, batch, false);
  const auto executable = make_backend(backend)->compile(*graph, {.precision = precision});
  for (const ParamSpec& spec : pretrain_parameters(model_config(recipe))) {
    Tensor values(DType::f32, spec.shape);
    initialise(spec, seed, values.as<float>());
    executable->write(spec.name, values.view());
  }
  PhiloxStream random(seed, 0);
  Tensor video(DType::f32, graph->find_input("video").shape());
  for (float& pixel : video.as<float>()) pixel = static_cast<float>(random.normal());
  executable->write("video", video.view());
  const MaskGenerator masks(mask_config(recipe));
  std::vector<uint8_t> mask;
  for (int64_t clip = 0; clip < batch; ++clip) {
    const std::vector<uint8_t> drawn = masks.draw(random);
    mask.insert(mask.end(), drawn.begin(), drawn.end());
  }
  executable->write("mask", Tensor::from<uint8_t>(graph->find_input("mask").shape(), mask).view());
  executable->run();
  return {executable->info().backend, executable->read("pred")};
}

struct Report {
  Table lines{2, {0, 1}};
  std::vector<std::string> advice;
  bool ok = true;
};

std::vector<Precision> precisions_of(const Backend& backend) {
  std::vector<Precision> result;
  for (const Precision p : {Precision::f32, Precision::tf32, Precision::bf16, Precision::f64})
    if (backend.supports(p)) result.push_back(p);
  return result;
}

void report_machine(Report& report, const Machine& machine) {
  report.lines.row({"processor", machine.processor.empty() ? "unknown" : machine.processor});
  report.lines.row({"features", joined(machine.features, " ")});
  std::string cores = cat(machine.cores_usable, " usable");
  if (machine.core_quota > 0.0)
    cores += cat(", but the time of only ", fixed(machine.core_quota, 1), " is granted");
  report.lines.row({"cores", cores});
  report.lines.row({"memory", bytes_text(machine.available_bytes) + " free of " +
                                  bytes_text(machine.memory_bytes)});
  const auto has = [&](const char* feature) {
    return std::ranges::find(machine.features, feature) != machine.features.end();
  };
  if (!has("avx2")) report.advice.push_back("this processor has no AVX2: everything works, slowly");
  if (!has("avx512_bf16") && !has("amx_bf16"))
    report.advice.push_back(
        "bf16 saves memory here but no time: the processor has no bf16 products; use f32");
  if (machine.core_quota > 0.0 && machine.core_quota < machine.cores_usable)
    report.advice.push_back(cat("use --threads ", std::max(1, static_cast<int>(machine.core_quota)),
                                ": more threads than granted cores slow each other down"));
  constexpr int64_t comfortable = int64_t{8} << 30;
  if (machine.available_bytes < comfortable)
    report.advice.push_back(
        "less than 8 GiB are free: pretrain --dry-run 3 shows what a batch size needs");
}

void report_video(Report& report) {
  const auto video = video_support();
  if (!video) {
    report.lines.row({"FFmpeg", "not in this build"});
    report.advice.push_back("no video can be read; build with -DGRIMACE_VIDEO=ON");
    return;
  }
  report.lines.row({"FFmpeg", video->ffmpeg});
  report.lines.row({"H.264", cat(video->h264_decoder ? "can be read" : "cannot be read", ", ",
                                 video->h264_encoder ? "can be written" : "cannot be written")});
  if (!video->h264_decoder)
    report.advice.push_back("most mp4 files cannot be read; install the full libavcodec package");
  if (!video->h264_encoder)
    report.advice.push_back("synth writes MPEG-4 instead of H.264, which is larger but as good");
}

void report_backends(Report& report) {
  for (const std::string& name : backend_names()) {
    std::vector<std::string> precisions;
    for (const Precision p : precisions_of(*make_backend(name)))
      precisions.emplace_back(name_of(p));
    report.lines.row({"backend", name + ": " + joined(precisions, ", ")});
    for (const auto& [what, text] : make_backend(name)->describe()) report.lines.row({what, text});
  }
  if (backend_names().size() == 1)
    report.advice.push_back("only the slow reference backend is here; build with -DGRIMACE_CPU=ON");
#ifndef NDEBUG
  report.advice.push_back("this is a debug build, many times slower than a release build");
#endif
}

void report_computed(Report& report, const Computed& expected, const Computed& computed,
                     Precision precision) {
  const double limit = golden_limits(precision, "pretrain").output;
  const GoldenRow row = compare("pred", expected.pred.view(), computed.pred.view(), limit);
  std::array<char, 64> numbers{};
  std::snprintf(numbers.data(), numbers.size(), "relative L2 %.1e, limit %.0e: ", row.error,
                row.limit);
  report.lines.row(
      {"self-test", cat(numbers.data(), row.ok() ? "ok" : "FAILED", " (", computed.backend, ")")});
  report.ok = report.ok && row.ok();
  if (!row.ok())
    report.advice.push_back(computed.backend +
                            " computes wrong results here; please report it with this output");
}

// Every other backend and precision against the reference in f64. An error of one, as of a kernel
// that this GPU refuses, is a line as well.
void report_self_test(Report& report) {
  const Recipe recipe = tiny_recipe();
  const Computed expected = compute(recipe, "reference", Precision::f64);
  for (const std::string& name : backend_names())
    for (const Precision precision : precisions_of(*make_backend(name))) {
      if (precision == Precision::f64 || !make_backend(name)->unavailable().empty()) continue;
      try {
        report_computed(report, expected, compute(recipe, name, precision), precision);
      } catch (const std::exception& error) {
        report.lines.row(
            {"self-test", cat("FAILED (", name, " ", name_of(precision), "): ", error.what())});
        report.ok = false;
      }
    }
}

int run() {
  Report report;
  report.lines.row({"grimace", GRIMACE_VERSION});
#ifdef __clang__
  report.lines.row({"compiler", __VERSION__});
#else
  report.lines.row({"compiler", cat("g++ ", __VERSION__)});
#endif
  report_machine(report, this_machine());
  report_video(report);
  report_backends(report);
  report_self_test(report);
  std::printf("%s\n", report.lines.text().c_str());
  for (const std::string& line : report.advice) std::printf("advice: %s\n", line.c_str());
  std::printf("%s\n", report.ok ? "This machine is ready." : "This machine computes wrongly.");
  return report.ok ? kDone : kFailed;
}

}  // namespace

void add_doctor(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "doctor", "Show whether this machine and this build are ready and compute right");
  command->callback([&action] { action = run; });
}

}  // namespace grimace
