// Options of simulate_stills and what they must satisfy.
#include "kilobragg/programs/simulate_params.hpp"

#include "simulate_background.hpp"
#include "simulate_response.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/programs/simulate_detectors.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace kilobragg::programs {
namespace {

void add_beam(core::OptionSet& options, SimulateBeam& beam) {
  options.add("beam.wavelength", beam.wavelength, "Mean wavelength (angstrom).");
  options.add("beam.wavelength_jitter", beam.wavelength_jitter,
              "Relative standard deviation of the wavelength from shot to shot.");
  options.add("beam.channels", beam.channels, "Channels of the spectrum; 1 = monochromatic.");
  options.add("beam.bandwidth", beam.bandwidth,
              "Relative full width at half maximum of the mean spectrum; the channels cover twice "
              "that.");
  options.add_choice(
      "beam.spectrum", {"channels", "sase", "gaussian"},
      [&beam](int i) { beam.spectrum = static_cast<SpectrumKind>(i); },
      [&beam] { return static_cast<int>(beam.spectrum); },
      "channels: each channel's intensity is drawn for itself. sase: random modes under a Gaussian "
      "envelope, spikes as self-amplified pulses have them. gaussian: the same for all shots.");
  options.add("beam.spike_width", beam.spike_width,
              "Relative full width at half maximum of a SASE spike: 0.44 / (pulse length x "
              "frequency), 1e-4 for 2 fs at 9.5 keV.");
  options.add("beam.fluence", beam.fluence, "Mean photons per square metre and shot.");
  options.add("beam.fluence_spread", beam.fluence_spread,
              "Standard deviation of the logarithm of the fluence.");
  options.add("beam.size_um", beam.size_um,
              "Edge of the beam's square cross section (micrometre): with the fluence, how many "
              "photons go through background.water, air and table.");
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
  options.add("crystal.angle_jitter", crystal.angle_jitter,
              "Standard deviation of each independent cell angle (degrees).");
  options.add(
      "crystal.orientation.axis", crystal.orientation.axis,
      "Preferred orientation: u v w of the lattice direction u a + v b + w c that lies near "
      "crystal.orientation.along, either way round. None = all orientations alike.");
  options.add("crystal.orientation.along", crystal.orientation.along,
              "x y z in the laboratory: y up, the beam along -z.");
  options.add("crystal.orientation.spread", crystal.orientation.spread,
              "Standard deviation of the tilt from it, about each perpendicular axis (degrees).");
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
  options.add(
      {.path = "detector.preset",
       .type = "choice",
       .help =
           "four_panels: four tilted panels of 512 x 512 pixels of 0.15 mm around the beam. flat: "
           "one panel. The others resemble real detectors in size, pixels, gaps, sensors and "
           "trusted ranges; 'EIGER 16M', 'ePix10ka 2M' or 'Rayonix MX340-HS' are understood.",
       .choices = detector_presets(),
       .set = [&detector](const std::string& text) { detector.preset = find_preset(text); },
       .show =
           [&detector] {
             return detector_presets().at(static_cast<std::size_t>(detector.preset));
           }});
  options.add(
      "detector.from", detector.from,
      "Takes the detector, with its mask, from this file in place of the preset: an NXmx or "
      "DECTRIS master, an .expt or a CBF.");
  options.add("detector.mask", detector.mask,
              "HDF5 file (or file.h5:/data/set) with a mask of unusable pixels besides.");
  options.add("detector.distance", detector.distance, "mm; None = the preset's, or the file's.");
  options.add("detector.pixel_size", detector.pixel_size, "mm; None = the preset's.");
  options.add("detector.pixels", detector.pixels,
              "Pixels along each edge of a panel (four_panels and flat); None = the preset's.");
  options.add("detector.gain", detector.gain, "Counts per photon.");
}

void add_rings(core::OptionSet& options, const std::string& name, const std::string& what,
               SimulateRings& rings) {
  options.add("challenge." + name + ".fraction", rings.fraction,
              "Part of the images with rings of " + what + ".");
  options.add("challenge." + name + ".level", rings.level,
              "Photons per pixel on the crest of the strongest ring, mean over such images.");
  options.add("challenge." + name + ".width", rings.width,
              "Relative full width at half maximum of a ring in 1/d.");
}

void add_bad_pixels(core::OptionSet& options, const std::string& name, const std::string& what,
                    SimulateBadPixels& bad) {
  options.add("challenge." + name + ".count", bad.count, what);
  options.add("challenge." + name + ".masked", bad.masked,
              "Whether the mask in the files names them.");
}

void add_challenges(core::OptionSet& options, SimulateChallenges& challenges) {
  add_rings(options, "ice", "hexagonal ice", challenges.ice);
  add_rings(options, "salt", "sodium chloride", challenges.salt);
  options.add("challenge.salt.peaks", challenges.salt_peaks,
              "Mean number of isolated peaks of salt grains on an image with salt.");
  options.add("challenge.salt.peak_photons", challenges.salt_peak_photons,
              "Mean photons of such a peak.");
  add_bad_pixels(options, "hot_pixels",
                 "Pixels with counts of their own, the same on all images; half of them saturated.",
                 challenges.hot_pixels);
  add_bad_pixels(options, "dead_pixels", "Pixels that read 0 on all images.",
                 challenges.dead_pixels);
  add_bad_pixels(options, "dead_panels", "Panels (modules of one panel) that read 0.",
                 challenges.dead_panels);
  options.add("challenge.zingers.mean", challenges.zingers,
              "Mean number per image of short bright tracks, as cosmic rays leave them.");
  options.add("challenge.zingers.photons", challenges.zinger_photons, "Mean photons of one.");
}

void add_rest(core::OptionSet& options, SimulateParams& params) {
  add_background_options(options, params.background);
  options.add("noise.poisson", params.poisson, "Counting noise; off = rounded means.");
  options.add("render.oversample", params.oversample,
              "Points per pixel and direction at which peaks are evaluated.");
  options.add("render.layers", params.layers,
              "Planes of the sensor that absorb photons, each at its depth: spots of slanting rays "
              "are then as long as they are in thick sensors. 1 = all at the mean depth.");
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
              "Of <prefix>_NNNN.h5 (one per rank), <prefix>_master.h5 (all of them) and "
              "<prefix>_truth.{expt,json,mtz}.");
  options.add("output.master", params.output.master,
              "Whether to write <prefix>_master.h5: all images of all ranks, by relative links.");
  options.add(
      "output.stacked", params.output.stacked,
      "Several panels below each other in one tall image, which all versions of DIALS open; "
      "off = a third axis of panels, for DIALS from 3.15 on.");
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

void check_orientation(const SimulateOrientation& orientation) {
  check_not_negative(orientation.spread, "crystal.orientation.spread");
  if (orientation.axis.empty()) return;
  parse_direction(orientation.axis, "crystal.orientation.axis");
  parse_direction(orientation.along, "crystal.orientation.along");
}

void check_rings(const SimulateRings& rings, const std::string& name) {
  check_part(rings.fraction, (name + ".fraction").c_str());
  check_not_negative(rings.level, (name + ".level").c_str());
  core::require(rings.width > 0 && rings.width < 0.5,
                "{}.width={} cannot be (want 0 to 0.5, relative)", name, rings.width);
}

void check_challenges(const SimulateChallenges& challenges) {
  check_rings(challenges.ice, "challenge.ice");
  check_rings(challenges.salt, "challenge.salt");
  check_not_negative(challenges.salt_peaks, "challenge.salt.peaks");
  check_positive(challenges.salt_peak_photons, "challenge.salt.peak_photons");
  check_not_negative(challenges.hot_pixels.count, "challenge.hot_pixels.count");
  check_not_negative(challenges.dead_pixels.count, "challenge.dead_pixels.count");
  check_not_negative(challenges.dead_panels.count, "challenge.dead_panels.count");
  core::require(challenges.zingers >= 0 && challenges.zingers <= 100000,
                "challenge.zingers.mean={} cannot be (want 0 to 100000)", challenges.zingers);
  check_positive(challenges.zinger_photons, "challenge.zingers.photons");
}

std::vector<double> numbers_of(const std::string& text) {
  std::string spaced = text;
  std::replace(spaced.begin(), spaced.end(), ',', ' ');
  std::istringstream in(spaced);
  std::vector<double> values;
  for (std::string word; in >> word;) {
    std::size_t used = 0;
    double value = 0;
    try {
      value = std::stod(word, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    core::require(used == word.size() && std::isfinite(value), "'{}' is no number", word);
    values.push_back(value);
  }
  return values;
}

/// Chances of 0, 1, 2 ... until nothing is left.
std::vector<double> poisson_parts(double mean) {
  core::require(mean > 0 && mean <= 20, "a mean of {} crystals cannot be (want 0 to 20)", mean);
  std::vector<double> parts;
  double part = std::exp(-mean), sum = 0;
  for (int n = 0; sum < 1 - 1e-9; part *= mean / ++n) parts.push_back(part), sum += part;
  return parts;
}

} // namespace

std::vector<double> parse_lattice_parts(const std::string& text) {
  constexpr const char* word = "poisson";
  const bool poisson = text.rfind(word, 0) == 0;
  std::vector<double> parts = numbers_of(poisson ? text.substr(7) : text);
  if (poisson) {
    core::require(parts.size() == 1, "one mean is expected, as in \"poisson 1.3\"");
    parts = poisson_parts(parts[0]);
  }
  double sum = 0;
  for (const double part : parts) {
    core::require(part >= 0, "a part of {} cannot be", part);
    sum += part;
  }
  core::require(sum > 0, "parts of the images with 0, 1, 2 ... crystals are expected");
  for (double& part : parts) part /= sum;
  return parts;
}

std::vector<double> parse_numbers(const std::string& text, std::size_t count,
                                  const std::string& option) {
  std::vector<double> values;
  try {
    values = numbers_of(text);
  } catch (const core::Error& error) {
    core::fail("{}='{}' cannot be ({})", option, text, error.what());
  }
  core::require(values.size() == count, "{}='{}' has {} numbers ({} are expected)", option, text,
                values.size(), count);
  return values;
}

Vec3 parse_direction(const std::string& text, const std::string& option) {
  std::vector<double> v;
  try {
    v = numbers_of(text);
  } catch (const core::Error&) {
    v.clear();
  }
  core::require(v.size() == 3 && (v[0] != 0 || v[1] != 0 || v[2] != 0),
                "{}='{}' is no direction (three numbers are expected, not all zero)", option, text);
  return {v[0], v[1], v[2]};
}

void add_simulate_options(core::OptionSet& options, SimulateParams& params) {
  options.add("n_images", params.n_images, "Images to make.");
  options.add("seed", params.seed,
              "Of all random numbers. An image depends on seed, number and options alone.");
  options.add("fraction.blanks", params.blanks, "Part of the images without a crystal.");
  options.add("fraction.doubles", params.doubles, "Part of the images with two crystals.");
  options.add({.path = "n_lattices",
               .type = "str",
               .help = "Parts of the images with 0, 1, 2 ... crystals, as \"0.2 0.5 0.2 0.1\", or "
                       "\"poisson 1.3\" for a mean number, in place of fraction.blanks and "
                       "fraction.doubles.",
               .choices = {},
               .set =
                   [&params](const std::string& text) {
                     const bool none = text == "None";
                     params.lattices.parts =
                         none ? std::vector<double>() : parse_lattice_parts(text);
                     params.lattices.text = none ? "" : text;
                   },
               .show =
                   [&params] {
                     return params.lattices.text.empty() ? std::string("None")
                                                         : '"' + params.lattices.text + '"';
                   }});
  add_beam(options, params.beam);
  add_crystal(options, params.crystal);
  add_amplitudes(options, params.amplitudes);
  add_detector(options, params.detector);
  add_response_options(options, params.response);
  add_rest(options, params);
  add_challenges(options, params.challenges);
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
  core::require(params.beam.spike_width >= 1e-6 && params.beam.spike_width <= 0.1,
                "beam.spike_width={} cannot be (want 1e-6 to 0.1, relative)",
                params.beam.spike_width);
  check_part(params.beam.polarization_fraction, "beam.polarization_fraction");
  check_positive(params.crystal.size_um, "crystal.size_um");
  check_range(params.crystal.cells_per_block, "crystal.cells_per_block", 1);
  check_range(params.crystal.mosaic_spread, "crystal.mosaic_spread", 0);
  check_part(params.crystal.cell_jitter * 10, "10 * crystal.cell_jitter");
  check_part(params.crystal.angle_jitter / 5, "crystal.angle_jitter / 5");
  check_orientation(params.crystal.orientation);
  check_positive(params.beam.size_um, "beam.size_um");
  check_not_negative(params.background.level, "background.level");
  check_range(params.background.clip, "background", 0);
  check_background(params.background);
  check_response(params);
  check_positive(params.detector.gain, "detector.gain");
  core::require(params.oversample >= 1 && params.oversample <= 20,
                "render.oversample={} cannot be (want 1 to 20)", params.oversample);
  core::require(params.layers >= 1 && params.layers <= 100,
                "render.layers={} cannot be (want 1 to 100)", params.layers);
  core::require(!params.output.prefix.empty() &&
                    params.output.prefix.find('/') == std::string::npos,
                "output.prefix='{}' cannot begin a file name (give the folder as "
                "output.output_dir)",
                params.output.prefix);
  core::require(
      params.output.prefix.find('%') == std::string::npos,
      "output.prefix='{}' cannot hold a percent sign (HDF5 takes it for a series of files)",
      params.output.prefix);
  check_challenges(params.challenges);
  if (params.amplitudes.d_min) check_positive(*params.amplitudes.d_min, "amplitudes.d_min");
}

} // namespace kilobragg::programs
