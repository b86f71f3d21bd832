#include "tools/table.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "ir/error.h"

namespace grimace {

Table::Table(size_t columns, std::vector<size_t> left)
    : columns_(columns), left_(std::move(left)) {}

Table::Table(std::vector<std::string> header, std::vector<size_t> left)
    : Table(header.size(), std::move(left)) {
  row(std::move(header));
  rule();
}

void Table::row(std::vector<std::string> cells) {
  internal_check(cells.size() == columns_, "a table row of ", cells.size(), " cells");
  rows_.push_back(std::move(cells));
}

void Table::rule() {
  rows_.emplace_back();
}

std::string Table::text() const {
  std::vector<size_t> widths(columns_);
  for (const auto& cells : rows_)
    for (size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], cells[i].size());
  std::string text;
  for (const auto& cells : rows_) {
    std::string line;
    for (size_t i = 0; i < widths.size(); ++i) {
      const std::string cell = cells.empty() ? std::string(widths[i], '-') : cells[i];
      const std::string padding(widths[i] - cell.size(), ' ');
      const bool left = std::ranges::find(left_, i) != left_.end();
      line += (i == 0 ? "" : "  ") + (left ? cell + padding : padding + cell);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string grouped(int64_t number) {
  std::string digits = std::to_string(number);
  const int64_t first = number < 0 ? 1 : 0;
  for (int64_t i = static_cast<int64_t>(digits.size()) - 3; i > first; i -= 3)
    digits.insert(static_cast<size_t>(i), ",");
  return digits;
}

std::string bytes_text(int64_t bytes) {
  constexpr std::array<const char*, 5> units{"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return cat(bytes, " B");
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
  return cat(fixed(value, value < 100 ? 2 : 0), " ", units[unit]);
}

std::string fixed(double number, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, number);
  return text.data();
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

}  // namespace grimace
