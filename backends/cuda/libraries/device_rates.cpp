#include "backends/cuda/libraries/device_rates.h"

#include <algorithm>
#include <vector>

#include "backends/cuda/libraries/device_timer.h"
#include "backends/cuda/matmul.h"
#include "ir/float16.h"
#include "ir/philox.h"

namespace grimace::cuda {
namespace {

constexpr int kRepeats = 5;
constexpr int64_t kLargestCopy = int64_t{1} << 30;
constexpr int64_t kSide = 8192;      // of the matrices
constexpr int64_t kBlock = 1 << 20;  // elements drawn; a matrix repeats them

double copy_rate(DeviceTimer& timer) {
  for (int64_t bytes = kLargestCopy; bytes >= int64_t{64} << 20; bytes /= 2) {
    const DeviceBuffer from(bytes);
    const DeviceBuffer to(bytes);
    if (from.data() == nullptr || to.data() == nullptr) continue;
    const auto size = static_cast<size_t>(bytes);
    const double seconds = timer.seconds(
        [&](cudaStream_t stream) {
          check_cuda(
              cudaMemcpyAsync(to.data(), from.data(), size, cudaMemcpyDeviceToDevice, stream),
              "a copy");
        },
        kRepeats);
    return 2.0 * static_cast<double>(bytes) / seconds;
  }
  return 0.0;
}

// Random numbers in [-1, 1): a device is slower on them than on zeros, which cost it less power.
void fill(const DeviceBuffer& buffer, DType dtype, int64_t count) {
  PhiloxStream random(1, stream_id("device_rates"));
  std::vector<float> wide(static_cast<size_t>(kBlock));
  std::ranges::generate(wide, [&] { return static_cast<float>(random.uniform(-1.0, 1.0)); });
  const std::vector<bf16> narrow(wide.begin(), wide.end());
  const void* block = dtype == DType::f32 ? static_cast<const void*>(wide.data()) : narrow.data();
  for (int64_t at = 0; at < count; at += kBlock)
    check_cuda(cudaMemcpy(static_cast<std::byte*>(buffer.data()) + at * size_of(dtype), block,
                          static_cast<size_t>(std::min(kBlock, count - at) * size_of(dtype)),
                          cudaMemcpyHostToDevice),
               "filling a matrix");
}

double product_rate(DeviceTimer& timer, const Properties& properties, DType operand, bool tf32) {
  for (int64_t side = kSide; side >= kSide / 8; side /= 2) {
    Context context{.tf32 = tf32, .properties = properties};
    const int64_t count = side * side;
    const DeviceBuffer a(count * size_of(operand));
    const DeviceBuffer b(count * size_of(operand));
    const DeviceBuffer y(count * size_of(operand));
    const MatmulSpec spec{.m = side,
                          .n = side,
                          .k = side,
                          .transpose_b = true,
                          .operand = operand,
                          .result = operand,
                          .tf32 = tf32};
    const auto matmul = make_matmul(spec, {.a = a.data(), .b = b.data(), .y = y.data()}, context,
                                    "the matmul that rates the device");
    const DeviceBuffer workspace(context.workspace->bytes());
    const auto there = [](const DeviceBuffer& buffer) { return buffer.data() != nullptr; };
    if (!there(a) || !there(b) || !there(y) || !there(workspace)) continue;
    context.workspace->place(workspace.data());
    fill(a, operand, count);
    fill(b, operand, count);
    matmul->prepare();
    const double seconds =
        timer.seconds([&](cudaStream_t stream) { matmul->run(stream); }, kRepeats);
    const auto cube = static_cast<double>(side) * static_cast<double>(side);
    return 2.0 * cube * static_cast<double>(side) / seconds;
  }
  return 0.0;
}

}  // namespace

DeviceRates measure_device_rates() {
  int device = 0;
  check_cuda(cudaGetDevice(&device), "asking for the current device");
  cudaDeviceProp found{};
  check_cuda(cudaGetDeviceProperties(&found, device), "reading a device's properties");
  Properties properties;
  properties.name = found.name;
  properties.capability = 10 * found.major + found.minor;
  properties.multiprocessors = found.multiProcessorCount;
  DeviceTimer timer;
  return {.copy_bytes_per_second = copy_rate(timer),
          .bf16_flops = product_rate(timer, properties, DType::bf16, false),
          .tf32_flops = product_rate(timer, properties, DType::f32, true),
          .f32_flops = product_rate(timer, properties, DType::f32, false)};
}

}  // namespace grimace::cuda
