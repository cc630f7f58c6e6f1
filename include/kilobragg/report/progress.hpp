// How a run is getting on: one line that is redrawn on a terminal, or one line now and then in a log.
#pragma once

#include "kilobragg/report/run_summary.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>

namespace kilobragg::report {

/// Images per second over the last minute (or less, as long as the run is younger).
class RollingRate {
public:
  explicit RollingRate(double window = 60)
      : window_(window) {}
  /// `done` images so far at `now` (s, any origin); neither ever falls.
  void add(double now, std::int64_t done);
  /// None until two moments are known.
  std::optional<double> per_second() const;

private:
  struct Moment {
    double time;
    std::int64_t done;
  };
  double window_;
  std::deque<Moment> moments_; ///< at most some 60 in the window
};

/// What is known about a run at one moment.
struct ProgressState {
  std::int64_t done = 0, hits = 0, indexed = 0;
  std::int64_t known = 0;          ///< images to process, as far as they are known
  bool growing = false;            ///< more images are still being found
  std::optional<double> rate = {}; ///< images/s
};

/// "12 345 of 100 000 images (12.3 %)  98.2/s  hits 23.1 %  indexed 81.0 %  ETA 14 min". Indexed is
/// the part of the hits. While the number of images grows it has a "+" and there is no ETA. What
/// cannot be known yet is left out.
std::string progress_line(const ProgressState& state);

struct ProgressSetup {
  /// Redraw one line in place; otherwise print a line every `interval`.
  bool terminal = false;
  double redraw = 0.2;    ///< s between redraws at least
  double interval = 30;   ///< s between lines of a log
  double first_after = 5; ///< s until the first line of a log
  /// Columns of the terminal at this moment; lines are cut to one less.
  std::function<int()> columns = [] { return 80; };
  /// Takes text for the terminal with its control characters, or a line for the log without its end.
  std::function<void(const std::string& text)> write;
};

/// Terminal mode if standard output is one that can redraw a line (a TERM other than dumb), else
/// lines to the program's log.
ProgressSetup console_progress();

/// Shows the progress of one run. Called by one thread at a time; time comes in, so that it can be
/// tested. Call update() whenever counts change and a few times a second besides.
class Progress {
public:
  /// `done_before`: images of an earlier run that the totals hold too (resume).
  Progress(ProgressSetup setup, double now, std::int64_t done_before = 0);

  /// Shows the state if it is time to. `totals`: all reports so far.
  void update(const RunSummary& totals, std::int64_t known, bool growing, double now);
  /// Clears the line on a terminal: before anything else is printed, and at the end. The next
  /// update() draws it again.
  void erase();

private:
  void draw(const std::string& line);

  ProgressSetup setup_;
  RollingRate rate_;
  double next_;
  bool drawn_ = false;
};

} // namespace kilobragg::report
