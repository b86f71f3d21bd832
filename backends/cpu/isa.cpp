// Detection of the machine's instruction sets and the GRIMACE_ISA cap.
#include "backends/cpu/isa.h"

#include <cpuid.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "ir/error.h"

namespace grimace::cpu {
namespace {

constexpr std::array<std::string_view, 4> kNames{"sse2", "avx2", "avx512", "amx"};

// GCC 12 has no name for AMX in __builtin_cpu_supports: leaf 7, EDX bits 22 (bf16) and 24 (tile).
bool has_amx() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  constexpr unsigned kWanted = (1u << 22) | (1u << 24);
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kWanted) == kWanted;
}

Isa machine_isa() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
      !__builtin_cpu_supports("bmi2"))
    return Isa::sse2;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
    return Isa::avx2;
  return has_amx() ? Isa::amx : Isa::avx512;
}

}  // namespace

std::string_view name_of(Isa isa) {
  return kNames[static_cast<size_t>(isa)];
}

Isa best_isa() {
  const char* cap = std::getenv("GRIMACE_ISA");
  if (cap == nullptr) return machine_isa();
  const auto* found = std::find(kNames.begin(), kNames.end(), std::string_view(cap));
  check(found != kNames.end(),
        "environment variable GRIMACE_ISA must be sse2, avx2, avx512 or amx; ", "got \"", cap,
        "\"");
  return std::min(machine_isa(), static_cast<Isa>(found - kNames.begin()));
}

}  // namespace grimace::cpu
