// One lock and one write per line, so that lines of several threads stay whole.
#include "runtime/log.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

namespace grimace {
namespace {

constexpr std::string_view kEraseLine = "\r\x1b[K";

std::mutex mutex;
std::string status;  // what the terminal's last line shows; empty when there is no status line

// A log that cannot be written (closed terminal, full disk) must not end the run.
void emit(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(STDERR_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void line(std::string text) {
  const std::lock_guard lock(mutex);
  if (status.empty())
    emit(text + "\n");
  else
    emit(std::string(kEraseLine) + text + "\n" + status);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return out;
}

void inform(std::string_view text) {
  line(printable(text));
}
void warn(std::string_view text) {
  line("warning: " + printable(text));
}

void show_status(std::string_view text) {
  const std::lock_guard lock(mutex);
  status = printable(text);
  emit(std::string(kEraseLine) + status);
}

void end_status() {
  const std::lock_guard lock(mutex);
  if (!status.empty()) emit("\n");
  status.clear();
}

}  // namespace grimace
