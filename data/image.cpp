// Drawing on plain RGB pictures, composing grids of them, and writing PNG files.
#include "data/image.h"

#include <algorithm>
#include <cctype>

#include "ir/error.h"
#include "runtime/atomic_file.h"

namespace grimace {
namespace {

constexpr int kMaxSide = 16384;
constexpr int kGlyphWidth = 5;
constexpr int kGlyphHeight = 7;
constexpr int kMargin = 6;
constexpr int kTextScale = 2;
constexpr Rgb kPaper{255, 255, 255};
constexpr Rgb kInk{40, 40, 40};

// A 5 x 7 letter: seven rows, top first; in a row bit 4 is the leftmost dot.
struct Glyph {
  char letter;
  std::array<uint8_t, kGlyphHeight> rows;
};

constexpr Glyph kFont[] = {
    {'0', {14, 17, 19, 21, 25, 17, 14}}, {'1', {4, 12, 4, 4, 4, 4, 14}},
    {'2', {14, 17, 1, 2, 4, 8, 31}},     {'3', {31, 2, 4, 2, 1, 17, 14}},
    {'4', {2, 6, 10, 18, 31, 2, 2}},     {'5', {31, 16, 30, 1, 1, 17, 14}},
    {'6', {6, 8, 16, 30, 17, 17, 14}},   {'7', {31, 1, 2, 4, 8, 8, 8}},
    {'8', {14, 17, 17, 14, 17, 17, 14}}, {'9', {14, 17, 17, 15, 1, 2, 12}},
    {'A', {14, 17, 17, 31, 17, 17, 17}}, {'B', {30, 17, 17, 30, 17, 17, 30}},
    {'C', {14, 17, 16, 16, 16, 17, 14}}, {'D', {30, 17, 17, 17, 17, 17, 30}},
    {'E', {31, 16, 16, 30, 16, 16, 31}}, {'F', {31, 16, 16, 30, 16, 16, 16}},
    {'G', {14, 17, 16, 23, 17, 17, 15}}, {'H', {17, 17, 17, 31, 17, 17, 17}},
    {'I', {14, 4, 4, 4, 4, 4, 14}},      {'J', {7, 2, 2, 2, 2, 18, 12}},
    {'K', {17, 18, 20, 24, 20, 18, 17}}, {'L', {16, 16, 16, 16, 16, 16, 31}},
    {'M', {17, 27, 21, 21, 17, 17, 17}}, {'N', {17, 17, 25, 21, 19, 17, 17}},
    {'O', {14, 17, 17, 17, 17, 17, 14}}, {'P', {30, 17, 17, 30, 16, 16, 16}},
    {'Q', {14, 17, 17, 17, 21, 18, 13}}, {'R', {30, 17, 17, 30, 20, 18, 17}},
    {'S', {15, 16, 16, 14, 1, 1, 30}},   {'T', {31, 4, 4, 4, 4, 4, 4}},
    {'U', {17, 17, 17, 17, 17, 17, 14}}, {'V', {17, 17, 17, 17, 17, 10, 4}},
    {'W', {17, 17, 17, 21, 21, 27, 17}}, {'X', {17, 17, 10, 4, 10, 17, 17}},
    {'Y', {17, 17, 10, 4, 4, 4, 4}},     {'Z', {31, 1, 2, 4, 8, 16, 31}},
    {'-', {0, 0, 0, 14, 0, 0, 0}},       {'.', {0, 0, 0, 0, 0, 12, 12}},
    {':', {0, 12, 12, 0, 12, 12, 0}},    {'%', {24, 25, 2, 4, 8, 19, 3}},
};

std::array<uint8_t, kGlyphHeight> glyph_rows(char ch) {
  const char upper = static_cast<char>(std::toupper(static_cast<unsigned char>(ch)));
  for (const Glyph& glyph : kFont)
    if (glyph.letter == upper) return glyph.rows;
  return {};
}

void fill(Image& canvas, int x, int y, int width, int height, Rgb colour) {
  for (int row = std::max(0, y); row < std::min(canvas.height, y + height); ++row)
    for (int col = std::max(0, x); col < std::min(canvas.width, x + width); ++col)
      std::copy(colour.begin(), colour.end(),
                canvas.rgb.begin() + (static_cast<ptrdiff_t>(row) * canvas.width + col) * 3);
}

void check_sides(int width, int height) {
  check(width >= 1 && height >= 1 && width <= kMaxSide && height <= kMaxSide,
        "image: sides must be in 1..", kMaxSide, "; got ", width, " x ", height);
}

void check_sizes(const Image& image) {
  check_sides(image.width, image.height);
  internal_check(image.rgb.size() == static_cast<size_t>(image.width) * image.height * 3,
                 "an image of ", image.width, " x ", image.height, " has ", image.rgb.size(),
                 " bytes");
}

}  // namespace

Image make_image(int width, int height, Rgb colour) {
  check_sides(width, height);
  Image image{width, height, std::vector<uint8_t>(static_cast<size_t>(width) * height * 3)};
  fill(image, 0, 0, width, height, colour);
  return image;
}

void write_png(const std::filesystem::path& path, const Image& image) {
  ensure_writable_place(path);
  const std::vector<uint8_t> bytes = encode_png(image);
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(bytes)));
  file.commit();
}

void paste(Image& canvas, const Image& tile, int x, int y) {
  const int first = std::max(0, -x);
  const int last = std::min(tile.width, canvas.width - x);
  if (first >= last) return;
  for (int row = std::max(0, -y); row < std::min(tile.height, canvas.height - y); ++row)
    std::copy_n(
        tile.rgb.data() + (static_cast<ptrdiff_t>(row) * tile.width + first) * 3,
        static_cast<size_t>(last - first) * 3,
        canvas.rgb.data() + ((static_cast<ptrdiff_t>(row) + y) * canvas.width + x + first) * 3);
}

void draw_text(Image& canvas, std::string_view text, int x, int y, int scale, Rgb colour) {
  for (const char ch : text) {
    const auto rows = glyph_rows(ch);
    for (int row = 0; row < kGlyphHeight; ++row)
      for (int col = 0; col < kGlyphWidth; ++col)
        if ((rows[row] >> (kGlyphWidth - 1 - col)) & 1)
          fill(canvas, x + col * scale, y + row * scale, scale, scale, colour);
    x += (kGlyphWidth + 1) * scale;
  }
}

int text_width(std::string_view text, int scale) {
  return static_cast<int>(text.size()) * (kGlyphWidth + 1) * scale;
}

Image compose_grid(const std::vector<GridRow>& rows, const std::vector<std::string>& columns) {
  check(!rows.empty() && !rows[0].tiles.empty(), "picture grid: there is no tile to show");
  const int tile_width = rows[0].tiles[0].width;
  const int tile_height = rows[0].tiles[0].height;
  size_t across = 0;
  int label_width = 0;
  for (const GridRow& row : rows) {
    across = std::max(across, row.tiles.size());
    if (!row.label.empty())
      label_width = std::max(label_width, text_width(row.label, kTextScale) + kMargin);
    for (const Image& tile : row.tiles) {
      check_sizes(tile);
      check(tile.width == tile_width && tile.height == tile_height, "picture grid: row '",
            row.label, "' has a tile of ", tile.width, " x ", tile.height, "; expected ",
            tile_width, " x ", tile_height);
    }
  }
  const int text_height = kGlyphHeight * kTextScale;
  const int head = columns.empty() ? 0 : text_height + kMargin;
  const int step_x = tile_width + kMargin;
  const int step_y = tile_height + kMargin;
  const int64_t width = kMargin + label_width + static_cast<int64_t>(across) * step_x;
  const int64_t height = kMargin + head + static_cast<int64_t>(rows.size()) * step_y;
  check(width <= kMaxSide && height <= kMaxSide, "picture grid: ", width, " x ", height,
        " pixels is too large; show fewer or smaller tiles");
  Image canvas = make_image(static_cast<int>(width), static_cast<int>(height), kPaper);
  const auto column_x = [&](size_t c) {
    return kMargin + label_width + static_cast<int>(c) * step_x;
  };
  for (size_t c = 0; c < std::min(columns.size(), across); ++c)
    draw_text(canvas, columns[c], column_x(c), kMargin, kTextScale, kInk);
  for (size_t r = 0; r < rows.size(); ++r) {
    const int y = kMargin + head + static_cast<int>(r) * step_y;
    draw_text(canvas, rows[r].label, kMargin, y + (tile_height - text_height) / 2, kTextScale,
              kInk);
    for (size_t c = 0; c < rows[r].tiles.size(); ++c)
      paste(canvas, rows[r].tiles[c], column_x(c), y);
  }
  return canvas;
}

}  // namespace grimace
