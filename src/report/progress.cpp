// The words of the progress line, and when it appears.
#include "kilobragg/report/progress.hpp"

#include "kilobragg/core/log.hpp"
#include "kilobragg/report/number_text.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace kilobragg::report {
namespace {

/// In plain spaces, which every terminal has.
std::string grouped(std::int64_t number) { return with_spaces(number, " "); }

/// As long as a run can be foreseen: from 100 s on in minutes.
std::string eta(double seconds) {
  const double unit = seconds < 99.5 ? 1 : 60;
  return duration_text(std::max(1.0, unit * std::round(seconds / unit)));
}

std::string per_second(double rate) {
  if (rate >= 999.5) return grouped(std::llround(rate)) + "/s";
  return fmt::format("{:.{}f}/s", rate, rate >= 9.995 ? 1 : 2);
}

/// Percentages are cut, not rounded: 100 % means all.
std::string percent(std::int64_t part, std::int64_t whole) {
  return fmt::format("{}.{} %", 100 * part / whole, 1000 * part / whole % 10);
}

int terminal_columns() {
  winsize size{};
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

bool can_redraw() {
  // OpenMPI gives ranks a terminal of its own, whatever the output goes to in the end.
  if (std::getenv("OMPI_COMM_WORLD_RANK")) return false;
  const char* terminal = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && terminal && std::string(terminal) != "dumb";
}

constexpr const char* clear_line = "\r\033[K";

} // namespace

void RollingRate::add(double now, std::int64_t done) {
  // One moment in a sixtieth of the window is kept, and the newest.
  const bool replaces =
      moments_.size() > 1 && now - moments_[moments_.size() - 2].time < window_ / 60;
  if (replaces) moments_.pop_back();
  moments_.push_back({now, done});
  while (moments_.size() > 2 && now - moments_[1].time >= window_) moments_.pop_front();
}

std::optional<double> RollingRate::per_second() const {
  if (moments_.size() < 2 || moments_.back().time <= moments_.front().time) return std::nullopt;
  return static_cast<double>(moments_.back().done - moments_.front().done) /
         (moments_.back().time - moments_.front().time);
}

std::string progress_line(const ProgressState& state) {
  std::string text = fmt::format("{} of {}{} images", grouped(state.done), grouped(state.known),
                                 state.growing ? "+" : "");
  if (!state.growing && state.known > 0)
    text += fmt::format(" ({})", percent(state.done, state.known));
  if (state.rate) text += "  " + per_second(*state.rate);
  if (state.done > 0) text += "  hits " + percent(state.hits, state.done);
  if (state.hits > 0) text += "  indexed " + percent(state.indexed, state.hits);
  const std::int64_t left = state.known - state.done;
  if (!state.growing && state.rate && *state.rate > 0 && left > 0)
    text += "  ETA " + eta(static_cast<double>(left) / *state.rate);
  return text;
}

ProgressSetup console_progress() {
  ProgressSetup setup;
  setup.terminal = can_redraw();
  setup.columns = terminal_columns;
  if (setup.terminal)
    setup.write = [](const std::string& text) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
    };
  else
    setup.write = [](const std::string& line) {
      core::log_info("{}", line);
      core::flush_log();
    };
  return setup;
}

Progress::Progress(ProgressSetup setup, double now, std::int64_t done_before)
    : setup_(std::move(setup))
    , next_(now + (setup_.terminal ? setup_.redraw : setup_.first_after)) {
  rate_.add(now, done_before);
}

void Progress::update(const RunSummary& totals, std::int64_t known, bool growing, double now) {
  rate_.add(now, totals.stills);
  if (now < next_) return;
  next_ = now + (setup_.terminal ? setup_.redraw : setup_.interval);
  draw(progress_line({.done = totals.stills,
                      .hits = totals.hits(),
                      .indexed = totals.indexed(),
                      .known = known,
                      .growing = growing,
                      .rate = rate_.per_second()}));
}

void Progress::draw(const std::string& line) {
  if (!setup_.terminal) return setup_.write(line);
  // In the last column some terminals wrap at once, and a wrapped line cannot be cleared.
  const auto width = static_cast<std::size_t>(std::max(setup_.columns() - 1, 0));
  setup_.write(clear_line + line.substr(0, width));
  drawn_ = true;
}

void Progress::erase() {
  if (!drawn_) return;
  setup_.write(clear_line);
  drawn_ = false;
}

} // namespace kilobragg::report
