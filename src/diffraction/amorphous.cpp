// Background of materials without order: one profile by angle for all media and channels of a shot.
#include "kilobragg/diffraction/amorphous.hpp"

#include "kernels/diffraction/pixel_factors.hpp"
#include "kernels/diffraction/radial_profile.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::diffraction {
namespace {

constexpr double avogadro = 6.02214076e23;
/// Points of the profile: linear interpolation is then right to 2e-5 even at the kinks of a table.
constexpr std::size_t profile_points = 32768;

struct WeightedWavelength {
  double wavelength, weight; ///< angstrom; weights sum to 1
};

std::vector<WeightedWavelength> make_channels(const AmorphousShot& shot) {
  const models::Spectrum& spectrum = shot.beam.spectrum;
  if (spectrum.empty()) return {{shot.beam.wavelength, 1}};
  if (!shot.per_channel) return {{spectrum.mean_wavelength(), 1}};
  double sum = 0;
  for (double weight : spectrum.weights) sum += weight;
  core::require(sum > 0, "spectrum of a shot has no intensity (weights sum to {})", sum);
  std::vector<WeightedWavelength> channels;
  for (std::size_t i = 0; i < spectrum.wavelengths.size(); ++i)
    if (spectrum.weights[i] > 0)
      channels.push_back({spectrum.wavelengths[i], spectrum.weights[i] / sum});
  return channels;
}

/// Adds factor * sum_s w_s F|F|(sin(theta) / lambda_s) of one table to the profile.
void add_profile(const ScatteringTable& table, const std::vector<WeightedWavelength>& channels,
                 double factor, double step, std::vector<double>& profile) {
  for (const WeightedWavelength& channel : channels)
    for (std::size_t i = 0; i < profile.size(); ++i)
      profile[i] += factor * channel.weight *
                    table.intensity(step * static_cast<double>(i) / channel.wavelength);
}

} // namespace

Medium water(double path_mm) { return {water_scattering(), path_mm, 0.9982, 18.015}; }
Medium air(double path_mm) { return {air_scattering(), path_mm, 1.2041e-3, 28.96}; }

double molecules_in_beam(const Medium& medium, double beam_area_mm2) {
  return 1e-3 * medium.path * beam_area_mm2 * medium.density * avogadro / medium.molar_mass;
}

AmorphousScattering::AmorphousScattering(const models::Detector& detector,
                                         const models::Beam& beam) {
  const Vec3 k0 = -unit(beam.direction), n = unit(beam.polarization_normal), e = cross(n, k0);
  for (const models::Panel& panel : detector.panels) {
    const Vec3 normal = unit(panel.normal());
    const double area = panel.pixel_size[0] * panel.pixel_size[1];
    for (int y = 0; y < panel.image_size[1]; ++y)
      for (int x = 0; x < panel.image_size[0]; ++x) {
        const Vec3 at =
            panel.mm_to_lab({(x + 0.5) * panel.pixel_size[0], (y + 0.5) * panel.pixel_size[1]});
        const Vec3 k = unit(at);
        factor_.push_back(
            static_cast<float>(polarisation_factor(k, e, n, beam.polarization_fraction) *
                               solid_angle(at, normal, area) *
                               capture_fraction(k, normal, panel.mu, panel.thickness)));
        sin_theta_.push_back(static_cast<float>(sin_theta(k, k0)));
      }
  }
  core::require(!factor_.empty(), "detector has no pixels (nothing to render on)");
  largest_ = static_cast<double>(*std::max_element(sin_theta_.begin(), sin_theta_.end()));
}

void AmorphousScattering::add(const AmorphousShot& shot, std::span<const Medium> media,
                              std::span<float> photons) const {
  core::require(photons.size() == factor_.size(), "image of {} pixels for a detector of {}",
                photons.size(), factor_.size());
  core::require(shot.fluence >= 0 && shot.beam_area >= 0,
                "senseless exposure (fluence {} photons/m^2, beam area {} mm^2)", shot.fluence,
                shot.beam_area);
  std::vector<double> profile(profile_points);
  const double step = largest_ > 0 ? largest_ / static_cast<double>(profile_points - 1) : 1;
  const auto channels = make_channels(shot);
  for (const Medium& medium : media) {
    core::require(medium.path >= 0 && medium.density >= 0 && medium.molar_mass > 0,
                  "senseless medium (path {} mm, density {} g/cm^3, molar mass {} g/mol)",
                  medium.path, medium.density, medium.molar_mass);
    add_profile(medium.table, channels,
                electron_radius_squared * shot.fluence * molecules_in_beam(medium, shot.beam_area),
                step, profile);
  }
  const RadialProfile scattered{profile.data(), profile.size(), 1 / step};
  for (std::size_t i = 0; i < photons.size(); ++i)
    photons[i] += static_cast<float>(static_cast<double>(factor_[i]) *
                                     scattered(static_cast<double>(sin_theta_[i])));
}

} // namespace kilobragg::diffraction
