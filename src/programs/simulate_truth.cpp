// Writes what was simulated: models, draws and structure factors.
#include "simulate_truth.hpp"

#include "kilobragg/core/files.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/core/version.hpp"
#include "kilobragg/io/experiments.hpp"
#include "kilobragg/io/mtz.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>

namespace kilobragg::programs {
namespace {

using nlohmann::json;

json matrix_json(const Mat3& matrix) {
  json values = json::array();
  for (double value : matrix.m) values.push_back(value);
  return values;
}

json lattice_json(const DrawnLattice& lattice) {
  return {{"U", matrix_json(lattice.crystal.u_matrix())},
          {"cell", lattice.crystal.unit_cell().parameters()},
          {"A", matrix_json(lattice.crystal.a_matrix)},
          {"N", lattice.cells_per_block},
          {"eta_deg", lattice.mosaic_spread_deg},
          {"scale", lattice.scale}};
}

json shot_json(const PlacedShot& placed) {
  const DrawnShot& shot = placed.shot;
  json value = {{"image", shot.image},
                {"file", std::filesystem::path(placed.source.path).filename().string()},
                {"frame", placed.source.frame},
                {"kind", shot.kind},
                {"wavelength", shot.beam.wavelength},
                {"channels", shot.beam.spectrum.wavelengths},
                {"weights", shot.beam.spectrum.weights},
                {"shot", shot.fluence},
                {"background", shot.background},
                {"lattices", json::array()}};
  for (const auto& lattice : shot.lattices) value["lattices"].push_back(lattice_json(lattice));
  return value;
}

std::vector<models::Experiment>
true_experiments(const std::vector<PlacedShot>& shots,
                 const std::shared_ptr<const models::Detector>& detector) {
  std::vector<models::Experiment> experiments;
  for (const auto& [shot, source] : shots)
    for (std::size_t i = 0; i < shot.lattices.size(); ++i) {
      models::Experiment experiment;
      experiment.identifier =
          models::experiment_identifier(source.content_id, source.frame, static_cast<int>(i));
      experiment.beam = shot.beam;
      experiment.detector = detector;
      experiment.crystal = shot.lattices[i].crystal;
      experiment.source = source;
      experiments.push_back(std::move(experiment));
    }
  return experiments;
}

/// F, and with Bijvoet mates apart F(+) and F(-), at the wavelength.
void write_amplitudes(const structure_factors::SpectralAmplitudes& amplitudes, double wavelength,
                      const std::string& path) {
  if (!amplitudes.bijvoet()) {
    io::write_amplitudes_mtz(amplitudes.cell, amplitudes.space_group, wavelength, amplitudes.hkl,
                             amplitudes.layers.front().plus, path);
    return;
  }
  const auto layer = amplitudes.at(core::ev_angstrom / wavelength);
  io::write_amplitude_pairs_mtz(amplitudes.cell, amplitudes.space_group, wavelength, amplitudes.hkl,
                                layer.plus, layer.minus, path);
}

} // namespace

void write_truth(const std::string& path, const std::vector<PlacedShot>& shots,
                 const std::shared_ptr<const models::Detector>& detector,
                 const structure_factors::SpectralAmplitudes& amplitudes, double wavelength,
                 const std::string& phil) {
  json truth = {{"program", core::version_line("simulate_stills")},
                {"options", phil},
                {"space_group", amplitudes.space_group.hm()},
                {"unit_cell", amplitudes.cell.parameters()},
                {"frames", json::array()}};
  for (const auto& placed : shots) truth["frames"].push_back(shot_json(placed));
  core::write_file(path + ".json", truth.dump(1) + "\n");
  io::write_experiments(true_experiments(shots, detector), path + ".expt");
  write_amplitudes(amplitudes, wavelength, path + ".mtz");
}

} // namespace kilobragg::programs
