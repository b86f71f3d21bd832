// The program's lines on the terminal: information, warnings, and one status line (a progress bar)
// that stays below them. Thread-safe; every line reaches stderr in one piece.
#pragma once

#include <string>
#include <string_view>

namespace grimace {

void inform(std::string_view text);  // "text"
void warn(std::string_view text);    // "warning: text"

// Shows or replaces the status line, which has no line end of its own.
void show_status(std::string_view text);
// Leaves the status line, if there is one, as an ordinary line.
void end_status();

// One line of printable text: control characters, such as a file name may hide, become '?'.
// UTF-8 passes.
std::string printable(std::string_view text);

}  // namespace grimace
