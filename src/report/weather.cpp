// Keeps images or a grid of them for the weather plot.
#include "kilobragg/report/weather.hpp"

#include "kilobragg/report/outcome.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>

namespace kilobragg::report {
namespace {

std::array<std::uint8_t, 3> rgb_of(std::string_view colour) {
  const auto byte = [colour](std::size_t at) {
    return static_cast<std::uint8_t>(std::stoi(std::string(colour.substr(at, 2)), nullptr, 16));
  };
  return {byte(1), byte(3), byte(5)};
}

template <std::size_t N>
std::vector<const char*> colours_of(const std::array<Key, N>& keys) {
  std::vector<const char*> colours;
  colours.reserve(N);
  for (const Key& key : keys) colours.push_back(key.colour);
  return colours;
}

} // namespace

double WeatherImage::total() const { return std::accumulate(seconds.begin(), seconds.end(), 0.0); }

WeatherMap::WeatherMap(int ranks, double duration, std::int64_t images)
    : ranks_(std::max(ranks, 1))
    , duration_(duration > 0 ? duration : 1) {
  ranks_per_row_ = (ranks_ + most_rows - 1) / most_rows;
  rows_ = (ranks_ + ranks_per_row_ - 1) / ranks_per_row_;
  if (images <= most_images && ranks_per_row_ == 1) return;
  columns_ = most_columns;
  const std::size_t cells = static_cast<std::size_t>(rows_) * static_cast<std::size_t>(columns_);
  step_cells_.assign(cells * models::step_count, 0);
  outcome_cells_.assign(cells * outcome_count, 0);
}

void WeatherMap::add(const WeatherImage& image) {
  if (image.rank < 0 || image.rank >= ranks_) return;
  ++added_;
  busy_seconds_ += image.total();
  root_worked_ |= image.rank == 0;
  if (!is_grid()) {
    images_.push_back(image);
    return;
  }
  const int row = image.rank / ranks_per_row_;
  double at = image.start;
  for (std::size_t step = 0; step < image.seconds.size(); ++step) {
    spread(step_cells_, models::step_count, step, row, at, at + image.seconds[step]);
    at += image.seconds[step];
  }
  spread(outcome_cells_, outcome_count, static_cast<std::size_t>(outcome_of(image.state)), row,
         image.start, at);
}

void WeatherMap::spread(std::vector<float>& cells, std::size_t kinds, std::size_t kind, int row,
                        double from, double to) {
  const double width = duration_ / columns_;
  const int first = std::clamp(static_cast<int>(from / width), 0, columns_ - 1);
  const int last = std::clamp(static_cast<int>(to / width), 0, columns_ - 1);
  for (int column = first; column <= last; ++column) {
    const double overlap = std::min(to, (column + 1) * width) - std::max(from, column * width);
    const auto cell = static_cast<std::size_t>(row) * static_cast<std::size_t>(columns_) +
                      static_cast<std::size_t>(column);
    if (overlap > 0) cells[cell * kinds + kind] += static_cast<float>(overlap);
  }
}

double WeatherMap::busy() const {
  const int workers = std::max(1, root_worked_ ? ranks_ : ranks_ - 1);
  return std::min(1.0, busy_seconds_ / (duration_ * workers));
}

io::Picture WeatherMap::picture(const std::vector<float>& cells,
                                const std::vector<const char*>& colours) const {
  io::Picture picture{columns_, rows_, {}};
  picture.rgb.assign(std::size_t(3) * static_cast<std::size_t>(columns_ * rows_), 255);
  const std::size_t kinds = colours.size();
  for (int row = 0; row < rows_; ++row) {
    const int ranks_here = std::min(ranks_per_row_, ranks_ - row * ranks_per_row_);
    const double half = 0.4999 * duration_ / columns_ * ranks_here; // sums are rounded
    for (int column = 0; column < columns_; ++column) {
      const auto at = cells.begin() + (static_cast<std::ptrdiff_t>(row) * columns_ + column) *
                                          static_cast<std::ptrdiff_t>(kinds);
      const auto end = at + static_cast<std::ptrdiff_t>(kinds);
      if (std::accumulate(at, end, 0.0) < half) continue;
      const auto colour = rgb_of(colours[static_cast<std::size_t>(std::max_element(at, end) - at)]);
      const std::ptrdiff_t pixel = static_cast<std::ptrdiff_t>(rows_ - 1 - row) * columns_ + column;
      std::copy(colour.begin(), colour.end(), picture.rgb.begin() + 3 * pixel);
    }
  }
  return picture;
}

io::Picture WeatherMap::picture_of_steps() const {
  return picture(step_cells_, colours_of(step_keys()));
}

io::Picture WeatherMap::picture_of_outcomes() const {
  return picture(outcome_cells_, colours_of(outcome_keys()));
}

} // namespace kilobragg::report
