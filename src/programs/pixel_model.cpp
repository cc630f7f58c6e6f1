// A table of factors from a file, checked against the known symmetry.
#include "pixel_model.hpp"

#include "factor_conversion.hpp"
#include "pixel_options.hpp"
#include "pixel_table.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/reference_amplitudes.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::programs {
namespace {

using pixelrefinement::FactorTable;

bool uses_model(const StillsOptions& options) {
  const auto& still = options.still;
  return options.pixel_model.wanted && still.find_spots && still.index && still.integrate;
}

/// Errors for amplitudes of which the file has none.
void set_missing_errors(io::ReferenceAmplitudes& amplitudes, double relative) {
  const auto fill = [&](const std::vector<double>& f, std::vector<double>& sigma) {
    sigma.resize(f.size());
    for (std::size_t i = 0; i < f.size(); ++i)
      if (!(sigma[i] > 0)) sigma[i] = relative * f[i];
  };
  fill(amplitudes.plus, amplitudes.sigma_plus);
  fill(amplitudes.minus, amplitudes.sigma_minus);
}

double finest(const FactorTable& table) {
  double d_min = table.cell.d(table.index.front().miller());
  for (const auto& index : table.index) d_min = std::min(d_min, table.cell.d(index.miller()));
  return d_min * (1 - 1e-9);
}

} // namespace

void load_pixel_model(StillsOptions& options) {
  if (!uses_model(options)) return;
  const std::string& file = options.pixel_model.mtz_file;
  auto amplitudes = io::read_amplitudes_mtz(file, options.pixel_model.mtz_column);
  set_missing_errors(amplitudes, options.pixel_model.relative_sigma);
  const FactorTable known = table_of(amplitudes);
  core::require(known.size() > 0, "'{}' of pixel_model.mtz_file has no amplitude above zero", file);
  const auto& symmetry = options.still.indexing;
  require_crystal(known, file, "pixel_model.mtz_file", symmetry.unit_cell, symmetry.space_group,
                  "indexing.known_symmetry",
                  {symmetry.relative_length_tolerance, symmetry.absolute_angle_tolerance});
  auto& model = options.still.pixel_model;
  model.factors = std::make_shared<const FactorTable>(first_table(
      known, {known.cell, known.space_group, 0, {}}, finest(known), !known.bijvoet_apart));
  model.stage1.target.likelihood = usual_likelihood(model.shoeboxes.readout == 0);
}

std::string pixel_model_doubt(const StillsOptions& options) {
  if (!options.still.pixel_model.factors) return {};
  const auto& known = options.still.indexing;
  if (known.space_group.lattice_rotations(known.unit_cell).size() <=
      known.space_group.proper_rotations().size())
    return {};
  return fmt::format("the lattice has more symmetry than {}: stills that are indexed in another of "
                     "its settings than {} are refined against the wrong structure factors",
                     known.space_group.hm(), options.pixel_model.mtz_file);
}

} // namespace kilobragg::programs
