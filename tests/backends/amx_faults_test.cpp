// Where instructions of AMX fault, on the processor or in the trap (trapped_tiles.h), and by which
// signal Linux says so.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "tests/backends/amx_fixture.h"

namespace grimace {
namespace {

using namespace cpu;
using testing::AmxInstructions;
using testing::of_rows;
using testing::shape;
using testing::TrappedTiles;

// The signal that ends a process at `work`, 0 for none.
int signal_of(const std::function<void()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit none{};
    setrlimit(RLIMIT_CORE, &none);
    work();
    _exit(0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST_F(AmxInstructions, FaultWhereTheManualSaysSo) {
  // Register 0 += 1 2.
  const auto product = [](int c_rows, int c_bytes, int a_rows, int a_bytes, int b_rows,
                          int b_bytes) {
    return signal_of([=] {
      TileConfig config;
      shape(config, 0, c_rows, c_bytes);
      shape(config, 1, a_rows, a_bytes);
      shape(config, 2, b_rows, b_bytes);
      AmxTiles::configure(config);
      AmxTiles::dot<0, 1, 2>();
    });
  };
  EXPECT_EQ(product(2, 12, 2, 16, 4, 12), 0);
  EXPECT_EQ(product(2, 12, 1, 16, 4, 12), SIGILL);
  EXPECT_EQ(product(2, 12, 2, 12, 4, 12), SIGILL);
  EXPECT_EQ(product(2, 12, 2, 16, 4, 8), SIGILL);
  EXPECT_EQ(product(2, 10, 2, 16, 4, 10), SIGILL);
  EXPECT_EQ(product(2, 12, 2, 16, 0, 0), SIGILL);
  EXPECT_EQ(signal_of([] { AmxTiles::zero<0>(); }), SIGILL);
  float words[16]{};
  EXPECT_EQ(signal_of([&] { AmxTiles::load<0>(words, 0); }), SIGILL);
  EXPECT_EQ(signal_of([&] { AmxTiles::store<0>(words, 0); }), SIGILL);
  AmxTiles::configure(of_rows(1));
  EXPECT_EQ(signal_of([&] { AmxTiles::load<0>(words, 0); }), 0);
  EXPECT_EQ(signal_of([&] { AmxTiles::load<1>(words, 0); }), SIGILL);
  EXPECT_EQ(signal_of([&] { AmxTiles::store<7>(words, 0); }), SIGILL);
  AmxTiles::configure(whole_tiles());
  EXPECT_EQ(signal_of([] { AmxTiles::zero<7>(); }), 0);
  EXPECT_EQ(signal_of([] { AmxTiles::release(), AmxTiles::zero<7>(); }), SIGILL);
  // 0 += 1 2, 0 += 1 1, 0 += 0 1 and 0 += 1 0; assemblers refuse the last three.
  EXPECT_EQ(signal_of([] { asm volatile(".byte 0xc4, 0xe2, 0x6a, 0x5c, 0xc1"); }), 0);
  EXPECT_EQ(signal_of([] { asm volatile(".byte 0xc4, 0xe2, 0x72, 0x5c, 0xc1"); }), SIGILL);
  EXPECT_EQ(signal_of([] { asm volatile(".byte 0xc4, 0xe2, 0x72, 0x5c, 0xc0"); }), SIGILL);
  EXPECT_EQ(signal_of([] { asm volatile(".byte 0xc4, 0xe2, 0x7a, 0x5c, 0xc1"); }), SIGILL);
  EXPECT_EQ(signal_of([] { asm volatile("ud2"); }), SIGILL);
}

TEST_F(AmxInstructions, RefuseConfigurations) {
  const auto refusal = [](const std::function<void(TileConfig&)>& spoil) {
    TileConfig config = of_rows(1);
    spoil(config);
    return signal_of([&] { AmxTiles::configure(config); });
  };
  EXPECT_EQ(refusal([](TileConfig&) {}), 0);
  EXPECT_EQ(refusal([](TileConfig& c) { c.palette = 0; }), 0);
  EXPECT_EQ(refusal([](TileConfig& c) { c.palette = 2; }), SIGSEGV);
  EXPECT_EQ(refusal([](TileConfig& c) { c.reserved[13] = 1; }), SIGSEGV);
  EXPECT_EQ(refusal([](TileConfig& c) { c.rows[0] = 17; }), SIGSEGV);
  EXPECT_EQ(refusal([](TileConfig& c) { c.row_bytes[0] = 65; }), SIGSEGV);
  EXPECT_EQ(refusal([](TileConfig& c) { c.rows[0] = 0; }), SIGSEGV);
  EXPECT_EQ(refusal([](TileConfig& c) { c.row_bytes[0] = 0; }), SIGSEGV);
  EXPECT_EQ(refusal([](TileConfig& c) { shape(c, 8, 1, 4); }), SIGSEGV);
}

TEST(TrappedTiles, GiveTheSignalBack) {
  const auto handler = [] {
    struct sigaction now {};
    sigaction(SIGILL, nullptr, &now);
    return now.sa_sigaction;
  };
  const auto before = handler();
  {
    const TrappedTiles trap;
    EXPECT_NE(handler(), before);
  }
  EXPECT_EQ(handler(), before);
}

}  // namespace
}  // namespace grimace
