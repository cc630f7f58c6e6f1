// What simulate_stills can be asked for, with defaults like those of a small lysozyme run at an XFEL.
#pragma once

#include "kilobragg/core/options.hpp"

#include <optional>
#include <string>

namespace kilobragg::programs {

/// Uniform between min and max.
struct SimulateRange {
  double min = 0, max = 0;
};

struct SimulateBeam {
  double wavelength = 1.3;           ///< beam.wavelength (angstrom)
  double wavelength_jitter = 0.0012; ///< relative standard deviation from shot to shot
  int channels = 6;                  ///< of the spectrum; 1 = monochromatic
  double bandwidth = 0.0025;         ///< relative, full width at half maximum of the mean spectrum
  double fluence = 1e24;             ///< mean, photons/m^2
  double fluence_spread = 0.5;       ///< standard deviation of its logarithm
  double polarization_fraction = 0.999;
};

struct SimulateCrystal {
  std::string unit_cell;      ///< crystal.unit_cell, empty = of the amplitudes, or lysozyme
  std::string space_group;    ///< crystal.space_group, the same
  double size_um = 0.32;      ///< edge of the mean crystal (micrometre)
  double volume_spread = 0.6; ///< standard deviation of the volume's logarithm
  SimulateRange cells_per_block{14, 32};   ///< N, edge of a mosaic block in unit cells
  SimulateRange mosaic_spread{0.01, 0.06}; ///< standard deviation of the misorientation angle (deg)
  double cell_jitter = 0.0015;             ///< relative standard deviation of each free length
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
  int preset = 0;                   ///< index into detector_presets()
  std::optional<double> distance;   ///< mm
  std::optional<double> pixel_size; ///< mm
  std::optional<int> pixels;        ///< along each edge of a panel; four_panels and flat only
  double gain = 1;                  ///< counts per photon
};

struct SimulateBackground {
  double level = 10;         ///< mean photons per pixel at the mean fluence
  SimulateRange clip{1, 40}; ///< of that mean, for shots that hit the jet
  double blank = 0.15;       ///< what a blank shot has of it
};

struct SimulateOutput {
  std::string directory = ".";
  std::string prefix = "run";
};

struct SimulateParams {
  int n_images = 300;
  int seed = 1;
  double blanks = 0.15, doubles = 0.06; ///< parts of all images
  bool poisson = true;
  int oversample = 3;
  SimulateBeam beam;
  SimulateCrystal crystal;
  SimulateAmplitudes amplitudes;
  SimulateDetector detector;
  SimulateBackground background;
  SimulateOutput output;
};

/// Declares every option of simulate_stills, bound to `params`, which must outlive the set.
void add_simulate_options(core::OptionSet& options, SimulateParams& params);

/// Throws core::Error for what cannot be simulated, naming the option.
void check_simulate_params(const SimulateParams& params);

} // namespace kilobragg::programs
