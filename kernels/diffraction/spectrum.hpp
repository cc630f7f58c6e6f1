// A Gaussian peak summed over the channels of a spectrum.
#pragma once

#include "kernels/diffraction/wide.hpp"

namespace kilobragg::diffraction {

/// The channels of a beam, one direction's view: photons of channel j have the wave vector u_j k0.
struct SpectrumView {
  const double* wave_number = nullptr; ///< u = 1/lambda (1/angstrom), ascending
  int count = 0;
  double step = 0; ///< between wave numbers if they are evenly spaced, else 0
};

/// Channels first <= j < last.
struct ChannelRange {
  int first = 0, last = 0;
  KOKKOS_FUNCTION constexpr bool empty() const { return first >= last; }
};

/// Along a fixed ray the scattering vector u (k - k0) is linear in u, so that the exponent of a Gaussian
/// peak is quadratic: chi^2 = a (u - centre)^2 + least.
template <typename T>
struct SpectralPeak {
  T a, centre, least;
};

/// From a = d M d, b = d M q0, c = q0 M q0 with d = k - k0: chi^2 = a u^2 - 2 b u + c. In the direct beam a
/// and b are rounding errors of what they are differences of, `size` (k0 M k0): chi^2 is c then.
template <typename T>
KOKKOS_FUNCTION inline SpectralPeak<T> spectral_peak(const T& a, const T& b, double c,
                                                     double size) {
  const double floor = 4e-15 * size;
  const T width = select(a > floor, a, 0.0);
  const T centre = select(a > floor, b / larger(a, T{} + floor), 0.0);
  return {width, centre, larger(c - b * centre, T{})};
}

/// The channels of `range` that matter to any lane: within chi2_max.
template <typename T>
KOKKOS_FUNCTION inline ChannelRange channels_near(const SpectrumView& spectrum,
                                                  const ChannelRange& range,
                                                  const SpectralPeak<T>& peak, double chi2_max) {
  if (!(least(peak.least) < chi2_max)) return {};
  if (spectrum.step <= 0 || range.last - range.first < 8) return range;
  const T left = chi2_max - peak.least;
  const T reach = root(select(left > 0.0, left, 0.0) / (peak.a + 1e-300));
  const double per_step = 1 / spectrum.step, u0 = spectrum.wave_number[0];
  const double low = (least(peak.centre - reach) - u0) * per_step,
               high = (-least(-peak.centre - reach) - u0) * per_step + 1;
  return {low > range.first ? static_cast<int>(std::fmin(low + 1, double(range.last)))
                            : range.first,
          high < range.last ? static_cast<int>(std::fmax(high, double(range.first))) : range.last};
}

/// Moments 0 .. count - 1 of u - centre over the channels of `range`, each with the weight
/// weight[j] exp(-a (u_j - centre)^2 / 2).
template <int count, typename T>
struct SpectralMoments {
  T sum[count] = {};

  KOKKOS_FUNCTION void add(const T& value, const T& offset) {
    sum[0] = sum[0] + value;
    T power = value;
    for (int k = 1; k < count; ++k) {
      power = power * offset;
      sum[k] = sum[k] + power;
    }
  }
};

/// Any channels: one exponential each.
template <int count, typename T>
KOKKOS_FUNCTION inline SpectralMoments<count, T>
sum_any_channels(const SpectrumView& spectrum, const double* weight, const ChannelRange& range,
                 const SpectralPeak<T>& peak) {
  SpectralMoments<count, T> moments;
  for (int j = range.first; j < range.last; ++j) {
    const T offset = spectrum.wave_number[j] - peak.centre;
    moments.add(weight[j] * exp_of((-0.5 * peak.a) * offset * offset), offset);
  }
  return moments;
}

/// How many channels may follow each other by multiplication before the next exponential: so many that
/// the first of them is within 27 + 8 standard deviations of a peak that ends at 8 (where e^x is not yet
/// 0), and no more than 64, which lose 1e-12. `widths`: standard deviations per step.
KOKKOS_FUNCTION inline int channel_run(double widths) {
  return widths * 64 < 27 ? 64 : static_cast<int>(27 / widths);
}
/// Steps of more standard deviations than this are too few in a run to pay.
inline constexpr double widest_step = 1.7;

/// Evenly spaced channels: with e_j = exp(-a w_j^2 / 2), w_j = w_0 + j step, both e_(j+1) / e_j and the
/// quotient of two of those follow by multiplication, two a channel in place of an exponential.
template <int count, typename T>
KOKKOS_FUNCTION inline SpectralMoments<count, T>
sum_even_channels(const SpectrumView& spectrum, const double* weight, const ChannelRange& range,
                  const SpectralPeak<T>& peak) {
  SpectralMoments<count, T> moments;
  const double step = spectrum.step;
  const int run = channel_run(std::sqrt(-least(-peak.a)) * step);
  const T decay = exp_of((-step * step) * peak.a);
  for (int first = range.first; first < range.last; first += run) {
    const int last = first + run < range.last ? first + run : range.last;
    T offset = spectrum.wave_number[first] - peak.centre;
    T value = exp_of((-0.5 * peak.a) * offset * offset);
    T ratio = exp_of(smaller((-step * peak.a) * (offset + 0.5 * step), 600.0));
    for (int j = first; j < last; ++j) {
      moments.add(weight[j] * value, offset);
      value = value * ratio;
      ratio = ratio * decay;
      offset = offset + step;
    }
  }
  return moments;
}

/// The faster of the two.
template <int count, typename T>
KOKKOS_FUNCTION inline SpectralMoments<count, T>
sum_channels(const SpectrumView& spectrum, const double* weight, const ChannelRange& range,
             const SpectralPeak<T>& peak) {
  const bool even = spectrum.step > 0 && range.last - range.first > 3 &&
                    -least(-peak.a) * spectrum.step * spectrum.step < widest_step * widest_step;
  return even ? sum_even_channels<count>(spectrum, weight, range, peak)
              : sum_any_channels<count>(spectrum, weight, range, peak);
}

/// Channels of a tophat peak: the sum of those with chi^2 < 1.
template <typename T>
KOKKOS_FUNCTION inline T count_channels(const SpectrumView& spectrum, const double* weight,
                                        const ChannelRange& range, const SpectralPeak<T>& peak) {
  T sum{};
  for (int j = range.first; j < range.last; ++j) {
    const T offset = spectrum.wave_number[j] - peak.centre;
    sum = sum + select(peak.a * offset * offset + peak.least < 1.0, T{} + weight[j], T{});
  }
  return sum;
}

} // namespace kilobragg::diffraction
