// Errors, in three kinds that the command maps to exit codes, and the checks that throw them.
// Messages are built from parts: check(a == b, "linear %h: expected ", a, ", got ", b).
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace grimace {

// The caller's mistake: wrong usage or bad input. Exit code 2.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The run failed though the input was right: disk full, no memory, non-finite loss. Exit code 1.
class RunError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Our mistake. Exit code 1; the message asks for a report.
class InternalError : public std::logic_error {
 public:
  explicit InternalError(const std::string& what)
      : std::logic_error("internal error (please report): " + what) {}
};

template <typename... Parts>
std::string cat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return std::move(out).str();
}

template <typename... Parts>
void check(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    throw Error(cat(parts...));
}

template <typename... Parts>
void internal_check(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    throw InternalError(cat(parts...));
}

}  // namespace grimace
