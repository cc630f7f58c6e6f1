// What stages hand on: spots, indexed spots, integrated reflections; flags as DIALS numbers them.
#pragma once

#include "kernels/geometry/vec3.hpp"

#include "kilobragg/models/detector.hpp"
#include "kilobragg/models/symmetry.hpp"

#include <cstdint>
#include <vector>

namespace kilobragg::models {

/// Bits of the column `flags` in .refl files (dials.array_family.flex).
enum Flag : std::uint64_t {
  flag_predicted = 1u << 0,
  flag_observed = 1u << 1,
  flag_indexed = 1u << 2,
  flag_used_in_refinement = 1u << 3,
  flag_strong = 1u << 5,
  flag_reference_spot = 1u << 6,
  flag_dont_integrate = 1u << 7,
  flag_integrated_sum = 1u << 8,
  flag_overloaded = 1u << 10,
  flag_foreground_includes_bad_pixels = 1u << 14,
  flag_background_includes_bad_pixels = 1u << 15,
  flag_centroid_outlier = 1u << 17,
  flag_failed_during_background_modelling = 1u << 18,
  flag_failed_during_summation = 1u << 19,
};

/// Half-open box in panel pixels.
struct PixelBox {
  int x0 = 0, x1 = 0, y0 = 0, y1 = 0;
  int width() const { return x1 - x0; }
  int height() const { return y1 - y0; }
};

/// One strong pixel of a spot's shoebox, in panel coordinates, value as corrected by gain.
struct StrongPixel {
  std::int32_t x, y;
  float value;
};

/// A strong spot. Pixel convention as in DIALS: pixel i covers [i, i+1), its centre is i + 0.5.
struct Spot {
  int panel = 0;
  PixelBox box;
  PanelPoint px;          ///< centroid, no background subtracted
  PanelPoint px_variance; ///< px^2
  double intensity = 0;   ///< sum of the strong pixels
  double variance = 0;
  std::uint64_t flags = flag_strong;
  std::uint32_t first_pixel = 0, pixel_count = 0; ///< its pixels in SpotList::pixels
  // Set by map_spots():
  PanelPoint mm, mm_variance; ///< mm, mm^2
  Vec3 s1;                    ///< diffracted vector, length 1/wavelength (1/angstrom)
  Vec3 rlp;                   ///< s1 - s0 (1/angstrom)
};

struct SpotList {
  std::vector<Spot> spots; ///< by panel, then raster order of the first pixel
  std::vector<StrongPixel> pixels;
  std::size_t size() const { return spots.size(); }
};

/// A spot with its index in one lattice and where the refined model puts it.
struct IndexedSpot {
  std::uint32_t spot = 0; ///< position in the SpotList
  Miller hkl;
  PanelPoint px_cal, mm_cal;
  Vec3 s1_cal;
  double delta_psi = 0;    ///< rotation needed to reach the Ewald sphere (rad)
  std::uint64_t flags = 0; ///< of Flag; indexed, used_in_refinement, centroid_outlier
};

/// A predicted and summed reflection; columns and units of DIALS's integrated.refl.
struct IntegratedReflection {
  Miller hkl;
  int panel = 0;
  PixelBox box;
  std::uint64_t flags = 0;
  bool entering = false;
  Vec3 s1;
  PanelPoint px_cal, mm_cal;
  PanelPoint px_obs, px_variance, mm_obs, mm_variance; ///< foreground centroid
  double delta_psi = 0;                                ///< rad
  double d = 0;                                        ///< angstrom
  double partiality = 1;
  double intensity = 0, variance = 0;
  double background_mean = 0, background_sum = 0, background_variance = 0;
  double background_dispersion = 0, background_mse = 0;
  int n_foreground = 0, n_background = 0, n_background_used = 0, n_valid = 0;
};

} // namespace kilobragg::models
