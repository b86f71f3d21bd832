#include "tools/peaks.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "ir/builder.h"
#include "ir/op_def.h"
#include "ir/philox.h"
#include "tools/random_step.h"

namespace grimace {
namespace {

double best_seconds(const Stopwatch& seconds_of, const std::function<void()>& work) {
  constexpr int kTimes = 15;
  work();
  double best = seconds_of(work);
  for (int i = 1; i < kTimes; ++i) best = std::min(best, seconds_of(work));
  return best;
}

// The calling thread copies one share, so that a clock of its own sees a copy by one thread.
double copy_bytes(int threads, const Stopwatch& seconds_of) {
  constexpr size_t kBytes = size_t{256} << 20;
  const size_t count = threads > 0 ? static_cast<size_t>(threads)
                                   : std::max(1u, std::thread::hardware_concurrency());
  const size_t share = kBytes / count;
  const std::vector<char> from(kBytes, 1);
  std::vector<char> to(kBytes);
  const auto copy = [&](size_t i) { std::memcpy(&to[i * share], &from[i * share], share); };
  const double seconds = best_seconds(seconds_of, [&] {
    std::vector<std::jthread> workers;
    for (size_t i = 1; i < count; ++i) workers.emplace_back(copy, i);
    copy(0);
  });
  return 2.0 * static_cast<double>(share * count) / seconds;
}

Tensor random_numbers(const Shape& shape, PhiloxStream& random) {
  Tensor numbers(DType::f32, shape);
  draw_repeating<float>(numbers.as<float>(), [&] { return static_cast<float>(random.normal()); });
  return numbers;
}

}  // namespace

double wall_seconds(const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double product_flops(Backend& backend, DType dtype, const CompileOptions& on,
                     const Stopwatch& seconds_of) {
  if (const auto peaks = backend.measure_peaks(on))
    return dtype == DType::bf16 ? peaks->bf16_flops : peaks->f32_flops;
  Graph graph("product");
  Builder b(graph);
  const Value a = b.input("a", {dtype, {4096, 1024}});
  const Value w = b.input("b", {dtype, {1024, 4096}});
  const Value product = b.matmul(a, w);
  b.output("product", product);
  const auto executable = backend.compile(graph, {.threads = on.threads});
  PhiloxStream random(0, stream_id("product"));
  for (const Value& input : {a, w})
    executable->write(input.name(), random_numbers(input.shape(), random).view());
  return static_cast<double>(flops_of(*product.producer())) /
         best_seconds(seconds_of, [&] { executable->run(); });
}

Peaks measure_peaks(Backend& backend, const CompileOptions& on, const Stopwatch& seconds_of) {
  if (const auto peaks = backend.measure_peaks(on)) return *peaks;
  return {.f32_flops = product_flops(backend, DType::f32, on, seconds_of),
          .bf16_flops = product_flops(backend, DType::bf16, on, seconds_of),
          .bytes = copy_bytes(on.threads, seconds_of)};
}

std::optional<Peaks> peaks_worth_measuring(Backend& backend, const CompileOptions& on) {
  if (backend.name() == "reference") return std::nullopt;
  return measure_peaks(backend, on);
}

Roofline roofline_of(const Node& node, const Peaks& peaks) {
  const bool bf16 = std::ranges::any_of(
      node.inputs(), [](const Value& input) { return input.dtype() == DType::bf16; });
  return {
      .compute = static_cast<double>(flops_of(node)) / (bf16 ? peaks.bf16_flops : peaks.f32_flops),
      .memory = static_cast<double>(bytes_of(node)) / peaks.bytes};
}

}  // namespace grimace
