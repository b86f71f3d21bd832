// All but the class at the end runs in a signal handler: no allocation, no locks, no exceptions.
#include "tests/backends/trapped_tiles.h"

#include <ucontext.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "backends/cpu/amx_tiles.h"
#include "backends/cpu/emulated_tiles.h"
#include "ir/error.h"

namespace grimace::testing {
namespace {

using cpu::kTileBytes;
using cpu::kTileRows;
using cpu::kTiles;
using cpu::Tile;
using cpu::TileConfig;

struct Unit {
  TileConfig config{.palette = 0};
  Tile tiles[kTiles]{};
};
constinit thread_local Unit unit;

constinit std::atomic<int64_t> executed_so_far = 0;
static_assert(std::atomic<int64_t>::is_always_lock_free);

// What comes of an instruction: a signal of Linux for each fault.
enum class Outcome { done, undefined /* #UD */, protection /* #GP */ };

// Registers of the interrupted code by the number that encodings have for them.
constexpr int kNumbered[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                             REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                             REG_R12, REG_R13, REG_R14, REG_R15};

// The fields of one instruction, read byte by byte: no further than its end, where memory may end.
class Instruction {
 public:
  explicit Instruction(const gregset_t& registers)
      : registers_(registers), at_(static_cast<uint64_t>(registers[REG_RIP])) {
    known_ = read<uint8_t>() == 0xc4;  // what opens a VEX prefix of three bytes
    if (known_) read_fields();
  }

  // Of a VEX prefix of 128 bits with W = 0 and opcodes 0F 38, and no register beyond the eighth.
  bool known() const { return known_; }
  int opcode() const { return opcode_; }
  int prefix() const { return prefix_; }  // 0, or 1, 2, 3 for 66, F3, F2
  bool in_memory() const { return mode_ != 3; }
  bool has_stride() const { return in_memory() && low_ == 4; }  // named in a SIB byte

  // Register operands, as the manual calls the fields that hold them.
  int reg() const { return reg_; }
  int rm() const { return low_; }
  int vvvv() const { return vvvv_; }
  bool without_vvvv() const { return vvvv_ == 0; }  // whose bits are inverted

  // The memory operand: base + displacement, and index times scale.
  uint64_t base() const { return base_; }
  uint64_t index() const { return index_; }
  uint64_t end() const { return at_; }

 private:
  template <typename T>
  T read() {
    T value;
    std::memcpy(&value, reinterpret_cast<const void*>(at_), sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  uint64_t value_of(int number) const {
    return static_cast<uint64_t>(registers_[kNumbered[number]]);
  }

  void read_fields() {
    const int first = read<uint8_t>() ^ 0xe0;   // R, X, B inverted, then the map of opcodes
    const int second = read<uint8_t>() ^ 0x78;  // W, vvvv inverted, L, pp
    known_ = (first & 0x9f) == 2 && (second & 0x84) == 0;
    if (!known_) return;
    vvvv_ = second >> 3 & 15;
    prefix_ = second & 3;
    opcode_ = read<uint8_t>();
    const int modrm = read<uint8_t>();
    mode_ = modrm >> 6;
    reg_ = modrm >> 3 & 7;
    low_ = modrm & 7;
    const int b = (first & 0x20) >> 2;
    if (in_memory()) return read_address(b, (first & 0x40) >> 3);
    known_ = b == 0 && vvvv_ < kTiles;
  }

  void read_address(int b, int x) {
    int base = low_;
    if (low_ == 4) {
      const int sib = read<uint8_t>();
      base = sib & 7;
      const int index = (sib >> 3 & 7) + x;
      if (index != 4) index_ = value_of(index) << (sib >> 6);
    }
    // Without a displacement the fifth register means that there is one, but no register; without
    // a SIB byte it is relative to the next instruction.
    const bool none = base == 5 && mode_ == 0;
    if (!none) base_ = value_of(base + b);
    if (mode_ == 1) base_ += static_cast<uint64_t>(read<int8_t>());
    if (mode_ == 2 || none) base_ += static_cast<uint64_t>(read<int32_t>());
    if (none && low_ == 5) base_ += at_;
  }

  const gregset_t& registers_;
  uint64_t at_;
  bool known_ = false;
  int opcode_ = 0, prefix_ = 0, mode_ = 0, reg_ = 0, low_ = 0, vvvv_ = 0;
  uint64_t base_ = 0, index_ = 0;
};

bool all_zero(const void* from, size_t bytes) {
  const auto* at = static_cast<const uint8_t*>(from);
  return std::all_of(at, at + bytes, [](uint8_t x) { return x == 0; });
}

Outcome configure(uint64_t from) {
  TileConfig config;
  std::memcpy(&config, reinterpret_cast<const void*>(from), sizeof(config));
  if (config.palette == 0) {
    unit = {};
    return Outcome::done;
  }
  if (config.palette != 1 || !all_zero(config.reserved, sizeof(config.reserved)) ||
      !all_zero(config.row_bytes + kTiles, sizeof(config.row_bytes) / 2) ||
      !all_zero(config.rows + kTiles, sizeof(config.rows) / 2))
    return Outcome::protection;
  for (int t = 0; t < kTiles; ++t) {
    const bool fits = config.rows[t] <= kTileRows && config.row_bytes[t] <= kTileBytes;
    if (!fits || (config.rows[t] == 0) != (config.row_bytes[t] == 0)) return Outcome::protection;
  }
  // Loads that go on where a fault stopped them are not known here.
  if (config.start_row != 0) return Outcome::undefined;
  unit = {.config = config};
  return Outcome::done;
}

bool usable(int tile) {
  return unit.config.palette == 1 && unit.config.rows[tile] > 0;
}

Outcome zero(int tile) {
  if (!usable(tile)) return Outcome::undefined;
  unit.tiles[tile] = {};
  return Outcome::done;
}

Outcome load(int tile, uint64_t from, uint64_t stride) {
  if (!usable(tile)) return Outcome::undefined;
  unit.tiles[tile] = {};
  for (uint64_t r = 0; r < unit.config.rows[tile]; ++r)
    std::memcpy(unit.tiles[tile].word[r], reinterpret_cast<const void*>(from + r * stride),
                unit.config.row_bytes[tile]);
  return Outcome::done;
}

Outcome store(int tile, uint64_t to, uint64_t stride) {
  if (!usable(tile)) return Outcome::undefined;
  for (uint64_t r = 0; r < unit.config.rows[tile]; ++r)
    std::memcpy(reinterpret_cast<void*>(to + r * stride), unit.tiles[tile].word[r],
                unit.config.row_bytes[tile]);
  return Outcome::done;
}

// The arithmetic is that of the unit in plain C++, whose own tests have it from the manual.
Outcome dot(int c, int a, int b) {
  const auto& rows = unit.config.rows;
  const auto& bytes = unit.config.row_bytes;
  if (!usable(c) || !usable(a) || !usable(b) || c == a || c == b || a == b)
    return Outcome::undefined;
  if (bytes[c] % 4 != 0 || bytes[a] % 4 != 0 || bytes[b] % 4 != 0) return Outcome::undefined;
  if (rows[c] != rows[a] || bytes[c] != bytes[b] || bytes[a] / 4 != rows[b])
    return Outcome::undefined;
  cpu::add_tile_product(unit.tiles[c], unit.tiles[a], unit.tiles[b], rows[c], bytes[c] / 4,
                        rows[b]);
  return Outcome::done;
}

Outcome execute(const Instruction& i) {
  constexpr int kNone = 0, kF3 = 2, kF2 = 3;
  if (!i.known()) return Outcome::undefined;
  const int what = i.opcode() << 8 | i.prefix();
  if (what == (0x5c << 8 | kF3))
    return i.in_memory() ? Outcome::undefined : dot(i.reg(), i.rm(), i.vvvv());
  if (!i.without_vvvv()) return Outcome::undefined;
  switch (what) {
    case 0x49 << 8 | kNone:
      if (i.reg() != 0) return Outcome::undefined;
      if (i.in_memory()) return configure(i.base() + i.index());
      if (i.rm() != 0) return Outcome::undefined;
      unit = {};
      return Outcome::done;
    case 0x49 << 8 | kF2:
      return i.in_memory() || i.rm() != 0 ? Outcome::undefined : zero(i.reg());
    case 0x4b << 8 | kF2:
      return i.has_stride() ? load(i.reg(), i.base(), i.index()) : Outcome::undefined;
    case 0x4b << 8 | kF3:
      return i.has_stride() ? store(i.reg(), i.base(), i.index()) : Outcome::undefined;
    default:
      return Outcome::undefined;
  }
}

void on_illegal_instruction(int, siginfo_t*, void* context) {
  gregset_t& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const Instruction instruction(registers);
  switch (execute(instruction)) {
    case Outcome::done:
      registers[REG_RIP] = static_cast<greg_t>(instruction.end());
      executed_so_far.fetch_add(1, std::memory_order_relaxed);
      return;
    case Outcome::protection:
      std::signal(SIGSEGV, SIG_DFL);
      std::raise(SIGSEGV);
      return;
    case Outcome::undefined:
      std::signal(SIGILL, SIG_DFL);  // and the instruction once more
      return;
  }
}

}  // namespace

TrappedTiles::TrappedTiles() {
  struct sigaction action {};
  action.sa_sigaction = on_illegal_instruction;
  action.sa_flags = SA_SIGINFO;
  check(sigaction(SIGILL, &action, &before_) == 0, "cannot handle SIGILL");
}

TrappedTiles::~TrappedTiles() {
  sigaction(SIGILL, &before_, nullptr);
}

int64_t TrappedTiles::executed() {
  return executed_so_far;
}

}  // namespace grimace::testing
