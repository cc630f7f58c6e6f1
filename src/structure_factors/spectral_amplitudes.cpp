// |F| of both Bijvoet mates at one or several photon energies, and how it follows from f' and f''.
#include "kilobragg/structure_factors/spectral_amplitudes.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::structure_factors {

std::optional<double> SpectralAmplitudes::find(const models::Miller& index,
                                               std::size_t layer) const {
  bool plus = true;
  const models::Miller unique = space_group.to_asu(index, &plus);
  const auto at = std::lower_bound(hkl.begin(), hkl.end(), unique);
  if (at == hkl.end() || *at != unique) return std::nullopt;
  const auto i = static_cast<std::size_t>(at - hkl.begin());
  return plus || !bijvoet() ? layers[layer].plus[i] : layers[layer].minus[i];
}

EnergyPlace place_of(double energy, const std::vector<double>& energies) {
  const auto above = std::upper_bound(energies.begin(), energies.end(), energy);
  if (above == energies.begin()) return {};
  const auto lower = static_cast<std::size_t>(above - energies.begin() - 1);
  if (above == energies.end()) return {lower, 0};
  return {lower, (energy - above[-1]) / (above[0] - above[-1])};
}

namespace {

std::vector<double> mix(const std::vector<double>& a, const std::vector<double>& b, double part) {
  std::vector<double> f(a.size());
  for (std::size_t i = 0; i < f.size(); ++i)
    f[i] = std::sqrt((1 - part) * a[i] * a[i] + part * b[i] * b[i]);
  return f;
}

} // namespace

AmplitudeLayer SpectralAmplitudes::at(double energy) const {
  std::vector<double> energies;
  for (const AmplitudeLayer& layer : layers) energies.push_back(layer.energy);
  const EnergyPlace place = place_of(energy, energies);
  const AmplitudeLayer& below = layers[place.lower];
  if (place.part == 0) return below;
  const AmplitudeLayer& above = layers[place.lower + 1];
  return {energy, mix(below.plus, above.plus, place.part),
          mix(below.minus, above.minus, place.part)};
}

Amplitudes SpectralAmplitudes::merged(std::size_t layer) const {
  Amplitudes result{cell, space_group, hkl, layers[layer].plus};
  if (bijvoet())
    for (std::size_t i = 0; i < hkl.size(); ++i)
      result.f[i] = std::hypot(layers[layer].plus[i], layers[layer].minus[i]) / std::sqrt(2.0);
  return result;
}

SpectralAmplitudes with_friedel(const Amplitudes& amplitudes) {
  return {amplitudes.cell, amplitudes.space_group, amplitudes.hkl, {{0, amplitudes.f, {}}}};
}

namespace {

AmplitudeLayer layer_at(const ScatteringParts& parts, double energy,
                        const DispersionSource& source) {
  const std::size_t n = parts.hkl.size();
  std::vector<std::complex<double>> plus = parts.normal, minus = parts.normal;
  for (const auto& element : parts.elements) {
    const Dispersion d = source.at(element.symbol, energy);
    const std::complex<double> f(d.f_prime, d.f_double_prime);
    for (std::size_t i = 0; i < n; ++i) {
      plus[i] += f * element.sum[i];
      minus[i] += std::conj(f) * element.sum[i]; // the conjugate of F(-h)
    }
  }
  AmplitudeLayer layer;
  layer.energy = energy;
  layer.plus.resize(n);
  layer.minus.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    layer.plus[i] = std::abs(plus[i]);
    // Equal by symmetry; a Fourier transform in floats leaves them a hair apart.
    layer.minus[i] =
        parts.space_group.is_centric(parts.hkl[i]) ? layer.plus[i] : std::abs(minus[i]);
  }
  return layer;
}

} // namespace

SpectralAmplitudes amplitudes_at(const ScatteringParts& parts, std::vector<double> energies,
                                 const DispersionSource& dispersion) {
  core::require(!energies.empty(), "no photon energy for anomalous structure factors");
  std::sort(energies.begin(), energies.end());
  const auto twice = std::adjacent_find(energies.begin(), energies.end());
  core::require(twice == energies.end(), "{} eV is given twice for structure factors",
                twice == energies.end() ? 0 : *twice);
  for (const DispersionTable& table : dispersion.tables)
    core::require(std::any_of(parts.elements.begin(), parts.elements.end(),
                              [&](const auto& element) { return element.symbol == table.element; }),
                  "a table of f' and f'' for {} does nothing (no such atom scatters anomalously)",
                  table.element);
  SpectralAmplitudes result{parts.cell, parts.space_group, parts.hkl, {}};
  for (const double energy : energies) result.layers.push_back(layer_at(parts, energy, dispersion));
  return result;
}

} // namespace kilobragg::structure_factors
