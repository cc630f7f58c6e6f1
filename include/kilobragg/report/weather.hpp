// The computational weather plot: what each rank did at each moment, and what came of it.
#pragma once

#include "kilobragg/io/png.hpp"
#include "kilobragg/models/still_result.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace kilobragg::report {

/// One image on its rank.
struct WeatherImage {
  std::int64_t number = 0; ///< of the image in the run
  int rank = 0;
  double start = 0; ///< seconds on the axis of the plot
  std::array<double, models::step_count> seconds{};
  models::ExitState state = models::ExitState::PreprocessException;

  double total() const;
};

/// Collects images into a bounded amount: up to `most_images` are kept one by one if every rank has
/// a row of its own. Otherwise only a grid is kept, of at most 1000 moments and 1024 rows (neighbouring ranks share a row if there are
/// more); each cell shows what took most of the time there, or white if that was mostly waiting.
class WeatherMap {
public:
  static constexpr int most_columns = 1000, most_rows = 1024;
  static constexpr std::int64_t most_images = 2000;

  WeatherMap() = default;
  /// `images` is how many will be added, `duration` the length of the time axis (s).
  WeatherMap(int ranks, double duration, std::int64_t images);
  void add(const WeatherImage& image);

  bool empty() const { return added_ == 0; }
  bool is_grid() const { return columns_ > 0; }
  int ranks() const { return ranks_; }
  int rows() const { return rows_; }
  int ranks_per_row() const { return ranks_per_row_; }
  double duration() const { return duration_; }
  const std::vector<WeatherImage>& images() const { return images_; } ///< unless is_grid()

  /// Share of the working ranks' time spent in steps, 0 to 1. Rank 0 of several counts if it worked.
  double busy() const;
  bool root_worked() const { return root_worked_; }
  /// The grid, rank 0 at the bottom, one picture pixel per cell, in the colours of step_keys() or
  /// outcome_keys().
  io::Picture picture_of_steps() const;
  io::Picture picture_of_outcomes() const;

private:
  void spread(std::vector<float>& cells, std::size_t kinds, std::size_t kind, int row, double from,
              double to);
  io::Picture picture(const std::vector<float>& cells,
                      const std::vector<const char*>& colours) const;
  int ranks_ = 0, rows_ = 0, ranks_per_row_ = 1, columns_ = 0;
  double duration_ = 1, busy_seconds_ = 0;
  std::int64_t added_ = 0;
  bool root_worked_ = false;
  std::vector<WeatherImage> images_;
  std::vector<float> step_cells_, outcome_cells_; ///< seconds by row, column, kind
};

/// The two plots as HTML figures; each is drawn for wide and for narrow screens. `pauses` are the
/// moments (s) at which the run was resumed.
std::string weather_figures(const WeatherMap& weather, const std::vector<double>& pauses);

} // namespace kilobragg::report
