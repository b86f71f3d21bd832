#include "data/masks.h"

#include <algorithm>

#include "data/random.h"
#include "ir/error.h"

namespace grimace {
namespace {

std::string text(const std::array<int, 3>& size) {
  return cat(size[0], "x", size[1], "x", size[2]);
}

}  // namespace

MaskType mask_type_from(std::string_view name) {
  if (name == "tube") return MaskType::tube;
  check(name == "part_window", "mask type '", name, "' is unknown; expected tube or part_window");
  return MaskType::part_window;
}

MaskSymmetry mask_symmetry_from(std::string_view name) {
  if (name == "none") return MaskSymmetry::none;
  if (name == "global") return MaskSymmetry::global;
  check(name == "local", "mask symmetry '", name, "' is unknown; expected none, global or local");
  return MaskSymmetry::local;
}

MaskGenerator::MaskGenerator(const MaskConfig& config) : config_(config) {
  check_tiling();
  check(config.ratio >= 0 && config.ratio <= 1, "mask ratio must be between 0 and 1; got ",
        config.ratio);
  const int tokens = window_rows() * config.grid[2];
  const int masked = static_cast<int>(config.ratio * tokens);
  visible_per_window_ = tokens - masked;
  check(visible_per_window_ > 0, "mask ratio ", config.ratio, " masks all ", tokens,
        " tokens of a window and leaves nothing visible; lower it");
  check(masked > 0, "mask ratio ", config.ratio, " masks none of the ", tokens,
        " tokens of a window; raise it");
  // Above one half, the visible tokens always fit into half a window: its width is even.
  if (config.symmetry != MaskSymmetry::none) {
    check(config.type == MaskType::part_window, "symmetric masks need the mask type part_window");
    check(config.ratio > 0.5, "symmetric masks need a mask ratio above 0.5; got ", config.ratio);
  }
  if (config.region) check_regions();
}

void MaskGenerator::check_tiling() const {
  constexpr int kMaxSide = 1024;
  for (const int side : config_.grid)
    check(side >= 1 && side <= kMaxSide, "token grid ", text(config_.grid),
          ": sides must be in 1..", kMaxSide);
  if (config_.type == MaskType::tube) return;
  const auto [window_time, rows, columns] = config_.window;
  check(rows >= 1 && config_.grid[1] % rows == 0, "mask window ", text(config_.window), ": ", rows,
        " rows do not divide the ", config_.grid[1], " rows of the token grid ",
        text(config_.grid));
  check(columns == config_.grid[2] && columns % 2 == 0, "mask window ", text(config_.window),
        ": its ", columns, " columns must be even and span the token grid ", text(config_.grid));
}

void MaskGenerator::check_regions() const {
  const auto& region = *config_.region;
  for (int axis = 0; axis < 3; ++axis)
    check(region[axis] >= 1 && config_.grid[axis] % region[axis] == 0, "region ", text(region),
          " does not tile the token grid ", text(config_.grid));
  check(config_.type == MaskType::part_window,
        "tube masks leave unequal numbers of visible tokens ",
        "in the regions of a local_global encoder; use the mask type part_window");
  check(region[2] == config_.grid[2] && region[1] % window_rows() == 0, "mask window ",
        text(config_.window), " leaves unequal numbers of visible tokens in regions of ",
        text(region), "; make the window's rows and columns those of the region");
}

int MaskGenerator::window_rows() const {
  return config_.type == MaskType::tube ? config_.grid[1] : config_.window[1];
}

int MaskGenerator::visible_per_region() const {
  internal_check(config_.region.has_value(), "visible tokens per region of an encoder without any");
  const auto& region = *config_.region;
  return region[0] * (region[1] / window_rows()) * visible_per_window_;
}

// Symmetric: the visible tokens lie in the left (or right) half of the columns.
void MaskGenerator::draw_window(PhiloxStream& random, bool left, uint8_t* window) const {
  const int rows = window_rows();
  const int columns = config_.grid[2];
  const bool halved = config_.symmetry != MaskSymmetry::none;
  const int width = halved ? columns / 2 : columns;
  const int offset = halved && !left ? width : 0;
  std::vector<uint8_t> part(static_cast<size_t>(rows) * width, 1);
  std::fill_n(part.begin(), visible_per_window_, uint8_t{0});
  shuffle(std::span(part), random);
  std::fill_n(window, rows * columns, uint8_t{1});
  for (int row = 0; row < rows; ++row)
    std::copy_n(part.begin() + ptrdiff_t{row} * width, width,
                window + ptrdiff_t{row} * columns + offset);
}

std::vector<uint8_t> MaskGenerator::draw(PhiloxStream& random) const {
  std::vector<uint8_t> mask(static_cast<size_t>(token_count()));
  bool left = config_.symmetry == MaskSymmetry::global && random.coin();
  for (int window = 0; window < windows(); ++window) {
    if (config_.symmetry == MaskSymmetry::local) left = random.coin();
    draw_window(random, left, mask.data() + ptrdiff_t{window} * window_rows() * config_.grid[2]);
  }
  for (int time = 1; time < config_.grid[0]; ++time)
    std::copy_n(mask.begin(), frame_tokens(), mask.begin() + ptrdiff_t{time} * frame_tokens());
  return mask;
}

}  // namespace grimace
