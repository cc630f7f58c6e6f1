// Samples that choose the bins of a report, and the count of every image and lattice into them.
#pragma once

#include "report_time.hpp"

#include "kilobragg/report/report_data.hpp"

#include <array>
#include <optional>
#include <vector>

namespace kilobragg::report {

/// What a report needs of one image.
struct ImageNumbers {
  models::ExitState state = models::ExitState::PreprocessException;
  int rank = 0;
  double started = 0; ///< Unix time, 0 = unknown
  std::array<double, models::step_count> seconds{};
  std::int64_t spots = 0, lattices = 0;
  std::optional<double> d_min;
};

/// What a report needs of one lattice.
struct LatticeNumbers {
  std::array<double, 6> cell{};
  double rmsd_px = 0;
  std::int64_t reflections = 0;
  std::optional<double> half_mosaicity, d_min;
};

class ImageSamples {
public:
  void add(const ImageNumbers& image);
  /// Empty histograms with their bins, and medians.
  void choose_bins(ReportData& data);

private:
  std::vector<double> spots_, spots_of_hits_, d_min_;
  std::array<std::vector<double>, models::step_count> seconds_;
};

class LatticeSamples {
public:
  void add(const LatticeNumbers& lattice);
  /// The same for lattices, of which there are `lattices`.
  void choose_bins(std::int64_t lattices, ReportData& data);

private:
  std::array<std::vector<double>, 6> cell_;
  std::vector<double> rmsd_px_, reflections_, half_mosaicity_, d_min_;
};

/// Counts one image, the `number`-th in the order of the inputs, into states, rates, times, weather.
void count_image(const ImageNumbers& image, std::int64_t number, const RunClock& clock,
                 ReportData& data);
void count_lattice(const LatticeNumbers& lattice, ReportData& data);

} // namespace kilobragg::report
