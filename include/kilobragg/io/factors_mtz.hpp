// MTZ files of refined structure factors: amplitudes with errors, Bijvoet mates, their differences.
#pragma once

#include "kilobragg/models/symmetry.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace kilobragg::io {

/// An amplitude and its standard error, in the same units; NaN = missing.
struct FactorValue {
  double f = std::numeric_limits<double>::quiet_NaN();
  double sigma = std::numeric_limits<double>::quiet_NaN();
};

/// One index of the asymmetric unit. Centric ones, and all where mates are merged, have `plus` alone.
struct FactorRow {
  models::Miller hkl;
  FactorValue plus = {}, minus = {};
  std::int64_t observations = 0; ///< of both mates: pixels, or measurements
  double prior =
      std::numeric_limits<double>::quiet_NaN(); ///< the amplitude that refinement began with
  int free_flag = -1;                           ///< < 0 = missing
};

struct FactorsMtz {
  models::UnitCell cell;
  models::SpaceGroup space_group;
  double wavelength = 0; ///< angstrom
  std::string title;
  std::vector<std::string> history; ///< only what inputs and options determine
  std::vector<FactorRow> rows;      ///< in any order, each index once
  bool anomalous = true;            ///< mates are apart
  bool free_flags = false, priors = false;
};

/// Writes [FreeR_flag] F SIGF [F(+) SIGF(+) F(-) SIGF(-) DANO SIGDANO] IMEAN SIGIMEAN [I(+) SIGI(+) I(-)
/// SIGI(-)] N [FC_prior], sorted by index: same rows, same bytes. F is the mean of the mates that there
/// are, weighted by 1/sigma^2; DANO = F(+) - F(-) where there are both; I = F^2 with 2 F sigma. Throws
/// core::Error for an index that comes twice or lies outside the asymmetric unit, an amplitude below zero,
/// one without a positive sigma, or a file that cannot be written.
void write_factors_mtz(const FactorsMtz& data, const std::string& path);

} // namespace kilobragg::io
