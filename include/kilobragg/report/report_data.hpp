// Everything that the HTML report of a run shows, as plain numbers and of bounded size.
#pragma once

#include "kilobragg/report/histogram.hpp"
#include "kilobragg/report/outcome.hpp"
#include "kilobragg/report/weather.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace kilobragg::report {

/// Counts over a stretch of time (s since the start) or of images (numbers from 0).
struct RateBin {
  double from = 0, to = 0;
  std::int64_t images = 0, hits = 0, indexed = 0, integrated = 0;

  void add(Outcome outcome);
  void add(const RateBin& counts);
};

/// Bins of equal width, filled by position.
struct RateSeries {
  std::vector<RateBin> bins;
  void add(double position, Outcome outcome);
  void add(double position, const RateBin& counts);
  /// `most` bins over [0, end], fewer if they would hold less than `least_images` on average.
  static RateSeries over(double end, std::int64_t images, int most, int least_images);

private:
  RateBin& at(double position); ///< bins is not empty
};

/// A quantity of many images or lattices.
struct Distribution {
  Histogram histogram;
  Spread spread;
};

/// Seconds of one step over the images that reached it.
struct StepTimes {
  std::int64_t images = 0;
  double total = 0, median = 0, slowest_percent = 0; ///< 99 % quantile
};

struct SlowImage {
  std::string tag, host, state;
  int rank = 0;
  double seconds = 0;
};

/// Why an image is shown.
enum class FrameKind { Best, NotIndexed, LargestRmsd };

/// An image to be shown with its spots. Either `picture` or `problem` is set once it was looked for.
struct FrameShown {
  FrameKind kind = FrameKind::Best;
  std::string tag, path, dataset, state;
  std::int64_t frame = 0;
  int rank = 0;
  std::int64_t spots = 0, reflections = 0, lattices = 0;
  double rmsd_px = 0, d_min = 0; ///< 0 = unknown
  std::string picture;           ///< an <svg> element
  std::string problem;           ///< why there is no picture
};

/// One row per start of the program.
struct SessionShown {
  std::string started, host, state, version; ///< `started` as a date, UTC
  int ranks = 0;
  double seconds = 0; ///< 0 = unknown
};

struct ReportData {
  std::string title;                             ///< usually the output folder
  std::string program, version, commit, options; ///< options as phil text
  std::string state;                             ///< of the run: running, finished, ... or empty
  std::vector<SessionShown> sessions;
  std::int64_t input_files = 0;
  std::vector<std::string> problems; ///< inputs that could not be opened, torn shards, ...

  std::int64_t inputs = 0; ///< images that the run was given; 0 = unknown
  std::array<std::int64_t, models::exit_state_count> by_state{};
  std::int64_t lattices = 0, spots = 0, reflections = 0;
  int ranks = 0;
  double seconds = 0; ///< wall time of all sessions, pauses left out; 0 = unknown

  RateSeries over_time, over_images;
  std::vector<double> pauses; ///< where on the time axis the run was resumed (s)
  WeatherMap weather;
  std::array<StepTimes, models::step_count> steps{};
  std::vector<SlowImage> slowest;

  std::array<Histogram, outcome_count> spots_by_outcome{}; ///< same bins
  Spread spots_of_hits;
  std::vector<std::int64_t> images_by_lattices; ///< index = lattices of an image
  std::array<Distribution, 6> cell{};           ///< a, b, c (angstrom), alpha, beta, gamma (deg)
  /// Lattices in which two edges differ: a and b, a and c, b and c.
  std::array<std::int64_t, 3> differing_edges{};
  std::string space_group; ///< the most frequent one
  Distribution rmsd_px, d_min_spots, d_min_reflections, reflections_per_lattice, half_mosaicity;
  std::int64_t sampled_every = 1; ///< medians and bin ranges come from every n-th lattice or image

  std::vector<FrameShown> frames;

  std::int64_t images() const;                  ///< sum of exit states
  std::int64_t count_from(Outcome least) const; ///< images that got at least so far
};

} // namespace kilobragg::report
