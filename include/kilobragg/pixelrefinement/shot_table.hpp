// Refined shots as a CSV table: one row per lattice, for spreadsheets and pandas.
#pragma once

#include "kilobragg/pixelrefinement/shot_model.hpp"

#include <cstdint>
#include <limits>
#include <string>

namespace kilobragg::pixelrefinement {

/// How well the model of a shot fits its pixels.
struct ShotFit {
  double sigma_z = std::numeric_limits<double>::quiet_NaN(); ///< rms of (value - model) / sigma
  std::int64_t pixels = 0;                                   ///< that count
  std::int64_t boxes = 0;                                    ///< that are used
  int evaluations = 0;
  double f = std::numeric_limits<double>::quiet_NaN(); ///< minus the logarithm of the likelihood
};

/// The first row: identifier, image, dataset, frame, lattice, state; a, b, c (angstrom), alpha, beta, gamma
/// (deg); a11 to a33, A row by row (1/angstrom); n11, n22, n33, n12, n13, n23 (unit cells); spread_1 to
/// spread_3, mosaic spread about the columns of U (deg, standard deviation); g, b_factor (angstrom^2);
/// distance_shift (mm); wavelength_offset (angstrom), wavelength_scale; sigma_z, pixels, boxes,
/// evaluations, f, which are those of the whole shot in each of its lattices' rows.
std::string shot_table_header();

/// Rows of one shot, one per lattice, each ending in CRLF; a shot without lattices has one row with the
/// shot's identifier and state. Numbers read back to the same doubles; what is not finite is left empty. Texts
/// with commas, quotes or line breaks are quoted after RFC 4180.
std::string shot_table_rows(const ShotModel& shot, const ShotFit& fit);

} // namespace kilobragg::pixelrefinement
