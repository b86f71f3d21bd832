// Instruction sets: which one to use, and how a kernel is compiled for each of them in one place.
//
// vectorised(isa, body) compiles the call tree of `body` once per instruction set and runs the one
// asked for. It works because a function compiled for plain x86-64 may be inlined into one compiled
// for more (`flatten` inlines everything visible), and loops are vectorised after inlining. So a
// kernel is a plain loop over plain inline functions, with no intrinsics and no second copy.
#pragma once

#include <cstdint>
#include <string_view>

namespace grimace::cpu {

// amx: avx512 with its bf16 products, and tiles that the kernel lets this process use.
// amx_emulated: the same kernels on tiles in plain C++ (emulated_tiles.h), slow, to prove them.
enum class Isa : uint8_t { sse2, avx2, avx512, amx, amx_emulated };

std::string_view name_of(Isa isa);
bool runs_here(Isa isa);
// The best this machine has, or what the environment variable GRIMACE_ISA names:
// sse2|avx2|avx512|amx|amx-emulated. Error when it holds something else, or what does not run here.
Isa best_isa();

template <typename Body>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi2,prefer-vector-width=512"),
  gnu::flatten, gnu::noinline]] void
run_avx512(const Body& body) {
  const Body local = body;  // its captures stay in registers: no store can alias them
  local();
}

template <typename Body>
[[gnu::target("avx2,fma,bmi2"), gnu::flatten, gnu::noinline]] void run_avx2(const Body& body) {
  const Body local = body;
  local();
}

template <typename Body>
void vectorised(Isa isa, const Body& body) {
  if (isa >= Isa::avx512) return run_avx512(body);
  if (isa == Isa::avx2) return run_avx2(body);
  body();
}

}  // namespace grimace::cpu
