// Structure factors of ice and salt from their atoms, and rings on a detector.
#include "simulate_powder.hpp"

#include "kernels/diffraction/pixel_factors.hpp"

#include "kilobragg/core/units.hpp"
#include "kilobragg/models/symmetry.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <map>

namespace kilobragg::programs {
namespace {

struct Atom {
  double electrons;
  double x, y, z; ///< fractional
};

/// Fall of scattering with resolution, form factor and vibration together: exp(-fall / (4 d^2)).
constexpr double fall = 12; // angstrom^2

/// Rings of a crystal by the sum over its atoms.
std::vector<PowderLine> lines_of(const models::UnitCell& cell, const std::vector<Atom>& atoms,
                                 double d_min) {
  std::map<long, PowderLine, std::greater<>>
      rings; // by 1/d^2 in millionths, descending: largest last
  const int most = static_cast<int>(std::max({cell.a, cell.b, cell.c}) / d_min) + 1;
  for (int h = -most; h <= most; ++h)
    for (int k = -most; k <= most; ++k)
      for (int l = -most; l <= most; ++l) {
        if (h == 0 && k == 0 && l == 0) continue;
        const double d = cell.d({h, k, l});
        if (d < d_min) continue;
        std::complex<double> f = 0;
        for (const Atom& atom : atoms)
          f += std::polar(atom.electrons, 2 * core::pi * (h * atom.x + k * atom.y + l * atom.z));
        PowderLine& line = rings[std::lround(1e6 / (d * d))];
        line.d = d;
        line.intensity += std::norm(f) * std::exp(-fall / (2 * d * d)) * d * d;
      }
  double strongest = 0;
  for (const auto& [key, line] : rings) strongest = std::max(strongest, line.intensity);
  std::vector<PowderLine> lines;
  for (const auto& [key, line] : rings)
    if (line.intensity > 1e-3 * strongest) lines.push_back({line.d, line.intensity / strongest});
  std::reverse(lines.begin(), lines.end());
  return lines;
}

} // namespace

std::vector<PowderLine> ice_lines(double d_min) {
  // P63/mmc, oxygen at 4f; its z makes the bonds tetrahedral.
  constexpr double z = 0.0625, third = 1.0 / 3;
  return lines_of({4.497, 4.497, 7.322, 90, 90, 120},
                  {{8, third, 2 * third, z},
                   {8, 2 * third, third, z + 0.5},
                   {8, 2 * third, third, -z},
                   {8, third, 2 * third, 0.5 - z}},
                  d_min);
}

std::vector<PowderLine> salt_lines(double d_min) {
  std::vector<Atom> atoms;
  for (const auto& [x, y, z] :
       {std::array{0.0, 0.0, 0.0}, {0.0, 0.5, 0.5}, {0.5, 0.0, 0.5}, {0.5, 0.5, 0.0}}) {
    atoms.push_back({11, x, y, z});
    atoms.push_back({17, x + 0.5, y, z});
  }
  return lines_of({5.6402, 5.6402, 5.6402, 90, 90, 90}, atoms, d_min);
}

PowderProfile::PowderProfile(const std::vector<PowderLine>& lines, double width) {
  if (lines.empty()) return;
  const double sigma = width / 2.3548200450309493, last = 1 / lines.back().d;
  // Twenty points to the standard deviation of the narrowest ring.
  const double step = sigma / lines.front().d / 20;
  per_step_ = static_cast<float>(1 / step);
  table_.assign(static_cast<std::size_t>(last * (1 + 6 * sigma) / step) + 2, 0.0F);
  for (const PowderLine& line : lines) {
    const double middle = 1 / line.d, own = sigma * middle;
    const auto first = static_cast<std::size_t>(std::max(0.0, (middle - 6 * own) / step));
    const auto end = std::min(table_.size(), static_cast<std::size_t>((middle + 6 * own) / step));
    for (std::size_t i = first; i < end; ++i) {
      const double x = (static_cast<double>(i) * step - middle) / own;
      table_[i] += static_cast<float>(line.intensity * std::exp(-0.5 * x * x));
    }
  }
}

PowderScreen::PowderScreen(const models::Detector& detector, const models::Beam& beam) {
  const Vec3 k0 = -unit(beam.direction), n = unit(beam.polarization_normal), e = cross(n, k0);
  for (const models::Panel& panel : detector.panels) {
    const Vec3 normal = unit(panel.normal()), fast = panel.pixel_size[0] * panel.frame.fast,
               slow = panel.pixel_size[1] * panel.frame.slow;
    const double area = panel.pixel_size[0] * panel.pixel_size[1];
    for (int y = 0; y < panel.image_size[1]; ++y)
      for (int x = 0; x < panel.image_size[0]; ++x) {
        const Vec3 at = panel.frame.origin + (x + 0.5) * fast + (y + 0.5) * slow, k = unit(at);
        momentum_.push_back(static_cast<float>(norm(k - k0)));
        factor_.push_back(static_cast<float>(
            diffraction::polarisation_factor(k, e, n, beam.polarization_fraction) *
            diffraction::solid_angle(at, normal, area) *
            diffraction::capture_fraction(k, normal, panel.mu, panel.thickness)));
      }
  }
  const float most = *std::max_element(factor_.begin(), factor_.end());
  for (float& factor : factor_) factor /= most;
}

void PowderScreen::add(const PowderProfile& profile, double level, double wavelength,
                       std::span<float> photons) const {
  const auto per_wavelength = static_cast<float>(1 / wavelength);
  const auto scale = static_cast<float>(level);
  for (std::size_t i = 0; i < photons.size(); ++i)
    photons[i] += scale * factor_[i] * profile.at(momentum_[i] * per_wavelength);
}

} // namespace kilobragg::programs
