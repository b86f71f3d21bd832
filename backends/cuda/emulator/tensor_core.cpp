// Tensor-core products, the loads of their fragments, and background copies, as mma.h and the PTX
// manual describe them.
#include <array>
#include <bit>
#include <vector>

#include "backends/cuda/emulator/fibers.h"
#include "backends/cuda/emulator/warp.h"

namespace grimace::cuda::emulator {
namespace {

constexpr unsigned kWholeWarp = 0xffffffffu;
constexpr int kLanes = 32;

float low(uint32_t pair) {
  return std::bit_cast<float>(pair << 16);
}
float high(uint32_t pair) {
  return std::bit_cast<float>(pair & 0xffff0000u);
}

struct ProductLane {
  float* c;           // [4]
  const uint32_t* a;  // [4]
  const uint32_t* b;  // [2]
};

// All fragments are gathered into whole matrices, multiplied, and dealt out again.
void complete_product(unsigned, void* const* lanes) {
  float a[16][16], b[16][8];
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto* mine = static_cast<const ProductLane*>(lanes[lane]);
    const int g = lane / 4, t2 = lane % 4 * 2;
    for (int i = 0; i < 4; ++i) {
      a[g + i % 2 * 8][t2 + i / 2 * 8] = low(mine->a[i]);
      a[g + i % 2 * 8][t2 + i / 2 * 8 + 1] = high(mine->a[i]);
    }
    for (int i = 0; i < 2; ++i) {
      b[t2 + i * 8][g] = low(mine->b[i]);
      b[t2 + i * 8 + 1][g] = high(mine->b[i]);
    }
  }
  float product[16][8] = {};
  for (int row = 0; row < 16; ++row)
    for (int k = 0; k < 16; ++k)
      for (int column = 0; column < 8; ++column) product[row][column] += a[row][k] * b[k][column];
  for (int lane = 0; lane < kLanes; ++lane) {
    float* c = static_cast<const ProductLane*>(lanes[lane])->c;
    const int g = lane / 4, t2 = lane % 4 * 2;
    for (int i = 0; i < 4; ++i) c[i] += product[g + i / 2 * 8][t2 + i % 2];
  }
}
constexpr Meeting kProduct = {"mma_16x8x16", complete_product};

struct LoadingLane {
  uint32_t* r;  // [4]
  const void* row;
};

template <bool transposed>
void complete_load(unsigned, void* const* lanes) {
  for (int lane = 0; lane < kLanes; ++lane) {
    const void* row = static_cast<const LoadingLane*>(lanes[lane])->row;
    if (std::bit_cast<uintptr_t>(row) % 16 != 0) [[unlikely]]
      throw Misuse(
          cat("load_matrices needs rows aligned to 16 bytes; that of lane ", lane, " is at ", row));
  }
  for (int lane = 0; lane < kLanes; ++lane)
    for (int i = 0; i < 4; ++i) {
      uint16_t pair[2];
      for (int j = 0; j < 2; ++j) {
        const int g = lane / 4, t = lane % 4 * 2 + j;
        const int row = transposed ? t : g, column = transposed ? g : t;
        const auto* from = static_cast<const LoadingLane*>(lanes[i * 8 + row]);
        std::memcpy(&pair[j], static_cast<const char*>(from->row) + column * 2, 2);
      }
      static_cast<LoadingLane*>(lanes[lane])->r[i] = pair[0] | uint32_t{pair[1]} << 16;
    }
}
constexpr Meeting kLoad = {"load_matrices", complete_load<false>};
constexpr Meeting kLoadTransposed = {"load_matrices_transposed", complete_load<true>};

// ---- Background copies of each thread ------------------------------------------------------
struct Copy {
  void* to;
  const void* from;
  bool zeros;
  int group;
};
struct Copies {
  std::vector<Copy> pending;
  int groups = 0;  // committed so far
};
std::array<Copies, 1024> copies;
bool any_copies = false;

Copies& my_copies() {
  return copies[static_cast<size_t>(running_thread())];
}

}  // namespace

void mma_16x8x16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  ProductLane mine{c, a, b};
  meet(kProduct, kWholeWarp, &mine);
}

void load_matrices(uint32_t (&r)[4], const void* row, bool transposed) {
  LoadingLane mine{r, row};
  meet(transposed ? kLoadTransposed : kLoad, kWholeWarp, &mine);
}

void copy_16(void* shared, const void* global, bool zeros) {
  for (const void* place : {static_cast<const void*>(shared), global})
    if (std::bit_cast<uintptr_t>(place) % 16 != 0) [[unlikely]]
      throw Misuse(cat("copy_16 needs both places aligned to 16 bytes; ",
                       place == global ? "global" : "shared", " is at ", place));
  any_copies = true;
  my_copies().pending.push_back({shared, global, zeros, my_copies().groups});
}

void copies_commit() {
  any_copies = true;
  ++my_copies().groups;
}

// Of the committed groups all but the last `most` arrive.
void copies_wait(int most) {
  Copies& mine = my_copies();
  size_t kept = 0;
  for (const Copy& copy : mine.pending) {
    if (copy.group >= mine.groups - most) {
      mine.pending[kept++] = copy;
    } else if (copy.zeros) {
      std::memset(copy.to, 0, 16);
    } else {
      std::memcpy(copy.to, copy.from, 16);
    }
  }
  mine.pending.resize(kept);
}

void forget_copies() {
  if (!any_copies) return;
  any_copies = false;
  for (Copies& c : copies) {
    c.pending.clear();
    c.groups = 0;
  }
}

}  // namespace grimace::cuda::emulator
