// Media in the beam of a simulated run: options, checks and their light.
#include "simulate_background.hpp"

#include "kilobragg/core/error.hpp"

#include <cmath>

namespace kilobragg::programs {
namespace {

/// The table of background.table; intensities become amplitudes, negative ones stay negative.
diffraction::ScatteringTable read_table(const SimulateTable& table) {
  diffraction::ScatteringTable read = diffraction::read_scattering_table(table.file);
  if (!table.intensity) return read;
  std::vector<double> f;
  for (const double stol : read.stol())
    f.push_back(std::copysign(std::sqrt(std::abs(read.f(stol))), read.f(stol)));
  return {read.stol(), std::move(f)};
}

} // namespace

void add_background_options(core::OptionSet& options, SimulateBackground& background) {
  options.add("background.level", background.level,
              "Mean photons per pixel from water, at the mean fluence; 0 = none.");
  options.add("background.min", background.clip.min,
              "Lower bound of that mean for a shot that hits the jet.");
  options.add("background.max", background.clip.max, "Upper bound of the same.");
  options.add("background.blank", background.blank,
              "What a blank shot has of the background; all but the air.");
  options.add("background.water", background.water,
              "Way of the beam through water (mm), in photons of beam.fluence through "
              "beam.size_um; adds to background.level, which 0 takes away.");
  options.add("background.air", background.air,
              "The same of air, from where the beam leaves the vacuum to the beam stop (mm).");
  SimulateTable& table = background.table;
  options.add("background.table", table.file,
              "File with sin(theta)/lambda (1/angstrom) and F (electrons) or intensity of a "
              "molecule in the beam, two columns.");
  options.add_choice(
      "background.table_column", {"f", "intensity"}, [&table](int i) { table.intensity = i == 1; },
      [&table] { return table.intensity ? 1 : 0; },
      "What the second column holds: F, or F^2 (square electrons).");
  options.add("background.table_path", table.path, "Way of the beam through that material (mm).");
  options.add("background.table_density", table.density, "Its density (g/cm^3).");
  options.add("background.table_molar_mass", table.molar_mass,
              "Of the molecule that the table describes (g/mol).");
}

void check_background(const SimulateBackground& background) {
  core::require(background.water >= 0, "background.water={} cannot be (must not be negative)",
                background.water);
  core::require(background.air >= 0, "background.air={} cannot be (must not be negative)",
                background.air);
  const SimulateTable& table = background.table;
  if (table.file.empty()) {
    core::require(table.path == 0,
                  "background.table_path={} goes through nothing (there is no background.table) "
                  "background.water={}?",
                  table.path, table.path);
    return;
  }
  core::require(table.path > 0,
                "background.table={} scatters nothing (background.table_path={} is no way of the "
                "beam through it) background.table_path=0.005?",
                table.file, table.path);
  core::require(table.density > 0 && table.molar_mass > 0,
                "background.table_density={} and background.table_molar_mass={} cannot be (must be "
                "positive)",
                table.density, table.molar_mass);
}

BackgroundMedia make_media(const SimulateBackground& background) {
  BackgroundMedia media;
  const SimulateTable& table = background.table;
  if (background.water > 0) media.jet.push_back(diffraction::water(background.water));
  if (!table.file.empty())
    media.jet.push_back({read_table(table), table.path, table.density, table.molar_mass});
  if (background.air > 0) media.around.push_back(diffraction::air(background.air));
  return media;
}

AbsoluteBackground::AbsoluteBackground(const SimulateParams& params, const BackgroundMedia& media,
                                       const models::Detector& planes, const models::Beam& beam)
    : params_(params)
    , media_(media) {
  if (!media.jet.empty() || !media.around.empty()) scattering_.emplace(planes, beam);
}

void AbsoluteBackground::add(const DrawnShot& drawn, std::span<float> photons) const {
  if (!scattering_) return;
  std::vector<diffraction::Medium> media = media_.jet;
  if (drawn.lattices.empty())
    for (diffraction::Medium& medium : media) medium.path *= params_.background.blank;
  media.insert(media.end(), media_.around.begin(), media_.around.end());
  const double edge = 1e-3 * params_.beam.size_um; // mm
  diffraction::AmorphousShot shot;
  shot.beam = drawn.beam;
  shot.fluence = params_.beam.fluence * drawn.fluence;
  shot.beam_area = edge * edge;
  scattering_->add(shot, media, photons);
}

} // namespace kilobragg::programs
