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

/// Near the n >= 0 for which Poisson(n; m) normal(d - n) is largest, not whole. Where d is what m lets expect, the
/// best of two normals; else Newton's method for ln(m / n) = (n - d) / readout^2 until a step is a third of the
/// width of the peak.
KOKKOS_FUNCTION inline double likely_photons(double d, double m, double readout) {
  const double variance = readout * readout, away = d - m;
  if (away * away < 9 * (m + variance)) return std::fmax(0.0, m * (d + variance) / (m + variance));
  double n = std::fmax(d, 0.1 * m < 1 ? 0.1 * m : 1.0);
  for (int i = 0; i < 6; ++i) {
    const double miss = std::log(m / n) - (n - d) / variance;
    const double curvature = 1 / n + 1 / variance;
    n = std::fmax(0.1 * n, n + miss / curvature);
    if (miss * miss < 0.1 * curvature) break;
  }
  return n;
}

/// ln n! for whole n >= 0: a table for n < 16, Stirling's series beyond (2e-12).
KOKKOS_FUNCTION inline double log_factorial(double n) {
  constexpr double of_few[] = {0,
                               0,
                               0.6931471805599453,
                               1.791759469228055,
                               3.1780538303479458,
                               4.787491742782046,
                               6.579251212010101,
                               8.525161361065415,
                               10.60460290274525,
                               12.801827480081469,
                               15.104412573075516,
                               17.502307845873887,
                               19.987214495661885,
                               22.552163853123425,
                               25.19122118273868,
                               27.89927138384089};
  if (n < 16) return of_few[static_cast<int>(n)];
  const double per_n = 1 / n, per_n2 = per_n * per_n;
  const double series = per_n * (1.0 / 12 - per_n2 * (1.0 / 360 - per_n2 * (1.0 / 1260)));
  return (n + 0.5) * std::log(n) - n + 0.9189385332046727 + series;
}

/// Sums t(n) = Poisson(n; m) normal(d - n) from a likely n up and down, each term from its neighbour,
///     t(n + 1) / t(n) = m / (n + 1) exp((d - n - 1/2) / readout^2),
/// until terms matter no more: they fall ever faster on both sides of the largest. As n Poisson(n; m) =
/// m Poisson(n - 1; m), the mean of n by these terms is m p(d - 1) / p(d).
KOKKOS_FUNCTION inline NoisyPhotons noisy_photons(double d, double m, double readout) {
  constexpr double negligible = 1e-17;
  const double per_variance = 1 / (readout * readout), fall = std::exp(-per_variance);
  const double top = std::round(likely_photons(d, m, readout)), away = d - top;
  double sum = 1, moment = 0; // in units of t(top); of n - top
  double part = 1, ratio = m * std::exp((away - 0.5) * per_variance);
  // Counted in whole steps: next to 2^53 photons top + 1 is top.
  for (int i = 1; part > negligible * sum; ++i) {
    part *= ratio / (top + i);
    ratio *= fall;
    sum += part;
    moment += i * part;
  }
  part = 1;
  ratio = std::exp(-(away + 0.5) * per_variance) / m;
  for (int i = 1; i <= top && part > negligible * sum; ++i) {
    part *= ratio * (top - i + 1);
    ratio *= fall;
    sum += part;
    moment -= i * part;
  }
  const double log_poisson = top * std::log(m) - m - log_factorial(top);
  return {log_poisson - 0.5 * away * away * per_variance +
              std::log(0.3989422804014327 * sum / readout),
          (top + moment / sum) / m};
}

/// Photons read with normal noise. Since d Poisson(n; m) / dm = Poisson(n - 1; m) - Poisson(n; m),
///     slope = 1 - p(d - 1) / p(d).
/// The information is that of a normal with V = m + readout^2, right to 1 / V where either is large. m > 0.
/// Not a number where d is none, or so large (10^15) that photons cannot be counted one by one.
KOKKOS_FUNCTION inline PixelFit fit_noisy_photons(double d, double m, double readout) {
  if (readout < silent_readout) return fit_poisson(std::fmax(0.0, std::round(d)), m);
  const NoisyPhotons p = noisy_photons(d, m, readout);
  const double value = std::isfinite(p.ratio) ? -p.log_density : NAN; // sums may overflow
  return {value, 1 - p.ratio, 1 / (m + readout * readout)};
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
