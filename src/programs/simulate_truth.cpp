// Writes what was simulated: models, draws and structure factors.
#include "simulate_truth.hpp"

#include "simulate_response.hpp"

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

json pixel_json(const PlacedPixel& pixel) {
  return {{"panel", pixel.panel}, {"fast", pixel.fast}, {"slow", pixel.slow}};
}

json artefacts_json(const DrawnArtefacts& drawn) {
  json value = {{"ice", drawn.ice},
                {"salt", drawn.salt},
                {"salt_peaks", json::array()},
                {"zingers", json::array()}};
  for (const SaltPeak& peak : drawn.salt_peaks)
    value["salt_peaks"].push_back({{"panel", peak.panel},
                                   {"px", {peak.px.x, peak.px.y}},
                                   {"d", peak.d},
                                   {"photons", peak.photons},
                                   {"width", peak.width}});
  for (const Zinger& zinger : drawn.zingers) {
    json entry = pixel_json(zinger.start);
    entry["angle"] = zinger.angle;
    entry["length"] = zinger.length;
    entry["photons"] = zinger.photons;
    value["zingers"].push_back(std::move(entry));
  }
  return value;
}

/// Bad pixels of all images; photons 0 means saturated.
json bad_json(const BadPixels& bad) {
  json value = {{"hot_pixels", json::array()},
                {"dead_pixels", json::array()},
                {"dead_panels", json::array()}};
  for (const HotPixel& hot : bad.hot) {
    json entry = pixel_json(hot.pixel);
    entry["photons"] = hot.photons;
    value["hot_pixels"].push_back(std::move(entry));
  }
  for (const PlacedPixel& pixel : bad.dead) value["dead_pixels"].push_back(pixel_json(pixel));
  for (const PixelBlock& block : bad.dead_blocks)
    value["dead_panels"].push_back(
        {{"panel", block.panel}, {"box", {block.x0, block.y0, block.x1, block.y1}}});
  return value;
}

json shot_json(const PlacedShot& placed, bool challenged) {
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
  if (challenged) value["challenges"] = artefacts_json(placed.artefacts);
  return value;
}

std::vector<models::Experiment>
true_experiments(const std::vector<PlacedShot>& shots,
                 const std::shared_ptr<const models::Detector>& detector) {
  std::vector<models::Experiment> experiments;
  for (const auto& [shot, artefacts, source] : shots)
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

/// Ways of the beam (mm) through what scatters besides crystals.
json media_json(const SimulateBackground& background) {
  json value = json::object();
  if (background.water > 0) value["water"] = background.water;
  if (background.air > 0) value["air"] = background.air;
  const SimulateTable& table = background.table;
  if (!table.file.empty())
    value["table"] = {{"file", table.file},
                      {"column", table.intensity ? "intensity" : "f"},
                      {"path", table.path},
                      {"density", table.density},
                      {"molar_mass", table.molar_mass}};
  return value;
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

void write_truth(const std::string& path, const RunTruth& truth) {
  const auto& amplitudes = truth.amplitudes;
  const bool challenged = truth.params.challenges.any();
  json value = {{"program", core::version_line("simulate_stills")},
                {"options", truth.phil},
                {"space_group", amplitudes.space_group.hm()},
                {"unit_cell", amplitudes.cell.parameters()},
                {"detector", response_json(truth.params, *truth.detector)},
                {"frames", json::array()}};
  value["detector"]["layers"] = truth.params.layers;
  if (const json media = media_json(truth.params.background); !media.empty())
    value["media"] = media;
  if (challenged) value["challenges"] = bad_json(truth.bad);
  for (const auto& placed : truth.shots) value["frames"].push_back(shot_json(placed, challenged));
  core::write_file(path + ".json", value.dump(1) + "\n");
  io::write_experiments(true_experiments(truth.shots, truth.detector), path + ".expt");
  write_amplitudes(amplitudes, truth.params.beam.wavelength, path + ".mtz");
}

} // namespace kilobragg::programs
