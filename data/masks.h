// Which tokens of a clip the pre-training model does not see. Source: spec 4.1, 4.2.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "ir/philox.h"

namespace grimace {

enum class MaskType : uint8_t { tube, part_window };
enum class MaskSymmetry : uint8_t { none, global, local };
MaskType mask_type_from(std::string_view name);          // Error on an unknown name
MaskSymmetry mask_symmetry_from(std::string_view name);  // likewise

// Sizes are (time, rows, columns) in tokens.
struct MaskConfig {
  MaskType type = MaskType::part_window;
  double ratio = 0.9;                          // of masked tokens; counts truncate: int(ratio * n)
  std::array<int, 3> window{2, 5, 10};         // part_window only; its time is not used
  MaskSymmetry symmetry = MaskSymmetry::none;  // part_window only
  std::array<int, 3> grid{8, 10, 10};
  // The encoder's regions where it has them: every region must then see equally many tokens.
  std::optional<std::array<int, 3>> region = std::nullopt;
};

class MaskGenerator {
 public:
  // Error naming the numbers when nothing would be visible or masked, when windows do not tile
  // the grid, or when regions would see unequal numbers of tokens (always so with `tube`).
  explicit MaskGenerator(const MaskConfig& config);

  // One mask: a byte per token, 1 = masked, in the order time, row, column; the same in every
  // time step.
  std::vector<uint8_t> draw(PhiloxStream& random) const;

  // What draw() really produces, in tokens of a whole clip.
  int token_count() const { return config_.grid[0] * frame_tokens(); }
  int visible_count() const { return config_.grid[0] * windows() * visible_per_window_; }
  // Visible tokens in each region; InternalError without regions.
  int visible_per_region() const;

 private:
  void check_tiling() const;
  void check_regions() const;
  void draw_window(PhiloxStream& random, bool left, uint8_t* window) const;
  int frame_tokens() const { return config_.grid[1] * config_.grid[2]; }
  // tube is one window of the whole frame.
  int window_rows() const;
  int windows() const { return config_.grid[1] / window_rows(); }

  MaskConfig config_;
  int visible_per_window_ = 0;
};

}  // namespace grimace
