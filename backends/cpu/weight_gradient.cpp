// Tokens come in chunks. Of each, a is transposed and b zipped into pairs, both once and by all
// threads; then every thread multiplies its part of c, and adds.
//
// What bounds it: a step of 32 x 32 results reads four tiles for 64 cycles of products. Those of b
// (32 columns of a chunk, 64 KiB) and of a (512 rows, 1 MiB) come from the second-level cache,
// which takes about 85 cycles. c is read and written once a chunk, from further away: 4 bytes a
// cycle, so chunks are as long as a's block allows. Packing writes what no second-level cache holds
// and takes about two thirds of the time of the products.
#include "backends/cpu/weight_gradient.h"

#include <algorithm>

#include "backends/cpu/amx_product.h"
#include "backends/cpu/bf16_rows.h"
#include "backends/cpu/emulated_tiles.h"
#include "backends/cpu/parallel.h"

namespace grimace::cpu {
namespace {

constexpr int64_t kMostTokens = 1024;  // of a chunk
constexpr int64_t kRowsInCache = 512;  // of a chunk's a
constexpr int64_t kSquare = 32;        // of results, two tiles by two

struct WeightGradient {
  int64_t m, n, k;
  const bf16 *a, *b;
  float* c;
  int64_t chunk;  // tokens, a multiple of a tile

  // Words of the packed chunk: rows of a^T, then panels of b.
  int64_t steps_of(int64_t first) const {
    return rounded_up(std::min(chunk, k - first), kTileInner) / 2;
  }
  int64_t a_words() const { return m * chunk / 2; }
  int64_t words() const { return (m + n) * chunk / 2; }

  // Groups [begin, end) of 32 tokens of the chunk that starts at token `first`.
  void pack(int64_t first, int64_t begin, int64_t end, uint32_t* packed) const {
    const int64_t steps = steps_of(first);
    const auto b_row = [this](int64_t t) { return t < k ? b + t * n : nullptr; };
    for (int64_t g = begin; g < end; ++g) {
      const int64_t token = first + g * kTileInner;
      const int64_t step = g * kTilePairs;
      for (int64_t i = 0; i < m; i += kTileRows)
        transpose_pairs(a + token * m + i, m, k - token, m - i, packed + i * steps + step, steps);
      for (int64_t s = 0; s < kTilePairs; ++s)
        zip_rows(b_row(token + 2 * s), b_row(token + 2 * s + 1), n,
                 packed + a_words() + (step + s) * kPanel, steps * kPanel);
    }
  }

  // Squares are counted block of rows by block of rows, in each of them column by column.
  int64_t squares() const { return rounded_up(m, kSquare) / kSquare * square_columns(); }
  int64_t square_columns() const { return rounded_up(n, kSquare) / kSquare; }

  template <typename Unit>
  void multiply(int64_t first, int64_t begin, int64_t end, const uint32_t* packed) const {
    const TileSession<Unit> session;
    const int64_t steps = steps_of(first);
    for (int64_t item = begin; item < end;) {
      const int64_t block = item / (kRowsInCache / kSquare * square_columns());
      const int64_t top = block * kRowsInCache;
      const int64_t tall = rounded_up(std::min(kRowsInCache, m - top), kSquare) / kSquare;
      const int64_t inside = item - top / kSquare * square_columns();
      const int64_t count = std::min(tall - inside % tall, end - item);
      const int64_t row = top + inside % tall * kSquare;
      const int64_t column = inside / tall * kSquare;
      amx_product<Unit>(std::min(count * kSquare, m - row), std::min(kSquare, n - column), steps,
                        {packed + row * steps, steps * 4}, packed + a_words() + column * steps,
                        c + row * n + column, n, first > 0);
      item += count;
    }
  }
};

template <typename Unit>
Kernel make(const WeightGradient& product, const Context& cpu) {
  cpu.workspace->reserve(product.words() * 4);
  return [product, cpu] {
    auto* packed = cpu.workspace->as<uint32_t>();
    for (int64_t first = 0; first < product.k; first += product.chunk) {
      parallel_for(
          cpu, product.steps_of(first) / kTilePairs, 1,
          [=, &product](int64_t begin, int64_t end) { product.pack(first, begin, end, packed); });
      parallel_for(cpu, product.squares(), 1, [=, &product](int64_t begin, int64_t end) {
        product.multiply<Unit>(first, begin, end, packed);
      });
    }
  };
}

}  // namespace

bool serves_weight_gradient(const MatmulSpec& s, const Context& cpu) {
  return cpu.isa >= Isa::amx && s.transpose_a && !s.transpose_b && s.batch == 1 && !s.bias &&
         s.epilogue == Epilogue::none && s.operand == DType::bf16 && s.result == DType::f32 &&
         s.m % kTileRows == 0 && s.n % kPanel == 0;
}

Kernel make_weight_gradient(const MatmulSpec& s, const MatmulOperands& operands,
                            const Context& cpu) {
  const int64_t chunks = (s.k + kMostTokens - 1) / kMostTokens;
  const WeightGradient product{.m = s.m,
                               .n = s.n,
                               .k = s.k,
                               .a = static_cast<const bf16*>(operands.a),
                               .b = static_cast<const bf16*>(operands.b),
                               .c = static_cast<float*>(operands.c),
                               .chunk = rounded_up((s.k + chunks - 1) / chunks, kTileInner)};
  return cpu.isa == Isa::amx ? make<AmxTiles>(product, cpu) : make<EmulatedTiles>(product, cpu);
}

}  // namespace grimace::cpu
