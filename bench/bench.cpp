#include "bench/bench.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>

#include "ir/error.h"

namespace grimace::bench {
namespace {

bool any_refused = false;

double now(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Leaves out what Google Benchmark appends to a name: "/iterations:31/manual_time".
template <typename Reporter>
class PlainNames : public Reporter {
 public:
  using Reporter::Reporter;
  void ReportRuns(const std::vector<benchmark::BenchmarkReporter::Run>& runs) override {
    auto plain = runs;
    for (auto& run : plain) {
      run.run_name.iterations.clear();
      run.run_name.time_type.clear();
    }
    Reporter::ReportRuns(plain);
  }
};

}  // namespace

double Timing::seconds_of(const std::function<void()>& work) const {
  const clockid_t clock = cpu_clock ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  const double start = now(clock);
  work();
  return now(clock) - start;
}

Spread spread_of(std::vector<double> samples) {
  internal_check(!samples.empty(), "no samples");
  std::ranges::sort(samples);
  const auto at = [&](double fraction) {
    return samples[static_cast<size_t>(fraction * static_cast<double>(samples.size() - 1) + 0.5)];
  };
  return {.median = at(0.5), .p10 = at(0.1), .p90 = at(0.9)};
}

Spread report_times(benchmark::State& state, std::vector<double> seconds) {
  const Spread spread = spread_of(std::move(seconds));
  state.counters["median_ms"] = spread.median * 1e3;
  state.counters["p10_ms"] = spread.p10 * 1e3;
  state.counters["p90_ms"] = spread.p90 * 1e3;
  return spread;
}

std::string take_flag(int& argc, char** argv, const std::string& name,
                      const std::string& fallback) {
  const std::string prefix = "--" + name + "=";
  std::string value = fallback;
  const auto taken = [&](const char* arg) {
    const bool match = std::string_view(arg).starts_with(prefix);
    if (match) value = arg + prefix.size();
    return match;
  };
  argc = static_cast<int>(std::remove_if(argv + 1, argv + argc, taken) - argv);
  return value;
}

Timing take_timing(int& argc, char** argv) {
  const std::string text = take_flag(argc, argv, "threads", "0");
  int threads = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
  check(error == std::errc{} && end == text.data() + text.size() && threads >= 0,
        "--threads must be a number of threads, or 0 for all cores; got ", text);
  const std::string clock = take_flag(argc, argv, "clock", "wall");
  check(clock == "wall" || (clock == "cpu" && threads == 1),
        "--clock must be wall, or cpu with --threads=1; got ", clock, " with --threads=", threads);
  benchmark::AddCustomContext("clock", clock);
  return {.threads = threads, .cpu_clock = clock == "cpu"};
}

int run_program(int argc, char** argv, const std::function<void(int&, char**)>& define) {
  try {
    define(argc, argv);
    const bool to_file = std::any_of(argv, argv + argc, [](std::string_view arg) {
      return arg.starts_with("--benchmark_out=");
    });
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    PlainNames<benchmark::ConsoleReporter> screen(benchmark::ConsoleReporter::OO_Tabular);
    PlainNames<benchmark::JSONReporter> file;
    benchmark::RunSpecifiedBenchmarks(&screen, to_file ? &file : nullptr);
    benchmark::Shutdown();
    return any_refused ? 1 : 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}

void refuse(benchmark::State& state, const std::string& reason) {
  any_refused = true;
  state.SkipWithError(reason.c_str());
}

}  // namespace grimace::bench
