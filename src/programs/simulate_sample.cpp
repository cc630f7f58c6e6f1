// Chooses the sample of a simulated run and refuses what contradicts itself.
#include "simulate_sample.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/models/beam.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

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

bool ends_with(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() &&
         std::equal(ending.rbegin(), ending.rend(), text.rbegin(), [](char a, char b) {
           return a == std::tolower(static_cast<unsigned char>(b));
         });
}

bool is_mtz(const std::string& path) { return ends_with(path, ".mtz"); }

void require_no_contradiction(const models::UnitCell& cell, const models::SpaceGroup& group) {
  const std::string problem = group.contradiction(cell);
  core::require(problem.empty(),
                "crystal.unit_cell={} contradicts crystal.space_group={} ({}) correct one of them?",
                cell.to_string(), group.hm(), problem);
}

/// A cell from an option must be that of the file, within what crystals of one form differ by.
void require_same_cell(const models::UnitCell& wanted, const structure_factors::Amplitudes& found,
                       const std::string& file) {
  const auto a = wanted.parameters(), b = found.cell.parameters();
  for (std::size_t i = 0; i < 6; ++i)
    core::require(std::abs(a[i] - b[i]) <= 0.05 * b[i],
                  "crystal.unit_cell={} is not the cell of {} ({}) leave the option out?",
                  wanted.to_string(), file, found.cell.to_string());
}

} // namespace

structure_factors::Amplitudes make_amplitudes(const SimulateParams& params,
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
    return structure_factors::random_wilson(group->constrain(*cell), *group, d_min,
                                            static_cast<std::uint64_t>(params.seed),
                                            {.b_factor = source.b_factor});
  }
  if (cell && group) require_no_contradiction(*cell, *group);
  structure_factors::Amplitudes amplitudes;
  if (is_mtz(source.file)) {
    amplitudes = structure_factors::from_mtz(source.file, source.column);
  } else {
    structure_factors::CoordinateParams coordinates;
    coordinates.d_min = d_min;
    amplitudes = structure_factors::from_coordinates(source.file, coordinates);
  }
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
