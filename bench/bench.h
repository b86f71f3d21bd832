// What both benchmark programs share: clocks, percentiles and command-line flags of their own.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

namespace grimace::bench {

// How work is run and timed.
struct Timing {
  int threads = 0;         // 0: all cores
  bool cpu_clock = false;  // time given to the calling thread instead of time passed
  double seconds_of(const std::function<void()>& work) const;
};
// --threads=N and --clock=wall|cpu; Error for other values. The cpu clock leaves out the time that
// other programs took, but sees one thread only: it needs --threads=1.
Timing take_timing(int& argc, char** argv);

// Percentiles of at least one sample, nearest rank; in the samples' unit.
struct Spread {
  double median = 0.0, p10 = 0.0, p90 = 0.0;
};
Spread spread_of(std::vector<double> samples);

// Adds the counters median_ms, p10_ms and p90_ms. Google Benchmark's own Time column is the mean.
Spread report_times(benchmark::State& state, std::vector<double> seconds);

// The value of "--name=value", which is taken out of argv, or `fallback`.
std::string take_flag(int& argc, char** argv, const std::string& name, const std::string& fallback);

// Runs Google Benchmark with rows named as registered. `define` registers them. Returns the exit
// code: 2 for a wrong flag, 1 when anything else failed or a row was refused.
int run_program(int argc, char** argv, const std::function<void(int&, char**)>& define);
// Marks the row as failed with the reason, and the program with it.
void refuse(benchmark::State& state, const std::string& reason);

}  // namespace grimace::bench
