// Chooses the sample of a simulated run and refuses what contradicts itself.
#include "simulate_sample.hpp"

#include "photon_energies.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/models/beam.hpp"
#include "kilobragg/structure_factors/load.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

namespace kilobragg::programs {
namespace {

constexpr const char* default_cell = "77.06 77.06 37.22 90 90 90";
constexpr const char* default_group = "P43212";

/// Resolution to which amplitudes are needed; the shortest wavelength sees a little further than
/// the mean one.
double choose_d_min(const SimulateParams& params, const models::Detector& detector) {
  models::Beam beam;
  beam.wavelength = params.beam.wavelength;
  const double corner = detector.max_resolution(beam.s0());
  const auto& d_min = params.amplitudes.d_min;
  core::require(
      !d_min || *d_min >= 0.95 * corner,
      "amplitudes.d_min={:.3f} is finer than the detector sees (its corner is at {:.3f} A) "
      "choose a coarser limit, a shorter detector.distance or beam.wavelength?",
      d_min.value_or(0), corner);
  const double reach = 1 - 3 * params.beam.wavelength_jitter - params.beam.bandwidth;
  return d_min ? *d_min : corner * reach;
}

structure_factors::LoadParams load_params(const SimulateParams& params, double d_min) {
  const auto& source = params.amplitudes;
  structure_factors::LoadParams load;
  load.column = source.column;
  load.anomalous = source.anomalous;
  load.coordinates.d_min = d_min;
  load.coordinates.bulk_solvent = source.bulk_solvent;
  load.energies = parse_energies(source.energies, "amplitudes.energies");
  core::require(source.anomalous || (load.energies.empty() && source.dispersion_file.empty()),
                "amplitudes.energies and amplitudes.dispersion_file do nothing without dispersion "
                "(Friedel's law is on) amplitudes.anomalous=True?");
  if (!source.dispersion_file.empty())
    load.dispersion.tables.push_back(structure_factors::read_dispersion_table(
        source.dispersion_file, source.dispersion_element));
  return load;
}

/// The energies asked for, or that of the mean wavelength.
void complete_energies(std::vector<double>& energies, const SimulateParams& params) {
  if (energies.empty()) energies.push_back(core::ev_angstrom / params.beam.wavelength);
}

structure_factors::SpectralAmplitudes random_amplitudes(const SimulateParams& params,
                                                        const models::UnitCell& cell,
                                                        const models::SpaceGroup& group,
                                                        double d_min) {
  structure_factors::LoadParams load = load_params(params, d_min);
  const auto seed = static_cast<std::uint64_t>(params.seed);
  const structure_factors::WilsonParams wilson{.b_factor = params.amplitudes.b_factor};
  if (!load.anomalous)
    return structure_factors::with_friedel(
        structure_factors::random_wilson(cell, group, d_min, seed, wilson));
  complete_energies(load.energies, params);
  structure_factors::HeavyAtoms heavy;
  heavy.element = params.amplitudes.dispersion_element;
  return structure_factors::amplitudes_at(
      structure_factors::random_parts(cell, group, d_min, seed, wilson, heavy), load.energies,
      load.dispersion);
}

structure_factors::SpectralAmplitudes amplitudes_of_file(const SimulateParams& params,
                                                         double d_min) {
  structure_factors::LoadParams load = load_params(params, d_min);
  if (load.anomalous && !structure_factors::holds_reflections(params.amplitudes.file))
    complete_energies(load.energies, params);
  return structure_factors::load_amplitudes(params.amplitudes.file, load);
}

void require_no_contradiction(const models::UnitCell& cell, const models::SpaceGroup& group) {
  const std::string problem = group.contradiction(cell);
  core::require(problem.empty(),
                "crystal.unit_cell={} contradicts crystal.space_group={} ({}) correct one of them?",
                cell.to_string(), group.hm(), problem);
}

/// A cell from an option must be that of the file, within what crystals of one form differ by.
void require_same_cell(const models::UnitCell& wanted,
                       const structure_factors::SpectralAmplitudes& found,
                       const std::string& file) {
  const auto a = wanted.parameters(), b = found.cell.parameters();
  for (std::size_t i = 0; i < 6; ++i)
    core::require(std::abs(a[i] - b[i]) <= 0.05 * b[i],
                  "crystal.unit_cell={} is not the cell of {} ({}) leave the option out?",
                  wanted.to_string(), file, found.cell.to_string());
}

} // namespace

structure_factors::SpectralAmplitudes make_amplitudes(const SimulateParams& params,
                                                      const models::Detector& detector) {
  const double d_min = choose_d_min(params, detector);
  const auto& source = params.amplitudes;
  const bool from_file = !source.file.empty();
  std::optional<models::UnitCell> cell;
  std::optional<models::SpaceGroup> group;
  const std::string& cell_text = params.crystal.unit_cell;
  const std::string& group_text = params.crystal.space_group;
  if (!cell_text.empty()) cell = models::UnitCell::parse(cell_text);
  if (!group_text.empty()) group = models::SpaceGroup(group_text);
  if (!from_file) {
    core::require(cell.has_value() == group.has_value(),
                  "only one of crystal.unit_cell and crystal.space_group is given (they belong "
                  "together) give both?");
    if (!cell) cell = models::UnitCell::parse(default_cell);
    if (!group) group = models::SpaceGroup(default_group);
    require_no_contradiction(*cell, *group);
    return random_amplitudes(params, group->constrain(*cell), *group, d_min);
  }
  if (cell && group) require_no_contradiction(*cell, *group);
  structure_factors::SpectralAmplitudes amplitudes = amplitudes_of_file(params, d_min);
  if (cell) {
    require_same_cell(*cell, amplitudes, source.file);
    amplitudes.cell = *cell;
  }
  core::require(!group || *group == amplitudes.space_group,
                "crystal.space_group={} is not the group of {} ({}) leave the option out?",
                group_text, source.file, amplitudes.space_group.hm());
  require_no_contradiction(amplitudes.cell, amplitudes.space_group);
  return amplitudes;
}

} // namespace kilobragg::programs
