// Counting into the report's numbers.
#include "kilobragg/report/report_data.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace kilobragg::report {

void RateBin::add(Outcome outcome) {
  ++images;
  hits += is_hit(outcome);
  indexed += is_indexed(outcome);
  integrated += outcome == Outcome::Integrated;
}

void RateBin::add(const RateBin& counts) {
  images += counts.images;
  hits += counts.hits;
  indexed += counts.indexed;
  integrated += counts.integrated;
}

RateBin& RateSeries::at(double position) {
  const double width = bins.front().to - bins.front().from;
  const double bin = std::floor((position - bins.front().from) / width);
  return bins[static_cast<std::size_t>(std::clamp(bin, 0.0, double(bins.size() - 1)))];
}

void RateSeries::add(double position, Outcome outcome) {
  if (!bins.empty()) at(position).add(outcome);
}

void RateSeries::add(double position, const RateBin& counts) {
  if (!bins.empty()) at(position).add(counts);
}

RateSeries RateSeries::over(double end, std::int64_t images, int most, int least_images) {
  const auto count = static_cast<int>(std::clamp<std::int64_t>(images / least_images, 1, most));
  RateSeries series;
  for (int i = 0; i < count; ++i)
    series.bins.push_back({end * i / count, end * (i + 1) / count, 0, 0, 0, 0});
  return series;
}

std::int64_t ReportData::images() const {
  return std::accumulate(by_state.begin(), by_state.end(), std::int64_t{0});
}

std::int64_t ReportData::count_from(Outcome least) const {
  std::int64_t count = 0;
  for (int i = 0; i < models::exit_state_count; ++i)
    if (outcome_of(static_cast<models::ExitState>(i)) >= least)
      count += by_state[static_cast<std::size_t>(i)];
  return count;
}

} // namespace kilobragg::report
