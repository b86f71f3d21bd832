#include "tools/report_charts.h"

#include <algorithm>
#include <cmath>

#include "ir/error.h"

namespace grimace {
namespace {

constexpr size_t kMostPoints = 400;  // of a curve on paper
constexpr double kWidth = 560, kHeight = 240, kLeft = 52, kRight = 14, kTop = 12, kBottom = 34;
constexpr double kTimelineWidth = 1120, kBand = 22;
constexpr size_t kColours = 8;

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

// 12.5 as "12.5", 3000 as "3000".
std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

// With as many decimals as tell one step from the next.
std::string tick_text(double value, double step) {
  const int decimals = static_cast<int>(std::clamp(std::ceil(-std::log10(step) - 1e-9), 0.0, 9.0));
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", decimals, std::abs(value) < step / 100 ? 0.0 : value);
  return text;
}

// A linear scale with round steps.
struct Axis {
  double low = 0.0, high = 1.0, step = 1.0;
  double from = 0.0, to = 1.0;  // where low and high are drawn

  static Axis over(double least, double most, int ticks, double from, double to) {
    const double size = std::max(std::abs(least), std::abs(most));
    if (most - least < 1e-12 * std::max(1.0, size)) most = least + std::max(1.0, 1e-9 * size);
    const double rough = (most - least) / ticks;
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    double step = 10 * power;
    for (const double factor : {5.0, 2.0, 1.0})
      if (factor * power >= rough) step = factor * power;
    return {std::floor(least / step) * step, std::ceil(most / step) * step, step, from, to};
  }
  double place(double value) const { return from + (value - low) / (high - low) * (to - from); }
  // The round numbers from low to high, counted: `+= step` may be lost in rounding.
  std::vector<double> ticks() const {
    std::vector<double> result;
    const double first = std::ceil(low / step - 1e-3) * step;
    for (int i = 0; i <= 40 && first + i * step <= high + 0.001 * step; ++i)
      result.push_back(first + i * step);
    return result;
  }
};

std::string text_at(double x, double y, const std::string& anchor, const std::string& text) {
  return cat("<text x=\"", number(x), "\" y=\"", number(y), "\" text-anchor=\"", anchor, "\">",
             text, "</text>");
}

std::string rule(double x1, double y1, double x2, double y2) {
  return cat("<line class=\"grid\" x1=\"", number(x1), "\" y1=\"", number(y1), "\" x2=\"",
             number(x2), "\" y2=\"", number(y2), "\"/>");
}

std::string polyline(const std::vector<CurvePoint>& points, const Axis& x, const Axis& y,
                     const std::string& colour) {
  std::string text = cat("<polyline fill=\"none\" stroke=\"", colour,
                         "\" stroke-width=\"1.8\" stroke-linejoin=\"round\" points=\"");
  for (const CurvePoint& point : points)
    text += cat(number(x.place(point[0])), ",", number(y.place(point[1])), " ");
  return text + "\"/>";
}

// Means of equal stretches of a long curve.
std::vector<CurvePoint> thinned(const std::vector<CurvePoint>& points) {
  if (points.size() <= kMostPoints) return points;
  std::vector<CurvePoint> result;
  for (size_t part = 0; part < kMostPoints; ++part) {
    const size_t begin = part * points.size() / kMostPoints;
    const size_t end = (part + 1) * points.size() / kMostPoints;
    CurvePoint mean{};
    for (size_t i = begin; i < end; ++i)
      for (size_t d = 0; d < 2; ++d) mean[d] += points[i][d] / static_cast<double>(end - begin);
    result.push_back(mean);
  }
  return result;
}

// A line for each expression, in one pass over the rows; it breaks where no face was seen.
std::string expression_lines(const Timeline& timeline, size_t expressions, const Axis& x,
                             const Axis& y) {
  struct Line {
    std::vector<CurvePoint> stretch;
    size_t next = 0;  // row that would continue it
    std::string svg;
  };
  std::vector<Line> lines(expressions);
  const auto draw = [&](size_t number) {
    Line& line = lines[number];
    if (!line.stretch.empty())
      line.svg += polyline(thinned(line.stretch), x, y, series_colour(number));
    line.stretch.clear();
  };
  for (size_t i = 0; i < timeline.rows.size(); ++i) {
    const TimelineRow& row = timeline.rows[i];
    for (const auto& [number, probability] : row.probabilities) {
      if (lines[number].next != i) draw(number);
      lines[number].next = i + 1;
      lines[number].stretch.push_back({(row.start + row.end) / 2, probability});
    }
  }
  std::string svg;
  for (size_t number = 0; number < expressions; ++number) {
    draw(number);
    svg += lines[number].svg;
  }
  return svg;
}

std::string svg_open(double width, double height, const std::string& label) {
  return cat("<svg viewBox=\"0 0 ", short_number(width), " ", short_number(height),
             "\" role=\"img\" aria-label=\"", html_escape(label), "\">");
}

}  // namespace

std::string html_escape(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '&')
      safe += "&amp;";
    else if (c == '<')
      safe += "&lt;";
    else if (c == '>')
      safe += "&gt;";
    else if (c == '"')
      safe += "&quot;";
    else if (c == '\'')
      safe += "&#39;";
    else
      safe += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return safe;
}

std::string series_colour(size_t number) {
  return cat("var(--c", number % kColours, ")");
}

std::string line_chart(const std::vector<Curve>& curves, const std::string& x_name,
                       const std::string& y_unit) {
  double x_low = 1e300, x_high = -1e300, y_low = 1e300, y_high = -1e300;
  std::vector<std::vector<CurvePoint>> drawn;
  for (const Curve& curve : curves) {
    drawn.push_back(thinned(curve.points));
    for (const CurvePoint& point : drawn.back()) {
      x_low = std::min(x_low, point[0]), x_high = std::max(x_high, point[0]);
      y_low = std::min(y_low, point[1]), y_high = std::max(y_high, point[1]);
    }
  }
  if (x_high < x_low) return "";
  Axis x = Axis::over(x_low, x_high, 6, kLeft, kWidth - kRight);
  x.low = x_low, x.high = x_high > x_low ? x_high : x_low + x.step;  // the curve fills its width
  const Axis y = Axis::over(y_low, y_high, 5, kHeight - kBottom, kTop);
  std::string svg =
      svg_open(kWidth, kHeight, joined(curves, ", ", &Curve::name) + " over " + x_name);
  for (const double tick : y.ticks())
    svg +=
        rule(kLeft, y.place(tick), kWidth - kRight, y.place(tick)) +
        text_at(kLeft - 8, y.place(tick) + 4, "end", tick_text(tick, y.step) + html_escape(y_unit));
  for (const double tick : x.ticks())
    svg += text_at(x.place(tick), kHeight - kBottom + 18, "middle", tick_text(tick, x.step));
  svg += text_at(kWidth - kRight, kHeight - 2, "end", html_escape(x_name));
  for (size_t i = 0; i < drawn.size(); ++i) {
    svg += polyline(drawn[i], x, y, series_colour(i));
    if (drawn[i].size() == 1)
      svg +=
          cat("<circle r=\"3\" fill=\"", series_colour(i), "\" cx=\"",
              number(x.place(drawn[i][0][0])), "\" cy=\"", number(y.place(drawn[i][0][1])), "\"/>");
  }
  return svg + "</svg>";
}

std::string timeline_chart(const Timeline& timeline,
                           const std::map<std::string, uint32_t>& expressions) {
  double last = 0.0;
  for (const TimelineRow& row : timeline.rows) last = std::max(last, row.end);
  Axis x = Axis::over(0.0, last, 10, kLeft, kTimelineWidth - kRight);
  x.high = std::max(last, 1e-3);
  const Axis y = Axis::over(0.0, 1.0, 4, kHeight - kBottom - kBand - 8, kTop);
  std::string svg = svg_open(kTimelineWidth, kHeight, "expressions over time");
  for (const double tick : {0.0, 0.5, 1.0})
    svg += rule(kLeft, y.place(tick), kTimelineWidth - kRight, y.place(tick)) +
           text_at(kLeft - 8, y.place(tick) + 4, "end", short_number(100 * tick) + "%");
  svg += expression_lines(timeline, expressions.size(), x, y);
  const double top = kHeight - kBottom - kBand;
  for (size_t i = 0; i < timeline.rows.size(); ++i) {
    const TimelineRow& row = timeline.rows[i];
    // Windows overlap: each one is shown until the next begins.
    const double end =
        i + 1 < timeline.rows.size() ? std::min(row.end, timeline.rows[i + 1].start) : row.end;
    const auto found = expressions.find(row.label);
    const bool known = !row.label.empty() && found != expressions.end();
    svg += cat("<rect shape-rendering=\"crispEdges\" x=\"", number(x.place(row.start)), "\" y=\"",
               number(top), "\" width=\"", number(std::max(x.place(end) - x.place(row.start), 0.5)),
               "\" height=\"", number(kBand), "\" fill=\"",
               known ? series_colour(found->second) : std::string("var(--faint)"), "\"><title>",
               number(row.start), " to ", number(row.end),
               " s: ", html_escape(row.label.empty() ? "no face" : row.label), "</title></rect>");
  }
  for (const double tick : x.ticks())
    svg += text_at(x.place(tick), kHeight - kBottom + 18, "middle", tick_text(tick, x.step) + " s");
  return svg + "</svg>";
}

}  // namespace grimace
