// Formatting of progress lines, and the little that prints them.
#include "runtime/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "ir/error.h"
#include "runtime/log.h"

namespace grimace {
namespace {

template <typename... Values>
std::string formatted(const char* format, Values... values) {
  char text[256];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

double fraction_done(const ProgressState& state) {
  if (state.steps <= 0) return 0.0;
  return std::clamp(static_cast<double>(state.step) / static_cast<double>(state.steps), 0.0, 1.0);
}

std::string place(const ProgressState& state) {
  return cat("epoch ", state.epoch + 1, "/", state.epochs, "  step ", state.step, "/", state.steps);
}

std::string measurements(const ProgressState& state) {
  return formatted("loss %.4f  lr %.3e  %.1f clips/s  data wait %.0f%%  ETA ", state.loss, state.lr,
                   state.clips_per_s, 100.0 * state.data_wait) +
         format_duration(state.eta_seconds);
}

ProgressMode resolve(ProgressMode mode) {
  if (mode != ProgressMode::automatic) return mode;
  return isatty(STDERR_FILENO) ? ProgressMode::bar : ProgressMode::plain;
}

int terminal_columns() {
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

}  // namespace

ProgressMode progress_mode_from(std::string_view name) {
  if (name == "auto") return ProgressMode::automatic;
  if (name == "bar") return ProgressMode::bar;
  if (name == "plain") return ProgressMode::plain;
  if (name == "json") return ProgressMode::json;
  throw Error(cat("progress must be auto, bar, plain or json; got '", name, "'"));
}

std::string format_duration(std::optional<double> seconds) {
  constexpr double kCentury = 3.2e9;
  if (!seconds || !(*seconds >= 0.0 && *seconds < kCentury)) return "?";
  const auto total = static_cast<long long>(std::llround(*seconds));
  const long long minutes = total / 60;
  const long long hours = minutes / 60;
  if (minutes == 0) return formatted("%llds", total);
  if (hours == 0) return formatted("%lldm%02llds", minutes, total % 60);
  if (hours < 24) return formatted("%lldh%02lldm", hours, minutes % 60);
  return formatted("%lldd%02lldh", hours / 24, hours % 24);
}

std::string format_bar(const ProgressState& state, int columns) {
  constexpr int kWidest = 40;
  constexpr int kNarrowest = 8;
  const std::string percent = formatted("%3.0f%%", 100.0 * fraction_done(state));
  std::string line = cat(percent, "  ", place(state), "  ", measurements(state));
  const int room = columns - 1 - static_cast<int>(line.size()) - 3;
  if (room >= kNarrowest) {
    const int width = std::min(room, kWidest);
    const int filled = static_cast<int>(fraction_done(state) * width);
    line = cat("[", std::string(filled, '#'), std::string(width - filled, '.'), "] ", line);
  }
  return line.substr(0, static_cast<size_t>(std::max(columns - 1, 0)));
}

std::string format_plain(const ProgressState& state) {
  return cat(place(state), "  ", measurements(state));
}

std::string format_json(const ProgressState& state) {
  nlohmann::ordered_json object{{"step", state.step},
                                {"steps", state.steps},
                                {"epoch", state.epoch},
                                {"epochs", state.epochs},
                                {"loss", state.loss},
                                {"lr", state.lr},
                                {"clips_per_s", state.clips_per_s},
                                {"data_wait", state.data_wait},
                                {"eta_seconds", nullptr}};
  if (state.eta_seconds) object["eta_seconds"] = *state.eta_seconds;
  return object.dump();
}

ProgressTimer::ProgressTimer(ProgressMode mode)
    : interval_(mode == ProgressMode::bar    ? 0.1
                : mode == ProgressMode::json ? 1.0
                                             : 10.0) {}

bool ProgressTimer::due(const ProgressState& state, double now_seconds) {
  const bool last_step = state.step >= state.steps;
  if (last_ && !last_step && now_seconds - *last_ < interval_) return false;
  last_ = now_seconds;
  return true;
}

std::optional<double> EtaClock::remaining(int64_t step, int64_t steps, double now_seconds) {
  if (!start_) {
    start_ = now_seconds;
    first_step_ = step;
  }
  if (step <= first_step_) return std::nullopt;
  const double per_step = (now_seconds - *start_) / static_cast<double>(step - first_step_);
  return per_step * static_cast<double>(std::max<int64_t>(steps - step, 0));
}

ProgressDisplay::ProgressDisplay(ProgressMode mode) : mode_(resolve(mode)), timer_(mode_) {}

ProgressDisplay::~ProgressDisplay() {
  if (mode_ == ProgressMode::bar) end_status();
}

void ProgressDisplay::update(ProgressState state) {
  const std::chrono::duration<double> now = std::chrono::steady_clock::now() - start_;
  state.eta_seconds = eta_.remaining(state.step, state.steps, now.count());
  if (!timer_.due(state, now.count())) return;
  if (mode_ == ProgressMode::bar)
    show_status(format_bar(state, terminal_columns()));
  else if (mode_ == ProgressMode::plain)
    inform(format_plain(state));
  else
    std::cout << format_json(state) << std::endl;
}

}  // namespace grimace
