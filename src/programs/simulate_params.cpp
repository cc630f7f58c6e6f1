// Options of simulate_stills and what they must satisfy.
#include "kilobragg/programs/simulate_params.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/programs/simulate_detectors.hpp"

namespace kilobragg::programs {
namespace {

void add_beam(core::OptionSet& options, SimulateBeam& beam) {
  options.add("beam.wavelength", beam.wavelength, "Mean wavelength (angstrom).");
  options.add("beam.wavelength_jitter", beam.wavelength_jitter,
              "Relative standard deviation of the wavelength from shot to shot.");
  options.add("beam.channels", beam.channels, "Channels of the spectrum; 1 = monochromatic.");
  options.add("beam.bandwidth", beam.bandwidth,
              "Relative full width at half maximum of the mean spectrum; the channels cover twice "
              "that, each with random (SASE-like) intensity.");
  options.add("beam.fluence", beam.fluence, "Mean photons per square metre and shot.");
  options.add("beam.fluence_spread", beam.fluence_spread,
              "Standard deviation of the logarithm of the fluence.");
  options.add("beam.polarization_fraction", beam.polarization_fraction,
              "Part of the beam polarised horizontally.");
}

void add_crystal(core::OptionSet& options, SimulateCrystal& crystal) {
  options.add("crystal.unit_cell", crystal.unit_cell,
              "a b c alpha beta gamma (angstrom, degrees). None = that of amplitudes.file, or "
              "lysozyme's, 77.06 77.06 37.22 90 90 90.");
  options.add("crystal.space_group", crystal.space_group,
              "Symbol or number. None = that of amplitudes.file, or P43212.");
  options.add("crystal.size_um", crystal.size_um, "Edge of the mean crystal (micrometre).");
  options.add("crystal.volume_spread", crystal.volume_spread,
              "Standard deviation of the logarithm of the illuminated volume.");
  options.add("crystal.cells_per_block.min", crystal.cells_per_block.min,
              "Edge of a mosaic block in unit cells, smallest.");
  options.add("crystal.cells_per_block.max", crystal.cells_per_block.max,
              "Edge of a mosaic block in unit cells, largest.");
  options.add("crystal.mosaic_spread.min", crystal.mosaic_spread.min,
              "Standard deviation of the misorientation angle of blocks, smallest (degrees).");
  options.add("crystal.mosaic_spread.max", crystal.mosaic_spread.max,
              "Standard deviation of the misorientation angle of blocks, largest (degrees).");
  options.add(
      "crystal.cell_jitter", crystal.cell_jitter,
      "Relative standard deviation of each independent cell length from crystal to crystal.");
}

void add_amplitudes(core::OptionSet& options, SimulateAmplitudes& amplitudes) {
  options.add("amplitudes.file", amplitudes.file,
              "True structure factors: an MTZ, a reflection mmCIF, or coordinates as PDB or mmCIF. "
              "None = random amplitudes with Wilson's statistics.");
  options.add(
      "amplitudes.column", amplitudes.column,
      "Column of the MTZ, or item of _refln. None = the first amplitudes, else intensities.");
  options.add("amplitudes.bulk_solvent", amplitudes.bulk_solvent,
              "Flat bulk solvent around coordinates.");
  options.add("amplitudes.anomalous", amplitudes.anomalous,
              "Keep Bijvoet mates apart: F(+) and F(-) of a file of reflections, f' and f'' of all "
              "elements with coordinates, of random heavy atoms without a file.");
  options.add(
      "amplitudes.energies", amplitudes.energies,
      "Photon energies (eV, separated by commas) at which anomalous amplitudes are "
      "calculated; images take |F|^2 at beam.wavelength, linear between them. None = that alone.");
  options.add(
      "amplitudes.dispersion_file", amplitudes.dispersion_file,
      "Lines \"energy f' f''\" (eV, electrons) of amplitudes.dispersion_element, in place of "
      "those of the free atom.");
  options.add("amplitudes.dispersion_element", amplitudes.dispersion_element,
              "Element of amplitudes.dispersion_file, and of random heavy atoms.");
  options.add("amplitudes.b_factor", amplitudes.b_factor,
              "Overall B of random amplitudes (square angstrom).");
  options.add("amplitudes.d_min", amplitudes.d_min,
              "Finest resolution with structure factors (angstrom). None = the detector's corner.");
}

void add_detector(core::OptionSet& options, SimulateDetector& detector) {
  options.add_choice(
      "detector.preset", detector_presets(), [&detector](int i) { detector.preset = i; },
      [&detector] { return detector.preset; },
      "four_panels: four tilted panels of 512 x 512 pixels of 0.15 mm around the beam. flat: one "
      "panel. The others resemble real detectors in size, pixels and gaps.");
  options.add("detector.distance", detector.distance, "mm; None = the preset's.");
  options.add("detector.pixel_size", detector.pixel_size, "mm; None = the preset's.");
  options.add("detector.pixels", detector.pixels,
              "Pixels along each edge of a panel (four_panels and flat); None = the preset's.");
  options.add("detector.gain", detector.gain, "Counts per photon.");
}

void add_rest(core::OptionSet& options, SimulateParams& params) {
  options.add("background.level", params.background.level,
              "Mean photons per pixel from water, at the mean fluence.");
  options.add("background.min", params.background.clip.min,
              "Lower bound of that mean for a shot that hits the jet.");
  options.add("background.max", params.background.clip.max, "Upper bound of the same.");
  options.add("background.blank", params.background.blank,
              "What a blank shot has of the background.");
  options.add("noise.poisson", params.poisson, "Counting noise; off = rounded means.");
  options.add("render.oversample", params.oversample,
              "Points per pixel and direction at which peaks are evaluated.");
  options.add("output.output_dir", params.output.directory, "Made if it does not exist.");
  options.add({.path = "output.directory",
               .type = "str",
               .help = "Another name of output.output_dir.",
               .choices = {},
               .set =
                   [&params](const std::string& text) {
                     if (text != "None") params.output.directory = text;
                   },
               .show = [] { return std::string("None"); }});
  options.add("output.prefix", params.output.prefix,
              "Of <prefix>_NNNN.h5 (one per rank) and <prefix>_truth.{expt,json,mtz}.");
}

void check_range(const SimulateRange& range, const char* name, double lowest) {
  core::require(
      range.min >= lowest && range.min <= range.max,
      "{0}.min={1} and {0}.max={2} cannot be (want {3} <= min <= max) swap or raise them?", name,
      range.min, range.max, lowest);
}

void check_part(double value, const char* name) {
  core::require(value >= 0 && value <= 1, "{}={} is no part of all images (want 0 to 1)", name,
                value);
}

void check_positive(double value, const char* name) {
  core::require(value > 0, "{}={} cannot be (must be positive)", name, value);
}

void check_not_negative(double value, const char* name) {
  core::require(value >= 0, "{}={} cannot be (must not be negative)", name, value);
}

} // namespace

void add_simulate_options(core::OptionSet& options, SimulateParams& params) {
  options.add("n_images", params.n_images, "Images to make.");
  options.add("seed", params.seed,
              "Of all random numbers. An image depends on seed, number and options alone.");
  options.add("fraction.blanks", params.blanks, "Part of the images without a crystal.");
  options.add("fraction.doubles", params.doubles, "Part of the images with two crystals.");
  add_beam(options, params.beam);
  add_crystal(options, params.crystal);
  add_amplitudes(options, params.amplitudes);
  add_detector(options, params.detector);
  add_rest(options, params);
}

void check_simulate_params(const SimulateParams& params) {
  core::require(params.n_images > 0,
                "n_images={} leaves nothing to simulate (must be positive) n_images=300?",
                params.n_images);
  core::require(params.seed >= 0, "seed={} cannot be (must not be negative)", params.seed);
  check_part(params.blanks, "fraction.blanks");
  check_part(params.doubles, "fraction.doubles");
  check_part(params.blanks + params.doubles, "fraction.blanks + fraction.doubles");
  check_positive(params.beam.wavelength, "beam.wavelength");
  check_not_negative(params.beam.wavelength_jitter, "beam.wavelength_jitter");
  core::require(params.beam.wavelength_jitter < 0.1 && params.beam.bandwidth < 0.2,
                "beam.wavelength_jitter={} or beam.bandwidth={} too wide (wavelengths could become "
                "negative) are they relative, not in percent?",
                params.beam.wavelength_jitter, params.beam.bandwidth);
  core::require(params.beam.channels >= 1 && params.beam.channels <= 1000,
                "beam.channels={} cannot be (want 1 to 1000)", params.beam.channels);
  check_not_negative(params.beam.bandwidth, "beam.bandwidth");
  check_positive(params.beam.fluence, "beam.fluence");
  check_part(params.beam.polarization_fraction, "beam.polarization_fraction");
  check_positive(params.crystal.size_um, "crystal.size_um");
  check_range(params.crystal.cells_per_block, "crystal.cells_per_block", 1);
  check_range(params.crystal.mosaic_spread, "crystal.mosaic_spread", 0);
  check_part(params.crystal.cell_jitter * 10, "10 * crystal.cell_jitter");
  check_not_negative(params.background.level, "background.level");
  check_range(params.background.clip, "background", 0);
  check_positive(params.detector.gain, "detector.gain");
  core::require(params.oversample >= 1 && params.oversample <= 20,
                "render.oversample={} cannot be (want 1 to 20)", params.oversample);
  core::require(!params.output.prefix.empty() &&
                    params.output.prefix.find('/') == std::string::npos,
                "output.prefix='{}' cannot begin a file name (give the folder as "
                "output.output_dir)",
                params.output.prefix);
  if (params.amplitudes.d_min) check_positive(*params.amplitudes.d_min, "amplitudes.d_min");
}

} // namespace kilobragg::programs
