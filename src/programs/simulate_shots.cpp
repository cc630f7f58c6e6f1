// Draws the shots of a simulated run from counter-based random streams.
#include "kilobragg/programs/simulate_shots.hpp"

#include "simulate_spectrum.hpp"
#include "simulate_streams.hpp"

#include "kernels/diffraction/random.hpp"

#include "kilobragg/core/units.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace kilobragg::programs {
namespace {

using diffraction::RandomStream;

RandomStream make_stream(const SimulateParams& params, std::uint32_t image, std::uint32_t stream,
                         std::uint32_t item = 0) {
  return {static_cast<std::uint64_t>(params.seed), image, stream, item};
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

models::Beam draw_beam(const SimulateParams& run, std::uint32_t image, RandomStream& random) {
  const SimulateBeam& params = run.beam;
  models::Beam beam;
  beam.polarization_fraction = params.polarization_fraction;
  beam.wavelength = params.wavelength * (1 + params.wavelength_jitter * bounded_normal(random));
  if (params.channels < 2 || params.bandwidth <= 0) return beam;
  if (params.spectrum == SpectrumKind::Sase)
    beam.spectrum =
        sase_spectrum(params, beam.wavelength, static_cast<std::uint64_t>(run.seed), image);
  else if (params.spectrum == SpectrumKind::Gaussian)
    beam.spectrum = gaussian_spectrum(params, beam.wavelength);
  else
    beam.spectrum = draw_spectrum(params, beam.wavelength, random);
  beam.wavelength = beam.spectrum.mean_wavelength();
  return beam;
}

/// A rotation that leaves the preferred lattice direction near its place, either way round.
Mat3 preferred_rotation(const SimulateOrientation& params, const models::UnitCell& cell,
                        RandomStream& random) {
  const Vec3 uvw = parse_direction(params.axis, "crystal.orientation.axis");
  const Vec3 along = unit(parse_direction(params.along, "crystal.orientation.along"));
  const Vec3 lattice = unit(transpose(inverse(cell.b_matrix())) * uvw);
  const Vec3 side = unit(cross(along, std::abs(along.x) < 0.9 ? Vec3{1, 0, 0} : Vec3{0, 1, 0}));
  const double tilt_a = params.spread * core::degree * random.normal(),
               tilt_b = params.spread * core::degree * random.normal();
  const Vec3 turn = tilt_a * side + tilt_b * cross(along, side);
  const double tilt = norm(turn), sign = random.uniform() < 0.5 ? -1 : 1;
  const Vec3 target = tilt > 0 ? rotation_about(turn / tilt, tilt) * along : along;
  return rotation_about(target, 2 * core::pi * random.uniform()) *
         least_rotation(lattice, sign * target);
}

void jitter_angles(double spread, RandomStream& random, models::UnitCell& cell) {
  for (double* angle : {&cell.alpha, &cell.beta, &cell.gamma})
    *angle += spread * bounded_normal(random);
}

DrawnLattice draw_lattice(const SimulateParams& run, const Sample& sample, std::uint32_t image,
                          std::uint32_t number) {
  const SimulateCrystal& params = run.crystal;
  RandomStream random = make_stream(run, image, lattice_stream + number);
  DrawnLattice lattice;
  models::UnitCell cell = sample.cell;
  for (double* length : {&cell.a, &cell.b, &cell.c})
    *length *= 1 + params.cell_jitter * bounded_normal(random);
  if (params.angle_jitter > 0) {
    RandomStream own = make_stream(run, image, angle_stream, number);
    jitter_angles(params.angle_jitter, own, cell);
  }
  cell = sample.space_group.constrain(cell);
  Mat3 u = random_rotation(random);
  if (!params.orientation.axis.empty()) {
    RandomStream own = make_stream(run, image, orientation_stream, number);
    u = preferred_rotation(params.orientation, cell, own);
  }
  lattice.cells_per_block = random.uniform(params.cells_per_block.min, params.cells_per_block.max);
  lattice.mosaic_spread_deg = random.uniform(params.mosaic_spread.min, params.mosaic_spread.max);
  lattice.scale = std::exp(params.volume_spread * bounded_normal(random));
  lattice.crystal = models::Crystal::from_cell(cell, u, sample.space_group);
  const double edge = std::cbrt(cell.volume());
  lattice.crystal.mosaicity =
      models::Mosaicity{lattice.mosaic_spread_deg / 2, lattice.cells_per_block * edge};
  return lattice;
}

/// Number of crystals for a uniform deviate.
int lattice_count(const SimulateParams& params, double u) {
  const auto& parts = params.lattices.parts;
  if (parts.empty()) return u < params.blanks ? 0 : u < params.blanks + params.doubles ? 2 : 1;
  int count = 0;
  for (; count + 1 < static_cast<int>(parts.size()); ++count) {
    u -= parts[static_cast<std::size_t>(count)];
    if (u < 0) break;
  }
  return count;
}

const char* kind_of(int lattices) {
  constexpr std::array names{"blank", "single", "double"};
  return lattices < 3 ? names[static_cast<std::size_t>(lattices)] : "multiple";
}

} // namespace

DrawnShot draw_shot(const SimulateParams& params, const Sample& sample, std::uint32_t image) {
  DrawnShot shot;
  shot.image = image;
  const double u = make_stream(params, image, kind_stream).uniform();
  const int lattices = lattice_count(params, u);
  shot.kind = kind_of(lattices);
  RandomStream random = make_stream(params, image, beam_stream);
  shot.fluence = std::exp(params.beam.fluence_spread * bounded_normal(random));
  shot.beam = draw_beam(params, image, random);
  for (int i = 0; i < lattices; ++i)
    shot.lattices.push_back(draw_lattice(params, sample, image, static_cast<std::uint32_t>(i)));
  const auto& background = params.background;
  const double level = background.level * shot.fluence;
  if (lattices == 0)
    shot.background = background.blank * level;
  else if (level > 0) // a level of 0 means none, whatever the bounds are
    shot.background = std::clamp(level, background.clip.min, background.clip.max);
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
