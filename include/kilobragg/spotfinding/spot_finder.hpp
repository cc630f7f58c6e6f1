// Strong spots of one image: threshold, connected components, centroids, filters (as DIALS).
#pragma once

#include "kilobragg/models/beam.hpp"
#include "kilobragg/models/detector.hpp"
#include "kilobragg/models/image.hpp"
#include "kilobragg/models/reflections.hpp"

#include <array>
#include <memory>
#include <optional>
#include <vector>

namespace kilobragg::spotfinding {

enum class ThresholdAlgorithm { Dispersion, DispersionExtended };

/// spotfinder.threshold.dispersion.*
struct DispersionParams {
  std::optional<double> gain;           ///< None = 1
  std::array<int, 2> kernel_size{3, 3}; ///< half widths slow, fast: the window is 2k+1
  double sigma_background = 6, sigma_strong = 3;
  int min_local = 2;
  double global_threshold = 0;
};

/// spotfinder.filter.*; options that are off by default are empty.
struct SpotFilterParams {
  std::optional<int> min_spot_size; ///< Auto = 3 if the first panel is a SENSOR_PAD, else 6
  int max_spot_size = 1000;
  double max_separation = 2; ///< px between centroid and peak pixel
  double max_strong_pixel_fraction = 0.25;
  int border = 0;
  std::optional<double> d_min, d_max;                  ///< angstrom
  std::vector<std::array<double, 2>> resolution_range; ///< excluded ranges, angstrom
  bool ice_rings = false;
  double ice_rings_width = 0.002; ///< 1/angstrom^2
  bool background_gradient_filter = false;
  int background_size = 2;
  double gradient_cutoff = 4;
  bool spot_density_filter = false;
  int nbins = 20;
};

struct SpotfinderParams {
  ThresholdAlgorithm algorithm = ThresholdAlgorithm::DispersionExtended;
  DispersionParams dispersion;
  SpotFilterParams filter;
};

/// Finds spots in images of one detector. Owns its scratch, so keep one per thread and reuse it.
class SpotFinder {
public:
  explicit SpotFinder(const SpotfinderParams& params);
  ~SpotFinder();
  SpotFinder(SpotFinder&&) noexcept;
  SpotFinder& operator=(SpotFinder&&) noexcept;

  /// Spots ordered by panel, then raster order of the first pixel; not yet mapped to mm.
  /// Throws core::Error if more than max_strong_pixel_fraction of all pixels are strong.
  models::SpotList find(const models::Image& image, const models::Detector& detector,
                        const models::Beam& beam);

private:
  struct Scratch;
  SpotfinderParams params_;
  std::unique_ptr<Scratch> scratch_;
};

} // namespace kilobragg::spotfinding
