// Charts of a report as SVG inside HTML. Colours are the page's CSS variables (--c0 to --c7,
// --line,
// --faint, --text), so that they follow its light and dark form.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tools/report_data.h"

namespace grimace {

std::string html_escape(std::string_view text);

// Curves over one x axis; long ones are averaged to what can be seen. Empty without points.
std::string line_chart(const std::vector<Curve>& curves, const std::string& x_name,
                       const std::string& y_unit = "");

// Probabilities over time, and below them a band of the expression that was most likely. The
// numbers of all expressions fix their colours across people and files.
std::string timeline_chart(const Timeline& timeline,
                           const std::map<std::string, uint32_t>& expressions);

// "var(--c3)"
std::string series_colour(size_t number);

}  // namespace grimace
