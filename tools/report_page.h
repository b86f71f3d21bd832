// The report as one HTML file that needs nothing else: charts are SVG, pictures are inside.
#pragma once

#include <string>

#include "tools/report_data.h"

namespace grimace {

std::string report_page(const ReportData& report, const std::string& title);
std::string base64(std::string_view bytes);

}  // namespace grimace
