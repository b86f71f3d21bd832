#include "backends/cuda/emulator/memory.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>

#include "backends/cuda/emulator/errors.h"
#include "ir/error.h"

namespace grimace::cuda::emulator {
namespace {

constexpr size_t kDeviceBytes = size_t{8} << 30;
constexpr size_t kAlignment = 256;  // as cudaMalloc promises; also the size of a guard zone
constexpr int kPoison = 0xff;
constexpr std::byte kGuard{0xee};

enum class Place { device, host };

struct FreeAligned {
  void operator()(std::byte* p) const { operator delete[](p, std::align_val_t{kAlignment}); }
};

class Allocation {
 public:
  Allocation(size_t bytes, Place place)
      : bytes_(bytes),
        place_(place),
        all_(new (std::align_val_t{kAlignment}) std::byte[bytes + 2 * kAlignment]) {
    std::memset(all_.get(), static_cast<int>(kGuard), bytes + 2 * kAlignment);
    std::memset(data(), kPoison, bytes);
  }
  std::byte* data() const { return all_.get() + kAlignment; }
  size_t bytes() const { return bytes_; }
  Place place() const { return place_; }
  bool has(const std::byte* p) const { return p >= data() && p <= data() + bytes_; }

  // What was overwritten around it; empty: nothing. Told once.
  std::string damage() const {
    std::string where;
    for (size_t i = kAlignment; i-- > 0;) {
      if (data()[bytes_ + i] != kGuard) where = cat(i, " bytes beyond the end");
      if (all_[i] != kGuard) where = cat(kAlignment - i, " bytes before the beginning");
    }
    if (where.empty()) return "";
    std::fill_n(all_.get(), kAlignment, kGuard);
    std::fill_n(data() + bytes_, kAlignment, kGuard);
    return cat("memory was written ", where, " of an allocation of ", bytes_, " bytes");
  }

 private:
  size_t bytes_;
  Place place_;
  std::unique_ptr<std::byte[], FreeAligned> all_;
};

std::mutex mutex;
std::map<const std::byte*, Allocation> allocations;
size_t device_bytes = 0;

const Allocation* allocation_with(const void* p) {
  const auto* place = static_cast<const std::byte*>(p);
  const auto after = allocations.upper_bound(place);
  if (after == allocations.begin()) return nullptr;
  const Allocation& found = std::prev(after)->second;
  return found.has(place) ? &found : nullptr;
}

// Whether all the bytes are where a copy says they are.
bool are_at(const void* p, size_t bytes, Place place) {
  const std::lock_guard lock(mutex);
  const Allocation* a = allocation_with(p);
  if (a == nullptr) return place == Place::host && p != nullptr;
  const size_t offset = static_cast<size_t>(static_cast<const std::byte*>(p) - a->data());
  return a->place() == place && offset + bytes <= a->bytes();
}

bool is_pageable(const void* p) {
  const std::lock_guard lock(mutex);
  return allocation_with(p) == nullptr;
}

bool places_fit(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  const Place from_place =
      kind == cudaMemcpyHostToDevice || kind == cudaMemcpyHostToHost ? Place::host : Place::device;
  const Place to_place =
      kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyHostToHost ? Place::host : Place::device;
  if (kind != cudaMemcpyDefault)
    return are_at(to, bytes, to_place) && are_at(from, bytes, from_place);
  const auto anywhere = [&](const void* p) {
    return are_at(p, bytes, Place::device) || are_at(p, bytes, Place::host);
  };
  return anywhere(to) && anywhere(from);
}

cudaError_t allocate(void** memory, size_t bytes, Place place) {
  *memory = nullptr;
  if (spoils_a_capture()) return cudaErrorStreamCaptureUnsupported;
  if (bytes == 0) return cudaSuccess;
  const std::lock_guard lock(mutex);
  if (place == Place::device && bytes > kDeviceBytes - device_bytes)
    return cudaErrorMemoryAllocation;
  try {
    Allocation a(bytes, place);
    *memory = a.data();
    if (place == Place::device) device_bytes += bytes;
    allocations.emplace(a.data(), std::move(a));
  } catch (const std::bad_alloc&) {
    return cudaErrorMemoryAllocation;
  }
  return cudaSuccess;
}

cudaError_t release(void* memory, Place place) {
  if (memory == nullptr) return cudaSuccess;
  if (spoils_a_capture()) return cudaErrorStreamCaptureUnsupported;
  finish_everything();
  const std::lock_guard lock(mutex);
  const auto found = allocations.find(static_cast<const std::byte*>(memory));
  if (found == allocations.end() || found->second.place() != place) return cudaErrorInvalidValue;
  const Allocation a = std::move(found->second);
  allocations.erase(found);
  if (place == Place::device) device_bytes -= a.bytes();
  const std::string damage = a.damage();
  internal_check(damage.empty(), damage);
  return cudaSuccess;
}

}  // namespace

std::string damaged_allocation() {
  const std::lock_guard lock(mutex);
  for (const auto& [data, allocation] : allocations)
    if (std::string damage = allocation.damage(); !damage.empty()) return damage;
  return "";
}

size_t live_allocations() {
  const std::lock_guard lock(mutex);
  return allocations.size();
}

}  // namespace grimace::cuda::emulator

using namespace grimace::cuda::emulator;

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  const std::lock_guard lock(mutex);
  *total = kDeviceBytes;
  *free = kDeviceBytes - device_bytes;
  return cudaSuccess;
}
cudaError_t cudaMalloc(void** memory, size_t bytes) {
  return report(allocate(memory, bytes, Place::device));
}
cudaError_t cudaFree(void* memory) {
  return report(release(memory, Place::device));
}
cudaError_t cudaMallocHost(void** memory, size_t bytes, unsigned) {
  return report(allocate(memory, bytes, Place::host));
}
cudaError_t cudaFreeHost(void* memory) {
  return report(release(memory, Place::host));
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  if (!places_fit(to, from, bytes, kind)) return report(cudaErrorInvalidValue);
  const cudaError_t status = try_enqueue(stream, [=] { std::memmove(to, from, bytes); });
  if (status != cudaSuccess) return report(status);
  cudaStreamCaptureStatus capture{};
  cudaStreamIsCapturing(stream, &capture);
  if (capture == cudaStreamCaptureStatusNone && (is_pageable(to) || is_pageable(from)))
    finish(stream);
  return cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (spoils_a_capture()) return report(cudaErrorStreamCaptureImplicit);
  return cudaMemcpyAsync(to, from, bytes, kind, nullptr);
}
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  if (!are_at(memory, bytes, Place::device)) return report(cudaErrorInvalidValue);
  return report(try_enqueue(stream, [=] { std::memset(memory, value, bytes); }));
}
cudaError_t cudaMemset(void* memory, int value, size_t bytes) {
  if (spoils_a_capture()) return report(cudaErrorStreamCaptureImplicit);
  return cudaMemsetAsync(memory, value, bytes, nullptr);
}
