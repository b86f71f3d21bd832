// Detection of the machine's instruction sets, and GRIMACE_ISA.
#include "backends/cpu/isa.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "ir/error.h"

namespace grimace::cpu {
namespace {

constexpr std::array<std::string_view, 5> kNames{"sse2", "avx2", "avx512", "amx", "amx-emulated"};

// GCC 12 has no name for AMX in __builtin_cpu_supports: leaf 7, EDX bits 22 (bf16) and 24 (tile).
bool processor_has_amx() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  constexpr unsigned kWanted = (1u << 22) | (1u << 24);
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kWanted) == kWanted;
}

// Linux saves the 8 KiB of tiles only for processes that asked; it refuses where it is older than
// 5.16, or where the state is not enabled.
bool kernel_grants_amx() {
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

Isa find_machine_isa() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
      !__builtin_cpu_supports("bmi2"))
    return Isa::sse2;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
    return Isa::avx2;
  return __builtin_cpu_supports("avx512bf16") && processor_has_amx() && kernel_grants_amx()
             ? Isa::amx
             : Isa::avx512;
}

// Found out once, as the permission is one of the process.
Isa machine_isa() {
  static const Isa isa = find_machine_isa();
  return isa;
}

}  // namespace

std::string_view name_of(Isa isa) {
  return kNames[static_cast<size_t>(isa)];
}

bool runs_here(Isa isa) {
  if (isa != Isa::amx_emulated) return isa <= machine_isa();
  return machine_isa() >= Isa::avx512 && __builtin_cpu_supports("avx512bf16");
}

Isa best_isa() {
  const char* wanted = std::getenv("GRIMACE_ISA");
  if (wanted == nullptr) return machine_isa();
  const auto* found = std::find(kNames.begin(), kNames.end(), std::string_view(wanted));
  check(found != kNames.end(),
        "environment variable GRIMACE_ISA must be sse2, avx2, avx512, amx or amx-emulated; got \"",
        wanted, "\"");
  const Isa isa = static_cast<Isa>(found - kNames.begin());
  check(runs_here(isa), "environment variable GRIMACE_ISA asks for ", wanted,
        ", which does not run here; the best that does is ", name_of(machine_isa()));
  return isa;
}

}  // namespace grimace::cpu
