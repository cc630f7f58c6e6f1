// Draws the shots of a simulated run from counter-based random streams.
#include "kilobragg/programs/simulate_shots.hpp"

#include "kernels/diffraction/random.hpp"

#include "kilobragg/core/units.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::programs {
namespace {

using diffraction::RandomStream;

/// Streams of one image's random numbers. Numbers are fixed for good: they decide every image.
enum Stream : std::uint32_t { kind_stream = 1, beam_stream = 2, lattice_stream = 16 };

RandomStream make_stream(const SimulateParams& params, std::uint32_t image, std::uint32_t stream) {
  return {static_cast<std::uint64_t>(params.seed), image, stream};
}

/// Rotation drawn uniformly (Shoemake 1992).
Mat3 random_rotation(RandomStream& random) {
  const double u = random.uniform(), a = 2 * core::pi * random.uniform(),
               b = 2 * core::pi * random.uniform();
  const double x = std::sqrt(1 - u) * std::sin(a), y = std::sqrt(1 - u) * std::cos(a),
               z = std::sqrt(u) * std::sin(b), w = std::sqrt(u) * std::cos(b);
  return {{1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w), 2 * (x * y + z * w),
           1 - 2 * (x * x + z * z), 2 * (y * z - x * w), 2 * (x * z - y * w), 2 * (y * z + x * w),
           1 - 2 * (x * x + y * y)}};
}

/// Normal deviate kept within three standard deviations.
double bounded_normal(RandomStream& random) { return std::clamp(random.normal(), -3.0, 3.0); }

/// Channels evenly over twice the bandwidth, of Gaussian mean intensity and, as SASE pulses have,
/// each with random intensity: gamma distributed with two modes per channel.
models::Spectrum draw_spectrum(const SimulateBeam& beam, double wavelength, RandomStream& random) {
  models::Spectrum spectrum;
  const double sigma = beam.bandwidth / 2.3548200450309493; // FWHM of a Gaussian
  const double step = 2 * beam.bandwidth / (beam.channels - 1);
  double sum = 0;
  for (int i = 0; i < beam.channels; ++i) {
    const double offset = -beam.bandwidth + i * step;
    const double mean = std::exp(-0.5 * (offset / sigma) * (offset / sigma));
    const double weight = -mean * std::log(random.uniform() * random.uniform()) / 2;
    spectrum.wavelengths.push_back(wavelength * (1 + offset));
    spectrum.weights.push_back(weight);
    sum += weight;
  }
  for (double& weight : spectrum.weights) weight /= sum;
  return spectrum;
}

models::Beam draw_beam(const SimulateBeam& params, RandomStream& random) {
  models::Beam beam;
  beam.polarization_fraction = params.polarization_fraction;
  beam.wavelength = params.wavelength * (1 + params.wavelength_jitter * bounded_normal(random));
  if (params.channels > 1 && params.bandwidth > 0) {
    beam.spectrum = draw_spectrum(params, beam.wavelength, random);
    beam.wavelength = beam.spectrum.mean_wavelength();
  }
  return beam;
}

DrawnLattice draw_lattice(const SimulateCrystal& params, const Sample& sample,
                          RandomStream& random) {
  DrawnLattice lattice;
  models::UnitCell cell = sample.cell;
  for (double* length : {&cell.a, &cell.b, &cell.c})
    *length *= 1 + params.cell_jitter * bounded_normal(random);
  cell = sample.space_group.constrain(cell);
  const Mat3 u = random_rotation(random);
  lattice.cells_per_block = random.uniform(params.cells_per_block.min, params.cells_per_block.max);
  lattice.mosaic_spread_deg = random.uniform(params.mosaic_spread.min, params.mosaic_spread.max);
  lattice.scale = std::exp(params.volume_spread * bounded_normal(random));
  lattice.crystal = models::Crystal::from_cell(cell, u, sample.space_group);
  const double edge = std::cbrt(cell.volume());
  lattice.crystal.mosaicity =
      models::Mosaicity{lattice.mosaic_spread_deg / 2, lattice.cells_per_block * edge};
  return lattice;
}

} // namespace

DrawnShot draw_shot(const SimulateParams& params, const Sample& sample, std::uint32_t image) {
  DrawnShot shot;
  shot.image = image;
  const double u = make_stream(params, image, kind_stream).uniform();
  const int lattices = u < params.blanks ? 0 : u < params.blanks + params.doubles ? 2 : 1;
  shot.kind = lattices == 0 ? "blank" : lattices == 1 ? "single" : "double";
  RandomStream random = make_stream(params, image, beam_stream);
  shot.fluence = std::exp(params.beam.fluence_spread * bounded_normal(random));
  shot.beam = draw_beam(params.beam, random);
  for (int i = 0; i < lattices; ++i) {
    RandomStream own = make_stream(params, image, lattice_stream + static_cast<std::uint32_t>(i));
    shot.lattices.push_back(draw_lattice(params.crystal, sample, own));
  }
  const auto& background = params.background;
  const double level = background.level * shot.fluence;
  shot.background = lattices == 0 ? background.blank * level
                                  : std::clamp(level, background.clip.min, background.clip.max);
  return shot;
}

diffraction::Shot to_render(const DrawnShot& drawn, const SimulateParams& params) {
  diffraction::Shot shot;
  shot.beam = drawn.beam;
  shot.fluence = params.beam.fluence * drawn.fluence;
  shot.background = drawn.background;
  for (const DrawnLattice& lattice : drawn.lattices) {
    const double n = lattice.cells_per_block;
    const double edge = 1e4 * params.crystal.size_um; // angstrom
    const double cells = lattice.scale * edge * edge * edge * determinant(lattice.crystal.a_matrix);
    // The angle is that about a random axis: a third of its variance is about each one.
    const double spread = lattice.mosaic_spread_deg * core::degree;
    diffraction::ShotLattice out;
    out.crystal = lattice.crystal;
    out.size = n * Mat3::identity();
    out.rotation = (spread * spread / 3) * Mat3::identity();
    out.scale = std::abs(cells) / (n * n * n);
    shot.lattices.push_back(out);
  }
  return shot;
}

} // namespace kilobragg::programs
