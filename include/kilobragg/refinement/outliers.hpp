// Spots that lie too far from their predictions (Sauter & Poon 2010).
#pragma once

#include "kilobragg/models/lattice.hpp"

#include <span>
#include <vector>

namespace kilobragg::refinement {

/// True for outliers among residual lengths (mm; J. Appl. Cryst. 43, 611): a Rayleigh distribution
/// is fitted to the smallest 40 %; from where the observed lengths lag behind it by one standard
/// deviation, all are outliers. Fewer than 4 lengths: none.
std::vector<bool> sauter_poon_outliers(std::span<const double> lengths);

/// Scale s of the Rayleigh distribution 1 - exp(-r^2 / 2 s^2) that fits the smallest 40 % of the
/// sorted lengths best (least squares on the cumulative distribution).
double rayleigh_scale(std::span<const double> sorted_lengths);

/// Sets flag_centroid_outlier on outliers of a predicted lattice. Spots that have the flag already keep
/// it and do not count, so a second round judges only the survivors of the first.
void flag_outliers(models::Lattice& lattice, const models::SpotList& spots);

} // namespace kilobragg::refinement
