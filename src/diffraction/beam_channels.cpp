// Sorts, weighs and measures the spectrum of a shot.
#include "beam_channels.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace kilobragg::diffraction {
namespace {

/// Of evenly spaced numbers, else 0. A tolerance of 1e-11 moves a peak of a thousand cells by 1e-7 of
/// its width.
double even_step(const std::vector<double>& u) {
  if (u.size() < 3) return 0;
  const double step = (u.back() - u.front()) / static_cast<double>(u.size() - 1);
  for (std::size_t i = 0; i < u.size(); ++i)
    if (std::abs(u.front() + static_cast<double>(i) * step - u[i]) > 1e-11 * u.front()) return 0;
  return step;
}

} // namespace

ShotChannels make_channels(const Shot& shot, double offset, double scale) {
  models::Spectrum spectrum = shot.beam.spectrum;
  if (spectrum.empty()) spectrum = {{shot.beam.wavelength}, {1}};
  std::vector<std::pair<double, double>> sorted;
  for (std::size_t i = 0; i < spectrum.wavelengths.size(); ++i) {
    const double wavelength = offset + scale * spectrum.wavelengths[i];
    core::require(wavelength > 0, "wavelength {} A of a shot becomes {} A", spectrum.wavelengths[i],
                  wavelength);
    sorted.emplace_back(1 / wavelength, spectrum.weights[i]);
  }
  std::sort(sorted.begin(), sorted.end());
  const auto lit = [](const auto& channel) { return channel.second > 0; };
  sorted.erase(std::find_if(sorted.rbegin(), sorted.rend(), lit).base(), sorted.end());
  sorted.erase(sorted.begin(), std::find_if(sorted.begin(), sorted.end(), lit));
  const double sum = std::accumulate(sorted.begin(), sorted.end(), 0.0,
                                     [](double s, const auto& c) { return s + c.second; });
  std::vector<BeamDirection> from = shot.divergence;
  if (from.empty()) from = {{shot.beam.direction, 1}};
  const double parts = std::accumulate(from.begin(), from.end(), 0.0,
                                       [](double s, const auto& d) { return s + d.weight; });
  core::require(sum > 0 && parts > 0, "spectrum of a shot has no intensity (weights sum to {})",
                sum * parts);
  ShotChannels channels;
  for (const auto& [u, weight] : sorted) {
    channels.wave_number.push_back(u);
    channels.weight.push_back(weight / sum);
  }
  for (const BeamDirection& d : from)
    if (d.weight > 0) channels.directions.push_back({-unit(d.direction), d.weight / parts});
  channels.step = even_step(channels.wave_number);
  return channels;
}

} // namespace kilobragg::diffraction
