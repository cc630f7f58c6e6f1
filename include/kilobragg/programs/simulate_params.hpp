// What simulate_stills can be asked for, with defaults like those of a small lysozyme run at an XFEL.
#pragma once

#include "kernels/geometry/vec3.hpp"

#include "kilobragg/core/options.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// Uniform between min and max.
struct SimulateRange {
  double min = 0, max = 0;
};

/// How the intensities of a spectrum's channels are drawn.
enum class SpectrumKind {
  Channels, ///< each channel for itself, under a Gaussian
  Sase,     ///< random modes under a Gaussian: spikes
  Gaussian, ///< the Gaussian itself
};

struct SimulateBeam {
  double wavelength = 1.3;           ///< beam.wavelength (angstrom)
  double wavelength_jitter = 0.0012; ///< relative standard deviation from shot to shot
  int channels = 6;                  ///< of the spectrum; 1 = monochromatic
  double bandwidth = 0.0025;         ///< relative, full width at half maximum of the mean spectrum
  SpectrumKind spectrum = SpectrumKind::Channels;
  double spike_width = 1e-4;   ///< of a SASE spike: relative full width at half maximum
  double fluence = 1e24;       ///< mean, photons/m^2
  double fluence_spread = 0.5; ///< standard deviation of its logarithm
  double size_um = 1;          ///< edge of its square cross section, for water, air and tables
  double polarization_fraction = 0.999;
};

/// Preferred orientation: crystals with the direction `axis` of their lattice near `along`.
struct SimulateOrientation {
  std::string axis;            ///< u v w, along u a + v b + w c; empty = all orientations alike
  std::string along = "0 1 0"; ///< x y z of the laboratory
  double spread = 10; ///< standard deviation of the tilt about each perpendicular axis (deg)
};

struct SimulateCrystal {
  std::string unit_cell;      ///< crystal.unit_cell, empty = of the amplitudes, or lysozyme
  std::string space_group;    ///< crystal.space_group, the same
  double size_um = 0.32;      ///< edge of the mean crystal (micrometre)
  double volume_spread = 0.6; ///< standard deviation of the volume's logarithm
  SimulateRange cells_per_block{14, 32};   ///< N, edge of a mosaic block in unit cells
  SimulateRange mosaic_spread{0.01, 0.06}; ///< standard deviation of the misorientation angle (deg)
  double cell_jitter = 0.0015;             ///< relative standard deviation of each free length
  double angle_jitter = 0;                 ///< standard deviation of each free angle (deg)
  SimulateOrientation orientation;
};

struct SimulateAmplitudes {
  std::string file;            ///< MTZ, PDB or mmCIF; empty = random, with Wilson's statistics
  std::string column;          ///< of the MTZ, or item of _refln
  bool bulk_solvent = true;    ///< of coordinates
  bool anomalous = false;      ///< Bijvoet mates apart
  std::string energies;        ///< eV, separated by commas; empty = of the mean wavelength
  std::string dispersion_file; ///< f' and f'' of dispersion_element
  std::string dispersion_element = "Se"; ///< and of random heavy atoms
  double b_factor = 20;                  ///< of random amplitudes (angstrom^2)
  std::optional<double> d_min;           ///< None = to the corner of the detector (angstrom)
};

struct SimulateDetector {
  int preset = 0;                 ///< index into detector_presets()
  std::string from;               ///< image, master file or .expt with the detector; empty = preset
  std::string mask;               ///< file of a mask besides, empty = none
  std::optional<double> distance; ///< mm
  std::optional<double> pixel_size; ///< mm
  std::optional<int> pixels;        ///< along each edge of a panel; four_panels and flat only
  double gain = 1;                  ///< counts per photon
};

/// What becomes of the photons in a pixel.
enum class ResponseKind {
  Photons,    ///< they are counted
  Linear,     ///< charge with readout noise, counted in units of its own: CCDs, fixed gain
  GainStages, ///< the same in three stages of gain (JUNGFRAU), calibrated to photons
};

/// How the light of a photon goes to the pixels around.
struct SimulatePointSpread {
  int shape = 0;             ///< diffraction::PointSpreadShape
  double fwhm = 0;           ///< um; 0 = none
  std::optional<int> radius; ///< pixels; None = chosen by the shape
};

/// The detector behind its sensor. Texts hold one number per gain stage; empty = JUNGFRAU's.
struct SimulateResponse {
  ResponseKind kind = ResponseKind::Photons;
  std::optional<double> readout_noise; ///< standard deviation (counts)
  double adc_offset = 0;               ///< counts without light
  double calibration_noise = 0;        ///< relative standard deviation of pixels' gains
  int calibration_seed = 1;            ///< of those
  std::optional<int> saturation;       ///< largest count; None = by the detector
  std::string stage_gain;              ///< ADU/keV
  std::string stage_pedestal;          ///< ADU
  std::string stage_noise;             ///< ADU
  std::string stage_limit;             ///< keV, of the first two
  SimulatePointSpread point_spread;
};

/// A material with a scattering table of its own in the beam.
struct SimulateTable {
  std::string file;       ///< sin(theta)/lambda and F or intensity; empty = none
  bool intensity = false; ///< the second column is F^2
  double path = 0;        ///< mm
  double density = 1;     ///< g/cm^3
  double molar_mass = 18.015;
};

struct SimulateBackground {
  double level = 10;         ///< mean photons per pixel at the mean fluence
  SimulateRange clip{1, 40}; ///< of that mean, for shots that hit the jet
  double blank = 0.15;       ///< what a blank shot has of it, of water and of the table
  double water = 0, air = 0; ///< ways of the beam through them (mm)
  SimulateTable table;
};

struct SimulateOutput {
  std::string directory = ".";
  std::string prefix = "run";
  bool stacked = true; ///< panels below each other in one tall image
  bool master = true;  ///< <prefix>_master.h5 over the files of all ranks
};

/// Powder rings on part of the images.
struct SimulateRings {
  double fraction = 0;  ///< of the images
  double level = 10;    ///< photons per pixel on the strongest ring's crest, mean
  double width = 0.004; ///< relative full width at half maximum of a ring in 1/d
};

/// Pixels that are the same on all images.
struct SimulateBadPixels {
  int count = 0;
  bool masked = false; ///< does the mask in the files say so?
};

/// What makes real images hard.
struct SimulateChallenges {
  SimulateRings ice, salt;
  double salt_peaks = 0;          ///< mean number of isolated peaks on an image with salt
  double salt_peak_photons = 500; ///< mean of such a peak
  SimulateBadPixels hot_pixels, dead_pixels, dead_panels{0, true};
  double zingers = 0;          ///< mean number on an image
  double zinger_photons = 200; ///< mean of one

  /// Is any of them asked for?
  bool any() const {
    return ice.fraction > 0 || salt.fraction > 0 || hot_pixels.count > 0 || dead_pixels.count > 0 ||
           dead_panels.count > 0 || zingers > 0;
  }
};

/// Number of crystals in a shot.
struct SimulateLattices {
  std::string text;          ///< n_lattices as given, empty = fraction.blanks and .doubles decide
  std::vector<double> parts; ///< of the images with 0, 1, 2 ... crystals, sum 1
};

struct SimulateParams {
  int n_images = 300;
  int seed = 1;
  double blanks = 0.15, doubles = 0.06; ///< parts of all images
  SimulateLattices lattices;
  bool poisson = true;
  int oversample = 3;
  int layers = 1; ///< planes of the sensor that photons hit
  SimulateBeam beam;
  SimulateCrystal crystal;
  SimulateAmplitudes amplitudes;
  SimulateDetector detector;
  SimulateResponse response;
  SimulateBackground background;
  SimulateChallenges challenges;
  SimulateOutput output;
};

/// Parts of the images with 0, 1, 2 ... crystals: "0.2 0.5 0.3" as they are (scaled to sum 1), or
/// "poisson 1.3" for a mean number. Throws core::Error.
std::vector<double> parse_lattice_parts(const std::string& text);

/// Three numbers, with spaces or commas. Throws core::Error naming the option.
Vec3 parse_direction(const std::string& text, const std::string& option);

/// `count` finite numbers, with spaces or commas. Throws core::Error naming the option.
std::vector<double> parse_numbers(const std::string& text, std::size_t count,
                                  const std::string& option);

/// Declares every option of simulate_stills, bound to `params`, which must outlive the set.
void add_simulate_options(core::OptionSet& options, SimulateParams& params);

/// Throws core::Error for what cannot be simulated, naming the option.
void check_simulate_params(const SimulateParams& params);

} // namespace kilobragg::programs
