#include "tools/embedding_files.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include "ir/error.h"
#include "tools/csv_field.h"

namespace grimace {
namespace {

constexpr int kPlot = 760;  // pixels a side
constexpr int kMargin = 24;
constexpr int kLetters = 2;  // scale of the letters
constexpr int kLine = 24;    // height of a line of the legend
constexpr size_t kMostNamed = 28;
constexpr size_t kLongestName = 22;
constexpr Rgb kPaper{255, 255, 255}, kInk{40, 40, 40}, kUnknown{170, 170, 170};
// Told apart in common kinds of colour blindness as well (Okabe and Ito), then mixtures.
constexpr Rgb kColours[] = {{0, 114, 178},  {230, 159, 0},   {0, 158, 115},   {213, 94, 0},
                            {86, 180, 233}, {204, 121, 167}, {120, 94, 40},   {90, 60, 160},
                            {150, 200, 60}, {60, 60, 60},    {230, 120, 120}, {0, 90, 80}};

// A disc with a soft edge.
void draw_dot(Image& canvas, double x, double y, double radius, Rgb colour, double opacity) {
  const auto first_row = static_cast<int>(std::floor(y - radius)) - 1;
  const auto first_column = static_cast<int>(std::floor(x - radius)) - 1;
  const auto side = static_cast<int>(2 * radius) + 4;
  for (int row = std::max(first_row, 0); row < std::min(first_row + side, canvas.height); ++row)
    for (int col = std::max(first_column, 0); col < std::min(first_column + side, canvas.width);
         ++col) {
      const double away = std::hypot(col + 0.5 - x, row + 0.5 - y);
      const double cover = opacity * std::clamp(radius + 0.5 - away, 0.0, 1.0);
      uint8_t* pixel = &canvas.rgb[(static_cast<size_t>(row) * canvas.width + col) * 3];
      for (size_t c = 0; c < 3; ++c)
        pixel[c] = static_cast<uint8_t>(std::lround(pixel[c] * (1 - cover) + colour[c] * cover));
    }
}

Rgb colour_of(size_t label) {
  return kColours[label % std::size(kColours)];
}

// The middle of the points and how far they reach from it, so that both axes have one scale.
struct Frame {
  Point centre{};
  double reach = 0.0;
};

Frame frame_of(const std::vector<Point>& points) {
  Point low = points.at(0), high = low;
  for (const Point& point : points)
    for (size_t d = 0; d < 2; ++d) {
      low[d] = std::min(low[d], point[d]);
      high[d] = std::max(high[d], point[d]);
    }
  return {{(low[0] + high[0]) / 2, (low[1] + high[1]) / 2},
          std::max({high[0] - low[0], high[1] - low[1], 1e-12}) / 2};
}

void draw_legend(Image& canvas, const std::map<std::string, size_t>& numbers, bool unknown) {
  int y = kMargin + kLine;
  const int x = kMargin + kPlot + kMargin;
  const auto line = [&](const std::string& name, Rgb colour) {
    draw_dot(canvas, x + 6, y + 7, 6, colour, 1.0);
    draw_text(canvas, name.substr(0, kLongestName), x + 20, y, kLetters, kInk);
    y += kLine;
  };
  for (const auto& [name, number] : numbers)
    if (number < kMostNamed) line(name, colour_of(number));
  if (numbers.size() > kMostNamed) line(cat(numbers.size() - kMostNamed, " more"), kPaper);
  if (unknown) line("no label", kUnknown);
}

}  // namespace

std::string npy_bytes(const Tensor& features) {
  std::string header = cat("{'descr': '<f4', 'fortran_order': False, 'shape': (",
                           features.shape()[0], ", ", features.shape()[1], "), }");
  constexpr size_t kBefore = 10;  // magic, version, length
  header.append(63 - (kBefore + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(features.data()),
               static_cast<size_t>(features.bytes()));
  return bytes;
}

std::string features_csv(const std::vector<std::string>& paths,
                         const std::vector<std::string>& labels, const Tensor& features) {
  const auto width = static_cast<size_t>(features.shape()[1]);
  std::string text = "path,label";
  for (size_t c = 0; c < width; ++c) text += cat(",f", c);
  text += "\n";
  for (size_t row = 0; row < paths.size(); ++row) {
    text += csv_field(paths[row]) + "," + csv_field(labels[row]);
    for (size_t c = 0; c < width; ++c) {
      char digits[32];
      const float value = features.as<float>()[row * width + c];
      text += ',';
      text.append(digits, std::to_chars(digits, std::end(digits), value).ptr);
    }
    text += "\n";
  }
  return text;
}

Image scatter_picture(const std::vector<Point>& points, const std::vector<std::string>& labels,
                      const std::string& title) {
  std::map<std::string, size_t> numbers;
  for (const std::string& label : std::set<std::string>(labels.begin(), labels.end()))
    if (!label.empty()) numbers.emplace(label, numbers.size());
  const bool unknown = std::ranges::count(labels, "") > 0;
  size_t longest = unknown ? 8 : 0;
  for (const auto& [name, number] : numbers) longest = std::max(longest, name.size());
  const int letters = static_cast<int>(std::min(longest, kLongestName)) * 6 * kLetters;
  const bool legend = !numbers.empty();
  Image canvas = make_image(2 * kMargin + kPlot + (legend ? kMargin + 20 + letters : 0),
                            2 * kMargin + kLine + kPlot, kPaper);
  draw_text(canvas, title, kMargin, kMargin - 8, kLetters, kInk);
  const Frame frame = frame_of(points);
  const double radius = points.size() > 1000 ? 3.0 : 5.0;
  const double scale = (kPlot / 2.0 - radius - 2) / frame.reach;
  for (size_t i = 0; i < points.size(); ++i) {
    const double x = kMargin + kPlot / 2.0 + (points[i][0] - frame.centre[0]) * scale;
    const double y = kMargin + kLine + kPlot / 2.0 - (points[i][1] - frame.centre[1]) * scale;
    const Rgb colour = labels[i].empty() ? kUnknown : colour_of(numbers.at(labels[i]));
    draw_dot(canvas, x, y, radius, colour, 0.8);
  }
  if (legend) draw_legend(canvas, numbers, unknown);
  return canvas;
}

}  // namespace grimace
