// A plain RGB picture in memory, its PNG form (FFmpeg's encoder), and the composing of
// labelled picture grids for people to look at.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace grimace {

// `rgb` holds height * width * 3 bytes, rows top to bottom, R G B interleaved.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;
};

using Rgb = std::array<uint8_t, 3>;

// An image of one colour; Error where a side is not in 1..16384.
Image make_image(int width, int height, Rgb colour);

// The PNG file's bytes (FFmpeg's encoder, in video_png.cpp); the same image gives the same bytes
// with the same FFmpeg.
std::vector<uint8_t> encode_png(const Image& image);

// Writes a PNG whole or not at all. Error when no file can be made there.
void write_png(const std::filesystem::path& path, const Image& image);

// Copies `tile` into `canvas` with its top left corner at (x, y); parts outside are cut off.
void paste(Image& canvas, const Image& tile, int x, int y);

// Draws `text` in a built-in 5 x 7 font enlarged `scale` times, one letter each 6 * scale pixels.
// Lower case is drawn as upper case; an unknown character as a blank.
void draw_text(Image& canvas, std::string_view text, int x, int y, int scale, Rgb colour);
int text_width(std::string_view text, int scale);

// One row of a grid: a label left of tiles of one size.
struct GridRow {
  std::string label;
  std::vector<Image> tiles;
};

// Rows of equally sized tiles with margins, a label left of each row and, where given, a label
// above each column. Error where tiles differ in size or there are none.
Image compose_grid(const std::vector<GridRow>& rows, const std::vector<std::string>& columns);

}  // namespace grimace
