// Times every row of op_table on every backend but the reference. A row is timed only after its
// result agreed with the reference kernel's. Own flags: --cache=warm|flushed,
// --threads=N, --clock=wall|cpu.
#include <algorithm>
#include <cstring>
#include <thread>

#include "backends/backend.h"
#include "bench/bench.h"
#include "bench/op_table.h"

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

// The best that the machine was seen to do at the start of this run.
struct Peak {
  double f32_flops = 0.0, bf16_flops = 0.0;  // per second, large products
  double bytes = 0.0;                        // per second, a large copy: read plus written
  double flops(DType dtype) const { return dtype == DType::bf16 ? bf16_flops : f32_flops; }
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
      error = std::max(error, testing::relative_error(out[i], executable_->view(results_[i])));
    return error;
  }

  void run() { executable_->run(); }
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

double best_seconds(const Timing& timing, const std::function<void()>& work) {
  constexpr int kTimes = 15;
  work();
  double best = timing.seconds_of(work);
  for (int i = 1; i < kTimes; ++i) best = std::min(best, timing.seconds_of(work));
  return best;
}

double product_flops(Backend& backend, const Timing& timing, DType dtype) {
  const InputSpec a{{dtype, {4096, 1024}}};
  const InputSpec b{{dtype, {1024, 4096}}};
  Op product({&op_matmul, {a, b}, {}, {}}, backend, timing.threads);
  return static_cast<double>(flops_of(product.node())) /
         best_seconds(timing, [&] { product.run(); });
}

// The calling thread copies one share, so that the cpu clock sees a copy by one thread.
double copy_bytes(const Timing& timing) {
  constexpr size_t kBytes = size_t{256} << 20;
  const size_t count = timing.threads > 0 ? static_cast<size_t>(timing.threads)
                                          : std::max(1u, std::thread::hardware_concurrency());
  const size_t share = kBytes / count;
  const std::vector<char> from(kBytes, 1);
  std::vector<char> to(kBytes);
  const auto copy = [&](size_t i) { std::memcpy(&to[i * share], &from[i * share], share); };
  const double seconds = best_seconds(timing, [&] {
    std::vector<std::jthread> workers;
    for (size_t i = 1; i < count; ++i) workers.emplace_back(copy, i);
    copy(0);
  });
  return 2.0 * static_cast<double>(share * count) / seconds;
}

Peak measure_peak(Backend& backend, const Timing& timing) {
  return {.f32_flops = product_flops(backend, timing, DType::f32),
          .bf16_flops = product_flops(backend, timing, DType::bf16),
          .bytes = copy_bytes(timing)};
}

// Rates at the median, and how near it comes to the time that the slower of the two peaks allows.
void report_rates(benchmark::State& state, const Op& op, const Peak& peak, double seconds) {
  const auto flops = static_cast<double>(flops_of(op.node()));
  const auto bytes = static_cast<double>(bytes_of(op.node()));
  const double compute = flops / peak.flops(op.node().in(0).dtype);
  const double memory = bytes / peak.bytes;
  state.counters["GFLOP/s"] = flops / seconds * 1e-9;
  state.counters["GB/s"] = bytes / seconds * 1e-9;
  state.counters["peak_%"] = std::max(compute, memory) / seconds * 100.0;
  state.SetLabel(cat(compute > memory ? "of compute" : "of memory",
                     op.has_fast_kernel() ? "" : ", no fast kernel"));
}

void run_row(benchmark::State& state, const OpRow& row, Backend& backend, const Peak& peak,
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
  report_rates(state, op, peak, report_times(state, seconds).median);
}

void define(int& argc, char** argv) {
  const std::string cache = take_flag(argc, argv, "cache", "warm");
  check(cache == "warm" || cache == "flushed", "--cache must be warm or flushed; got ", cache);
  const Options options{.timing = take_timing(argc, argv), .flushed = cache == "flushed"};
  benchmark::AddCustomContext("cache", cache);
  for (const std::string& name : backend_names()) {
    if (name == "reference") continue;
    const std::shared_ptr<Backend> backend = make_backend(name);
    const Peak peak = measure_peak(*backend, options.timing);
    const Op probe({&op_neg, {InputSpec{{DType::f32, {1}}}}, {}, {}}, *backend,
                   options.timing.threads);
    benchmark::AddCustomContext(name, probe.backend_text());
    for (const auto& [what, value] : {std::pair{" peak f32 GFLOP/s", peak.f32_flops},
                                      {" peak bf16 GFLOP/s", peak.bf16_flops},
                                      {" peak GB/s", peak.bytes}})
      benchmark::AddCustomContext(name + what, cat(value * 1e-9));
    for (const OpRow& row : op_table())
      benchmark::RegisterBenchmark(
          (row.name + "/" + name).c_str(),
          [=](benchmark::State& state) { run_row(state, row, *backend, peak, options); })
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
