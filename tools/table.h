// Aligned text tables and numbers as people read them, for what the commands print.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace grimace {

// Columns are as wide as their widest cell; the first is left-aligned, the others right-aligned
// unless named in `left`. Two spaces between columns, none at line ends.
class Table {
 public:
  explicit Table(std::vector<std::string> header, std::vector<size_t> left = {0});
  explicit Table(size_t columns, std::vector<size_t> left = {0});  // without a header
  void row(std::vector<std::string> cells);                        // as many as the header has
  void rule();  // a line of dashes under what came so far
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // an empty one is a rule
  size_t columns_;
  std::vector<size_t> left_;
};

std::string grouped(int64_t number);    // "92,760,192"
std::string bytes_text(int64_t bytes);  // "1.25 GiB", "640 B"
std::string fixed(double number, int digits);

std::string csv_field(const std::string& text);  // quoted where it must be

}  // namespace grimace
