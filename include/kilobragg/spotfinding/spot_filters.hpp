// Filters on finished spots that look at more than the spot itself: background slope and crowding.
#pragma once

#include "kilobragg/models/detector.hpp"
#include "kilobragg/models/image.hpp"
#include "kilobragg/models/reflections.hpp"

#include <vector>

namespace kilobragg::spotfinding {

/// Slope of a plane fitted to the one-pixel ring around the spot's box widened by `background_size`
/// (clipped to the panel), in counts per pixel along x and y. Only usable pixels inside the trusted
/// range count; zero where they do not determine a plane.
models::PanelPoint background_slope(const models::Image& image, const models::Panel& panel,
                                    const models::Spot& spot, int background_size);

/// For each spot, whether the density filter keeps it: positions are binned nbins x nbins over their
/// bounding box; bins fuller than the point where the cumulative histogram of bin contents levels
/// off (two successive slopes below 0.002) lose their spots.
std::vector<bool> density_filter(const models::SpotList& list, int nbins);

} // namespace kilobragg::spotfinding
