#include "backends/cuda/emulator/warp.h"

#include <array>
#include <bit>

#include "backends/cuda/emulator/fibers.h"

namespace grimace::cuda::emulator {
namespace {

constexpr int kLanes = 32;
constexpr int kWarps = 32;

struct Gathering {
  const Meeting* meeting = nullptr;
  unsigned mask = 0;
  unsigned here = 0;  // lanes that came
  std::array<void*, kLanes> lanes{};
};
// Groups of one warp with other masks meet independently; the lanes that some of them share only
// come later.
struct Warp {
  std::array<Gathering, kLanes> gatherings;
  unsigned open = 0;  // which of them wait for lanes
};
std::array<Warp, kWarps> warps;

std::string hex(unsigned v) {
  std::ostringstream out;
  out << "0x" << std::hex << v;
  return out.str();
}

template <typename F>
void for_lanes(unsigned mask, F&& f) {
  for (; mask != 0; mask &= mask - 1) f(std::countr_zero(mask));
}

// Texts are made only where something is wrong: lanes meet often.
void check_mask(const Meeting& meeting, unsigned mask, int thread) {
  const int lane = thread % kLanes;
  if (((mask >> lane) & 1u) == 0) [[unlikely]]
    throw Misuse(cat(meeting.name, " with mask ", hex(mask), " is called by ", thread_text(thread),
                     ", lane ", lane, ", which is not in the mask"));
  const int last = thread - lane + kLanes - std::countl_zero(mask) - 1;
  if (last >= threads_in_block()) [[unlikely]]
    throw Misuse(cat(meeting.name, " with mask ", hex(mask), " waits for thread ", last,
                     " of a block of ", threads_in_block(), " threads"));
}

void check_same(const Meeting& meeting, unsigned mask, const Gathering& g, int thread) {
  if (g.meeting == &meeting && g.mask == mask) [[likely]]
    return;
  throw Misuse(cat("lanes of one warp do not meet: ", thread_text(thread), " is at ", meeting.name,
                   " with mask ", hex(mask), ", while lane ", std::countr_zero(g.here),
                   " waits at ", g.meeting->name, " with mask ", hex(g.mask)));
}

// The open one of this mask, or a free one.
int gathering_with(const Warp& warp, unsigned mask) {
  for (unsigned open = warp.open; open != 0; open &= open - 1) {
    const int slot = std::countr_zero(open);
    if (warp.gatherings[static_cast<size_t>(slot)].mask == mask) return slot;
  }
  return std::countr_one(warp.open);
}

}  // namespace

void meet(const Meeting& meeting, unsigned mask, void* mine) {
  const int thread = running_thread();
  check_mask(meeting, mask, thread);
  const int lane = thread % kLanes;
  Warp& warp = warps[static_cast<size_t>(thread / kLanes)];
  const int slot = gathering_with(warp, mask);
  Gathering& g = warp.gatherings[static_cast<size_t>(slot)];
  if (((warp.open >> slot) & 1u) == 0) {
    warp.open |= 1u << slot;
    g.meeting = &meeting;
    g.mask = mask;
    g.here = 0;
  }
  check_same(meeting, mask, g, thread);
  g.here |= 1u << lane;
  g.lanes[static_cast<size_t>(lane)] = mine;
  if (g.here != mask) return wait(meeting.name, mask);
  warp.open &= ~(1u << slot);
  meeting.complete(mask, g.lanes.data());
  for_lanes(mask & ~(1u << lane), [&](int other) { wake(thread - lane + other); });
}

void forget_meetings() {
  for (Warp& warp : warps) warp.open = 0;
}

// ---- Shuffles and votes --------------------------------------------------------------------
namespace {

struct ShuffledLane {
  uint32_t value;
  int from;  // the lane whose value this one gets
  uint32_t result;
};

void complete_shuffle(unsigned mask, void* const* lanes) {
  for_lanes(mask, [&](int lane) {
    auto* mine = static_cast<ShuffledLane*>(lanes[lane]);
    if (((mask >> mine->from) & 1u) == 0) [[unlikely]]
      throw Misuse(cat("a shuffle with mask ", hex(mask), " reads for lane ", lane, " from lane ",
                       mine->from, ", which is not in the mask"));
    mine->result = static_cast<ShuffledLane*>(lanes[mine->from])->value;
  });
}

constexpr Meeting kShuffles[] = {{"__shfl_sync", complete_shuffle},
                                 {"__shfl_xor_sync", complete_shuffle}};

struct Voter {
  bool vote;
  unsigned result;
};

constexpr Meeting kBallot = {
    "__ballot_sync", [](unsigned mask, void* const* lanes) {
      unsigned votes = 0;
      for_lanes(mask, [&](int lane) {
        votes |= unsigned{static_cast<Voter*>(lanes[lane])->vote} << lane;
      });
      for_lanes(mask, [&](int lane) { static_cast<Voter*>(lanes[lane])->result = votes; });
    }};
constexpr Meeting kSyncWarp = {"__syncwarp", [](unsigned, void* const*) {}};

}  // namespace

uint32_t shuffle(Shuffle how, unsigned mask, uint32_t value, int operand) {
  const int from = how == Shuffle::to ? operand : (running_thread() % kLanes) ^ operand;
  if (from < 0 || from >= kLanes) [[unlikely]]
    throw Misuse(cat("a shuffle reads from lane ", from));
  ShuffledLane mine{value, from, 0};
  meet(kShuffles[static_cast<size_t>(how)], mask, &mine);
  return mine.result;
}

unsigned ballot(unsigned mask, bool vote) {
  Voter mine{vote, 0};
  meet(kBallot, mask, &mine);
  return mine.result;
}

}  // namespace grimace::cuda::emulator

void __syncwarp(unsigned mask) {
  using namespace grimace::cuda::emulator;
  meet(kSyncWarp, mask, nullptr);
}
