// Observations of many lattices as merge holds them, and how integrated reflections become them.
#pragma once

#include "kilobragg/models/experiment.hpp"
#include "kilobragg/models/symmetry.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace kilobragg::merging {

/// An index of the asymmetric unit in eight bytes. `minus` tells I(-) from I(+) where Bijvoet mates
/// are kept apart; it is 0 for centric indices and where they are merged.
struct AsuIndex {
  std::int16_t h = 0, k = 0, l = 0, minus = 0;
  friend auto operator<=>(const AsuIndex&, const AsuIndex&) = default;
  models::Miller miller() const { return {h, k, l}; }
};

/// The lattice of one shot. Its observations are [begin, end) of the Observations beside it.
struct LatticeRecord {
  std::string identifier;
  models::UnitCell cell;
  models::SpaceGroup space_group;
  double wavelength = 0; ///< angstrom
  std::size_t begin = 0, end = 0;
  double log_scale = 0;   ///< ln G: I_observed = G exp(-B / (2 d^2)) I
  double b_factor = 0;    ///< B (angstrom^2)
  double correlation = 0; ///< of its intensities with the reference or the average of the others
  std::size_t size() const { return end - begin; }
};

/// Columns of equal length, lattice by lattice; 24 bytes per observation.
struct Observations {
  std::vector<LatticeRecord> lattices;
  std::vector<AsuIndex> index;
  std::vector<float> intensity, variance; ///< corrected for polarisation
  std::vector<float> inv_d2;              ///< 1/d^2 with the lattice's own cell (1/angstrom^2)
  std::vector<float> nearness;            ///< excitation_weight(), 0 to 1

  std::size_t size() const { return index.size(); }
  /// Keeps the lattices whose flag is set, with their observations.
  void keep_lattices(const std::vector<bool>& keep);
  /// Keeps the observations whose flag is set; lattices may become empty but stay.
  void keep_observations(const std::vector<bool>& keep);
  /// Gives back the spare memory of growing columns.
  void shrink();
};

/// The integrated reflections of one lattice as a file gives them; spans of equal length.
struct IntegratedLattice {
  std::span<const models::Miller> hkl;
  std::span<const double> intensity, variance; ///< summation, counts and counts^2
};

struct ConversionParams {
  models::SpaceGroup space_group; ///< symmetry of the merge
  bool merge_anomalous = false;   ///< Friedel mates become one index
  /// Fraction of the beam's polarisation; empty = that of each beam model.
  std::optional<double> polarization_fraction;
  /// Width of excitation_weight() in units of the lattice's rms excitation error.
  double nearness_width = 0.7;
};

/// What became of the rows of one lattice.
struct ConversionCounts {
  std::int64_t taken = 0, no_variance = 0, absent = 0;
  ConversionCounts& operator+=(const ConversionCounts& other);
};

/// Appends one lattice: corrects for polarisation, maps to the asymmetric unit, weighs by nearness.
/// Rows without a positive variance or of systematically absent indices are left out and counted.
/// Throws core::Error if the experiment has no crystal or an index does not fit 16 bits.
ConversionCounts append_lattice(Observations& observations, const models::Experiment& experiment,
                                const IntegratedLattice& reflections,
                                const ConversionParams& params);

/// Part of the diffracted intensity that a polarised beam leaves (Kahn et al. 1982): 1 forward, below 1 elsewhere.
/// `s1` is the unit diffracted direction; divide intensities by this.
double polarization_factor(const models::Beam& beam, const Vec3& s1, double fraction);

/// Distance of A h from the Ewald sphere along the diffracted ray (1/angstrom), < 0 inside.
double excitation_error(const Mat3& a_matrix, const models::Beam& beam, const models::Miller& hkl);

/// exp(-x^2/2) with x the excitation error in units of `width` times the lattice's rms: observations
/// nearer to the Ewald sphere carry more of their reflection.
double excitation_weight(double error, double rms, double width);

enum class HalfSet : std::uint8_t { Even, Odd };
/// Parity of the last hex digit's character in the MD5 of the identifier (as cctbx.xfel.merge):
/// 0 2 4 6 8 b d f are even.
HalfSet half_set(const std::string& identifier);

} // namespace kilobragg::merging
