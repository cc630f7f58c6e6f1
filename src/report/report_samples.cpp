// Choosing bins and counting into them.
#include "report_samples.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace kilobragg::report {
namespace {

/// Edges that symmetry makes equal differ by rounding alone (angstrom).
constexpr double same_length = 1e-4;

/// As many as the sample can fill.
int bins_for(const std::vector<double>& sample) {
  return static_cast<int>(std::clamp(1.5 * std::sqrt(double(sample.size())), 8.0, 50.0));
}

Distribution distribution(std::vector<double>& sample, std::int64_t count, bool whole = false) {
  std::sort(sample.begin(), sample.end());
  Distribution result;
  result.histogram = round_histogram(sample, bins_for(sample), whole);
  if (!sample.empty()) result.spread = spread_of(sample, count);
  return result;
}

} // namespace

void ImageSamples::add(const ImageNumbers& image) {
  const Outcome outcome = outcome_of(image.state);
  if (outcome != Outcome::Failed) spots_.push_back(static_cast<double>(image.spots));
  if (is_hit(outcome)) spots_of_hits_.push_back(static_cast<double>(image.spots));
  if (is_indexed(outcome) && image.d_min) d_min_.push_back(*image.d_min);
  for (std::size_t i = 0; i < seconds_.size(); ++i)
    if (image.seconds[i] > 0) seconds_[i].push_back(image.seconds[i]);
}

void ImageSamples::choose_bins(ReportData& data) {
  Histogram bins = distribution(spots_, 0, true).histogram;
  // From zero, so that images without a spot stand where one looks for them.
  const double width = bins.width();
  bins.counts.assign(static_cast<std::size_t>(std::max(1.0, bins.hi / width)), 0);
  bins.lo = 0;
  data.spots_by_outcome.fill(bins);
  std::sort(spots_of_hits_.begin(), spots_of_hits_.end());
  if (!spots_of_hits_.empty())
    data.spots_of_hits =
        spread_of(spots_of_hits_, static_cast<std::int64_t>(spots_of_hits_.size()));
  data.d_min_spots = distribution(d_min_, static_cast<std::int64_t>(d_min_.size()));
  for (std::size_t i = 0; i < seconds_.size(); ++i) {
    std::sort(seconds_[i].begin(), seconds_[i].end());
    if (seconds_[i].empty()) continue;
    data.steps[i].median = sorted_quantile(seconds_[i], 0.5);
    data.steps[i].slowest_percent = sorted_quantile(seconds_[i], 0.99);
  }
}

void LatticeSamples::add(const LatticeNumbers& lattice) {
  for (std::size_t i = 0; i < cell_.size(); ++i) cell_[i].push_back(lattice.cell[i]);
  rmsd_px_.push_back(lattice.rmsd_px);
  if (lattice.reflections > 0) reflections_.push_back(static_cast<double>(lattice.reflections));
  if (lattice.half_mosaicity) half_mosaicity_.push_back(*lattice.half_mosaicity);
  if (lattice.d_min) d_min_.push_back(*lattice.d_min);
}

void LatticeSamples::choose_bins(std::int64_t lattices, ReportData& data) {
  for (std::size_t i = 0; i < cell_.size(); ++i) data.cell[i] = distribution(cell_[i], lattices);
  const auto size = [](const auto& sample) { return static_cast<std::int64_t>(sample.size()); };
  data.rmsd_px = distribution(rmsd_px_, lattices);
  data.reflections_per_lattice = distribution(reflections_, size(reflections_), true);
  data.half_mosaicity = distribution(half_mosaicity_, size(half_mosaicity_));
  data.d_min_reflections = distribution(d_min_, size(d_min_));
}

void count_image(const ImageNumbers& image, std::int64_t number, const RunClock& clock,
                 ReportData& data) {
  const Outcome outcome = outcome_of(image.state);
  ++data.by_state[std::size_t(image.state)];
  data.spots += image.spots;
  data.over_images.add(static_cast<double>(number), outcome);
  const auto lattices = static_cast<std::size_t>(std::clamp<std::int64_t>(image.lattices, 0, 20));
  if (data.images_by_lattices.size() <= lattices) data.images_by_lattices.resize(lattices + 1);
  ++data.images_by_lattices[lattices];
  if (outcome != Outcome::Failed)
    data.spots_by_outcome[std::size_t(outcome)].add(static_cast<double>(image.spots));
  if (is_indexed(outcome) && image.d_min) data.d_min_spots.histogram.add(*image.d_min);
  for (std::size_t i = 0; i < data.steps.size(); ++i) {
    data.steps[i].images += image.seconds[i] > 0;
    data.steps[i].total += image.seconds[i];
  }
  if (image.started <= 0) return;
  WeatherImage drawn{number, image.rank, clock.position(image.started), image.seconds, image.state};
  data.over_time.add(drawn.start + drawn.total(), outcome);
  data.weather.add(drawn);
}

void count_lattice(const LatticeNumbers& lattice, ReportData& data) {
  ++data.lattices;
  data.reflections += lattice.reflections;
  for (std::size_t i = 0; i < lattice.cell.size(); ++i) data.cell[i].histogram.add(lattice.cell[i]);
  const auto differ = [&cell = lattice.cell](std::size_t i, std::size_t j) {
    return std::abs(cell[i] - cell[j]) > same_length;
  };
  data.differing_edges[0] += differ(0, 1);
  data.differing_edges[1] += differ(0, 2);
  data.differing_edges[2] += differ(1, 2);
  data.rmsd_px.histogram.add(lattice.rmsd_px);
  if (lattice.reflections > 0)
    data.reflections_per_lattice.histogram.add(static_cast<double>(lattice.reflections));
  if (lattice.half_mosaicity) data.half_mosaicity.histogram.add(*lattice.half_mosaicity);
  if (lattice.d_min) data.d_min_reflections.histogram.add(*lattice.d_min);
}

} // namespace kilobragg::report
