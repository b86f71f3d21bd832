// Times every row of op_table on every backend but the reference. A row is timed only after its
// result agreed with the reference kernel's. Own flags: --cache=warm|flushed, --threads=N,
// --clock=wall|cpu.
#include <algorithm>
#include <cstring>

#include "backends/backend.h"
#include "bench/bench.h"
#include "bench/op_table.h"
#include "tools/peaks.h"

namespace grimace::bench {
namespace {

using testing::InputSpec;
using testing::OpCase;

constexpr int kWarmUps = 3;
constexpr int kSamples = 31;

struct Options {
  Timing timing;
  bool flushed = false;
};

// One node compiled for a backend, with its inputs.
class Op {
 public:
  Op(const OpCase& op_case, Backend& backend, int threads) {
    const bool in_place = op_case.op->aliasing == Aliasing::in_order;
    std::vector<Value> values;
    for (const InputSpec& input : op_case.inputs) {
      inputs_.push_back(draw(input, values.size() + 1));
      const Role role = in_place ? Role::state : Role::input;
      values.push_back(graph_.add_input(role, cat("in", values.size()), input.type));
    }
    const Node& node = graph_.add_node(*op_case.op, values, op_case.attrs);
    for (int i = 0; i < node.num_results(); ++i) {
      results_.push_back(cat(in_place ? "in" : "out", i));
      if (in_place)
        graph_.add_update(values[static_cast<size_t>(i)], node.result(i));
      else
        graph_.add_output(results_.back(), node.result(i));
    }
    executable_ = backend.compile(graph_, {.threads = threads});
    for (size_t i = 0; i < inputs_.size(); ++i) executable_->write(cat("in", i), inputs_[i].view());
  }

  // The first run: the largest error of any result against the reference kernel.
  double first_run_error() {
    std::vector<ConstView> in;
    for (const Buffer& input : inputs_) in.push_back(std::as_const(input).view());
    std::vector<Buffer> expected;
    std::vector<View> out;
    for (int i = 0; i < node().num_results(); ++i) expected.emplace_back(node().out(i));
    for (Buffer& buffer : expected) out.push_back(buffer.view());
    run_reference(node(), in, out);
    run();
    double error = 0.0;
    for (size_t i = 0; i < results_.size(); ++i)
      error = std::max(error, testing::relative_max_error(out[i], executable_->view(results_[i])));
    return error;
  }

  void run() {
    executable_->run();
    executable_->wait();
  }
  const Node& node() const { return graph_.nodes().back(); }
  bool has_fast_kernel() const { return executable_->info().slow_nodes.empty(); }
  const std::string& backend_text() const { return executable_->info().backend; }

 private:
  // Booleans are true: an update that is switched off would do no work.
  static Buffer draw(const InputSpec& spec, uint64_t seed) {
    Buffer buffer = testing::random_input(spec, seed);
    if (spec.type.dtype == DType::boolean) std::ranges::fill(buffer.data, std::byte{1});
    return buffer;
  }

  Graph graph_;
  std::vector<Buffer> inputs_;
  std::vector<std::string> results_;
  std::unique_ptr<Executable> executable_;
};

// Writes more than most last-level caches hold.
void flush_caches() {
  static std::vector<char> memory(size_t{128} << 20);
  static char value = 0;
  char* data = memory.data();
  std::memset(data, ++value, memory.size());
  benchmark::DoNotOptimize(data);
}

// Rates at the median, and how near it comes to the time that the slower of the two peaks allows.
void report_rates(benchmark::State& state, const Op& op, const Peaks& peaks, double seconds) {
  const Roofline least = roofline_of(op.node(), peaks);
  state.counters["GFLOP/s"] = static_cast<double>(flops_of(op.node())) / seconds * 1e-9;
  state.counters["GB/s"] = static_cast<double>(bytes_of(op.node())) / seconds * 1e-9;
  state.counters["peak_%"] = least.seconds() / seconds * 100.0;
  state.SetLabel(cat(least.compute > least.memory ? "of compute" : "of memory",
                     op.has_fast_kernel() ? "" : ", no fast kernel"));
}

void run_row(benchmark::State& state, const OpRow& row, Backend& backend, const Peaks& peaks,
             const Options& options) {
  Op op(row.op_case, backend, options.timing.threads);
  const double error = op.first_run_error();
  const double limit = row.op_case.tolerance.value;
  if (!(error <= limit))
    return refuse(state, cat("relative error ", error, " against the reference, limit ", limit));
  for (int i = 0; i < kWarmUps; ++i) op.run();
  std::vector<double> seconds;
  for ([[maybe_unused]] auto _ : state) {
    if (options.flushed) flush_caches();
    seconds.push_back(options.timing.seconds_of([&] { op.run(); }));
    state.SetIterationTime(seconds.back());
  }
  report_rates(state, op, peaks, report_times(state, seconds).median);
}

void define(int& argc, char** argv) {
  const std::string cache = take_flag(argc, argv, "cache", "warm");
  check(cache == "warm" || cache == "flushed", "--cache must be warm or flushed; got ", cache);
  const Options options{.timing = take_timing(argc, argv), .flushed = cache == "flushed"};
  benchmark::AddCustomContext("cache", cache);
  for (const std::string& name : backend_names()) {
    if (name == "reference") continue;
    const std::shared_ptr<Backend> backend = make_backend(name);
    if (!backend->unavailable().empty()) continue;
    const Peaks peaks =
        measure_peaks(*backend, {.threads = options.timing.threads},
                      [&](const auto& work) { return options.timing.seconds_of(work); });
    const Op probe({&op_neg, {InputSpec{{DType::f32, {1}}}}, {}, {}}, *backend,
                   options.timing.threads);
    benchmark::AddCustomContext(name, probe.backend_text());
    for (const auto& [what, value] : {std::pair{" peak f32 GFLOP/s", peaks.f32_flops},
                                      {" peak bf16 GFLOP/s", peaks.bf16_flops},
                                      {" peak GB/s", peaks.bytes}})
      benchmark::AddCustomContext(name + what, cat(value * 1e-9));
    for (const OpRow& row : op_table(*backend))
      benchmark::RegisterBenchmark(
          (row.name + "/" + name).c_str(),
          [=](benchmark::State& state) { run_row(state, row, *backend, peaks, options); })
          ->UseManualTime()
          ->Iterations(kSamples)
          ->Unit(benchmark::kMillisecond);
  }
}

}  // namespace
}  // namespace grimace::bench

int main(int argc, char** argv) {
  return grimace::bench::run_program(argc, argv, grimace::bench::define);
}
