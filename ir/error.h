// Errors, in three kinds that the command maps to exit codes, and the checks that throw them.
// Messages are built from parts: check(a == b, "linear %h: expected ", a, ", got ", b).
#pragma once

#include <cstdint>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

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

// The words with `between` between them, each as `shown` has it.
template <typename Words, typename Shown = std::identity>
std::string joined(const Words& words, std::string_view between, Shown shown = {}) {
  std::ostringstream out;
  std::string_view gap;
  for (const auto& word : words) {
    out << gap << std::invoke(shown, word);
    gap = between;
  }
  return std::move(out).str();
}

// "12 MiB", rounded up: so much has to be there.
inline std::string mebibytes(int64_t bytes) {
  return cat((bytes + (1 << 20) - 1) >> 20, " MiB");
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
