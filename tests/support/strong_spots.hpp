// DIALS's strong spots of a reference set (data/reference/*.strong.*.csv), as our spot finder gives them.
#pragma once

#include "support/csv_table.hpp"
#include "support/test_data.hpp"

#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/models/mapping.hpp"

#include <map>
#include <string>

namespace kilobragg::testing {

/// By frame, mapped with the geometry of `images`.
inline std::map<int, models::SpotList>
strong_spots(const std::string& set, const std::string& threshold, io::ImageReader& images) {
  const CsvTable strong =
      read_csv(test_data() / "reference" / (set + ".strong." + threshold + ".csv"));
  std::map<int, models::SpotList> spots;
  for (std::size_t i = 0; i < strong.rows; ++i) {
    models::Spot spot;
    spot.panel = static_cast<int>(strong["panel"][i]);
    spot.px = {strong["x_px"][i], strong["y_px"][i]};
    spot.px_variance = {1.0 / 12, 1.0 / 12};
    spot.intensity = strong["intensity"][i];
    spots[static_cast<int>(strong["frame"][i])].spots.push_back(spot);
  }
  for (auto& [frame, list] : spots) models::map_spots(list, *images.detector(), images.beam(frame));
  return spots;
}

} // namespace kilobragg::testing
