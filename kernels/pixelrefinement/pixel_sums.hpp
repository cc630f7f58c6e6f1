// Sums over pixels of likelihood, slope and information, eight pixels at once where the host runs.
#pragma once

#include "kernels/diffraction/wide.hpp"
#include "kernels/pixelrefinement/likelihood.hpp"

namespace kilobragg::pixelrefinement {

using diffraction::BitsOf;
using diffraction::lane;
using diffraction::lanes;
using diffraction::select;

/// Which sums are wanted: f and slope; slope and information.
enum class PixelSum { Fit, Information };

/// Sums over some pixels of a segment, or of pixels that several segments share.
struct StreamSums {
  double f = 0;           ///< -ln p, less what does not depend on the model
  double slope = 0;       ///< df / d ln c
  double information = 0; ///< of ln c

  KOKKOS_FUNCTION StreamSums& operator+=(const StreamSums& other) {
    f += other.f;
    slope += other.slope;
    information += other.information;
    return *this;
  }
};

/// The logarithm of a product: exponents are counted, and only the last mantissas need a logarithm.
template <typename T>
struct LogProduct {
  T product = T{} + 1.0;
  BitsOf<T> exponent{};

  /// 2^-200 < v < 2^200; at most five between two calls of settle().
  KOKKOS_FUNCTION void multiply(const T& v) { product = product * v; }
  KOKKOS_FUNCTION void settle() {
    const BitsOf<T> bits = diffraction::bits_of(product);
    exponent = exponent + ((bits >> 52) - 1023);
    product = diffraction::number_of_bits<T>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  }
  /// Of all lanes.
  KOKKOS_FUNCTION double total() {
    settle();
    return static_cast<double>(diffraction::sum_of_lanes(exponent)) * 0.6931471805599453 +
           std::log(diffraction::product_of_lanes(product));
  }
};

/// Few photons, as most pixels have, spare the logarithm: ln of all m^d together is that of one product.
/// Few are whole d from 0 to 15 on a background between 2^-11 and 2^11 and light below 2^11, so that m^d
/// stays between 2^-180 and 2^180.
enum class Photons { Any, Few };
inline constexpr double few_photons = 15, few_photons_light = 2048;

/// v^n, n the last four bits.
template <typename T>
KOKKOS_FUNCTION inline T small_power(const T& v, const BitsOf<T>& n) {
  const T v2 = v * v, v4 = v2 * v2, v8 = v4 * v4;
  T p = select((n & 1) != 0, v, T{} + 1.0);
  p = select((n & 2) != 0, p * v2, p);
  p = select((n & 4) != 0, p * v4, p);
  return select((n & 8) != 0, p * v8, p);
}

/// Pixels in the lanes: model m = background + light, light = c kernel.
template <typename T>
struct StreamPixels {
  T value, background, kernel;
  T variance; ///< readout^2
};

template <typename T>
KOKKOS_FUNCTION inline T constant(double v) {
  return T{} + v;
}

/// What the pixels of one segment add up to; formulas as in likelihood.hpp, halves taken at the end.
template <Likelihood likelihood, PixelSum wanted, typename T, Photons photons = Photons::Any>
struct SegmentFit {
  static constexpr bool by_product = likelihood == Likelihood::Normal || photons == Photons::Few;
  LogProduct<T> log_v; ///< of V, or of m^d
  T value{}, slope{}, information{};

  KOKKOS_FUNCTION void add(const StreamPixels<T>& p, double c) {
    const T light = c * p.kernel, m = p.background + light;
    add_terms(p.value, m, light, m + p.variance);
  }
  /// The lanes before `count` only: the others become pixels of a model that is nearly nothing.
  KOKKOS_FUNCTION void add_some(const StreamPixels<T>& p, double c, int count) {
    const auto in = diffraction::counted_from<T>(0) < static_cast<double>(count);
    const T light = select(in, c * p.kernel, constant<T>(0));
    const T m = select(in, p.background + light, constant<T>(1e-300));
    add_terms(select(in, p.value, constant<T>(0)), m, light,
              select(in, m + p.variance, constant<T>(1)));
  }

  KOKKOS_FUNCTION void add_terms(const T& d, const T& m, const T& light, const T& v) {
    if constexpr (likelihood == Likelihood::Normal) {
      const T u = d - m;
      const T per_v = 1.0 / v, q = u * per_v;
      if constexpr (wanted != PixelSum::Information) {
        value = value + u * q;
        log_v.multiply(v);
      }
      slope = slope + (light * per_v) * (1.0 - u * (2.0 + q));
      if constexpr (wanted == PixelSum::Information)
        information = information + light * light * (per_v * (1.0 + 0.5 * per_v));
    } else {
      const T ratio = light / m;
      if constexpr (wanted != PixelSum::Information && by_product) {
        constexpr double shift = 6755399441055744.0; // brings whole numbers to the last bits
        value = value + m;
        log_v.multiply(small_power(m, diffraction::bits_of(d + shift)));
      } else if constexpr (wanted != PixelSum::Information)
        value = value + (m - d * diffraction::log_of(m));
      slope = slope + (light - d * ratio);
      if constexpr (wanted == PixelSum::Information) information = information + light * ratio;
    }
  }
  KOKKOS_FUNCTION void settle() {
    if constexpr (by_product) log_v.settle();
  }

  KOKKOS_FUNCTION StreamSums total() {
    using diffraction::sum_of_lanes;
    StreamSums sums{sum_of_lanes(value), sum_of_lanes(slope), sum_of_lanes(information)};
    if constexpr (likelihood == Likelihood::Normal) {
      sums.f = 0.5 * (sums.f + log_v.total());
      sums.slope *= 0.5;
    } else if constexpr (by_product) {
      sums.f -= log_v.total();
    }
    return sums;
  }
};

/// One pixel with the convolved likelihood.
template <PixelSum wanted>
KOKKOS_FUNCTION inline StreamSums noisy_sums(const StreamPixels<double>& p, double c) {
  const double light = c * p.kernel, m = p.background + light;
  if (!(m > 0) || !(m < 1e12)) return {NAN, 0, 0};
  const PixelFit fit = fit_noisy_photons(p.value, m, std::sqrt(p.variance));
  return {fit.value, light * fit.slope, light * light * fit.information};
}

/// What is known of each pixel in the lanes by itself, where several segments share it: f (without what
/// does not depend on the model), its slope and information.
template <typename T>
struct SharedFit {
  T f, slope, information;
};
template <Likelihood likelihood, typename T>
KOKKOS_FUNCTION inline SharedFit<T> fit_shared(const T& d, const T& m, const T& variance) {
  if constexpr (likelihood == Likelihood::Normal) {
    const T v = m + variance, u = d - m, per_v = 1.0 / v, q = u * per_v;
    return {0.5 * (diffraction::log_of(v) + u * q), 0.5 * per_v * (1.0 - u * (2.0 + q)),
            per_v * (1.0 + 0.5 * per_v)};
  } else if constexpr (likelihood == Likelihood::Poisson) {
    const T per_m = 1.0 / m;
    return {m - d * diffraction::log_of(m), 1.0 - d * per_m, per_m};
  } else {
    SharedFit<T> all{};
    for (int i = 0; i < lanes<T>; ++i) {
      const double mi = lane(m, i);
      PixelFit fit{NAN, 0, 0};
      if (mi > 0 && mi < 1e12)
        fit = fit_noisy_photons(lane(d, i), mi, std::sqrt(lane(variance, i)));
      diffraction::set_lane(all.f, i, fit.value);
      diffraction::set_lane(all.slope, i, fit.slope);
      diffraction::set_lane(all.information, i, fit.information);
    }
    return all;
  }
}

} // namespace kilobragg::pixelrefinement
