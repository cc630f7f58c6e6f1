// How badly a pixel's value fits its model: minus the logarithm of the likelihood, and its slope.
#pragma once

#include "kernels/function.hpp"

#include <cmath>
#include <cstdint>

namespace kilobragg::pixelrefinement {

/// Of one pixel with value d and model m, both in photons.
struct PixelFit {
  double value = 0;       ///< -ln p(d | m)
  double slope = 0;       ///< of it, with m
  double information = 0; ///< mean of the squared slope over data that obey the model (Fisher)
};

/// Normal with the variance of the model, V = m + readout^2, as in diffBragg:
///     value = (ln(2 pi V) + u^2 / V) / 2,   u = d - m,   slope = (1 - 2 u - u^2 / V) / (2 V).
/// Its information 1/V + 1/(2 V^2) counts what the variance tells about m, which is not true of photons:
/// errors of weak pixels come out too small. V must be positive. Here without the value, which takes a
/// logarithm.
KOKKOS_FUNCTION inline PixelFit slope_normal(double d, double m, double readout) {
  const double u = d - m, per_v = 1 / (m + readout * readout);
  return {0, 0.5 * per_v * (1 - 2 * u - u * u * per_v), per_v * (1 + 0.5 * per_v)};
}
KOKKOS_FUNCTION inline PixelFit fit_normal(double d, double m, double readout) {
  const double v = m + readout * readout, u = d - m;
  PixelFit fit = slope_normal(d, m, readout);
  fit.value = 0.5 * (std::log(6.283185307179586 * v) + u * u * (1 / v));
  return fit;
}

/// Below this readout noise a pixel counts whole photons.
inline constexpr double silent_readout = 0.05;

/// Photons alone: value = m - d ln m + ln d!, slope = 1 - d / m, information = 1 / m. m > 0, d >= 0. Here
/// without the value, then with ln d! known.
KOKKOS_FUNCTION inline PixelFit slope_poisson(double d, double m) { return {0, 1 - d / m, 1 / m}; }
KOKKOS_FUNCTION inline PixelFit fit_poisson(double d, double m, double log_factorial) {
  PixelFit fit = slope_poisson(d, m);
  fit.value = m - d * std::log(m) + log_factorial;
  return fit;
}
KOKKOS_FUNCTION inline PixelFit fit_poisson(double d, double m) {
  return fit_poisson(d, m, std::lgamma(d + 1));
}

/// Density of d when n photons, Poisson distributed with mean m, are read with normal noise.
struct NoisyPhotons {
  double log_density = 0; ///< ln p(d)
  double ratio = 0;       ///< p(d - 1) / p(d)
};

/// The n >= 0 for which Poisson(n; m) normal(d - n) is largest, not whole: ln(m / n) = (n - d) / readout^2,
/// six steps of Newton's method.
KOKKOS_FUNCTION inline double likeliest_photons(double d, double m, double readout) {
  const double variance = readout * readout;
  double n = std::fmax(d, 0.1 * m < 1 ? 0.1 * m : 1.0);
  for (int i = 0; i < 6; ++i) {
    const double miss = std::log(m / n) - (n - d) / variance;
    n = std::fmax(0.1 * n, n + miss / (1 / n + 1 / variance));
  }
  return n;
}

/// Sums Poisson(n; m) normal(d - n), and the same of d - 1, over the n within seven standard deviations of
/// the likeliest one.
KOKKOS_FUNCTION inline NoisyPhotons noisy_photons(double d, double m, double readout) {
  const double per_variance = 1 / (readout * readout), reach = 7 * readout + 2;
  const auto exponent = [per_variance](double n, double value) {
    const double u = value - n;
    return -0.5 * u * u * per_variance;
  };
  const double top = std::round(likeliest_photons(d, m, readout));
  const double shift = exponent(top, d);
  double here = 0, before = 0;
  const auto add = [&](double n, double part) {
    here += part * std::exp(exponent(n, d) - shift);
    before += part * std::exp(exponent(n, d - 1) - shift);
  };
  add(top, 1);
  double part = 1;
  // Counted in whole steps: next to 2^53 photons top + 1 is top.
  for (int i = 1; i <= reach; ++i) add(top + i, part *= m / (top + i));
  part = 1;
  for (int i = 1; i <= reach && i <= top; ++i) add(top - i, part *= (top - i + 1) / m);
  const double log_poisson = top * std::log(m) - m - std::lgamma(top + 1);
  return {log_poisson + shift + std::log(here) - std::log(readout) - 0.9189385332046727,
          before / here};
}

/// Photons read with normal noise. Since d Poisson(n; m) / dm = Poisson(n - 1; m) - Poisson(n; m),
///     slope = 1 - p(d - 1) / p(d).
/// The information is that of a normal with V = m + readout^2, right to 1 / V where either is large. m > 0.
KOKKOS_FUNCTION inline PixelFit fit_noisy_photons(double d, double m, double readout) {
  if (readout < silent_readout) return fit_poisson(std::fmax(0.0, std::round(d)), m);
  const NoisyPhotons p = noisy_photons(d, m, readout);
  return {-p.log_density, 1 - p.ratio, 1 / (m + readout * readout)};
}

/// Which of these a refinement uses. NoisyPoisson is Poisson where the readout is silent.
enum class Likelihood : std::uint8_t { Normal, Poisson, NoisyPoisson };

KOKKOS_FUNCTION inline PixelFit fit_pixel(Likelihood likelihood, double d, double m,
                                          double readout) {
  if (likelihood == Likelihood::Normal) return fit_normal(d, m, readout);
  if (likelihood == Likelihood::Poisson) return fit_poisson(std::fmax(0.0, d), m);
  return fit_noisy_photons(d, m, readout);
}

} // namespace kilobragg::pixelrefinement
