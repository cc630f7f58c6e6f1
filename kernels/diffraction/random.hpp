// Random numbers by counter (Philox 4x32-10): any number of any stream without those before it.
#pragma once

#include "kernels/geometry/vec3.hpp"

#include <cstddef>
#include <cstdint>

namespace kilobragg::diffraction {

/// Four 32-bit words.
struct Words4 {
  std::uint32_t w[4] = {0, 0, 0, 0};
};

inline constexpr std::uint32_t philox_factor0 = 0xD2511F53, philox_factor1 = 0xCD9E8D57,
                               philox_step0 = 0x9E3779B9, philox_step1 = 0xBB67AE85;

/// Philox 4x32 with 10 rounds (Salmon, Moraes, Dror, Shaw 2011): a keyed bijection of the counter.
KOKKOS_FUNCTION constexpr Words4 philox(Words4 counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{philox_factor0} * counter.w[0];
    const std::uint64_t b = std::uint64_t{philox_factor1} * counter.w[2];
    counter = {
        {static_cast<std::uint32_t>(b >> 32) ^ counter.w[1] ^ key0, static_cast<std::uint32_t>(b),
         static_cast<std::uint32_t>(a >> 32) ^ counter.w[3] ^ key1, static_cast<std::uint32_t>(a)}};
    key0 += philox_step0;
    key1 += philox_step1;
  }
  return counter;
}

/// Uniform in (0, 1), never 0 or 1, from 32 bits.
KOKKOS_FUNCTION constexpr double open_uniform(std::uint32_t word) {
  return (static_cast<double>(word) + 0.5) * (1.0 / 4294967296.0);
}

/// A stream of random numbers that depends on (seed, image, stream, item) alone. Keep one per purpose
/// and, for pixels, one per pixel, so that drawing more for one does not shift the others.
class RandomStream {
public:
  KOKKOS_FUNCTION constexpr RandomStream(std::uint64_t seed, std::uint32_t image,
                                         std::uint32_t stream, std::uint32_t item = 0)
      : key0_(static_cast<std::uint32_t>(seed))
      , key1_(static_cast<std::uint32_t>(seed >> 32))
      , counter_{{0, item, image, stream}} {}

  /// The same stream where its first four words are known already, as from first_words().
  KOKKOS_FUNCTION constexpr RandomStream(std::uint64_t seed, std::uint32_t image,
                                         std::uint32_t stream, std::uint32_t item,
                                         const Words4& first)
      : RandomStream(seed, image, stream, item) {
    block_ = first;
    counter_.w[0] = 1;
    used_ = 0;
  }

  /// 32 random bits.
  KOKKOS_FUNCTION constexpr std::uint32_t bits() {
    if (used_ == 4) {
      block_ = philox(counter_, key0_, key1_);
      ++counter_.w[0];
      used_ = 0;
    }
    return block_.w[used_++];
  }
  /// Uniform in (0, 1).
  KOKKOS_FUNCTION constexpr double uniform() { return open_uniform(bits()); }
  KOKKOS_FUNCTION constexpr double uniform(double low, double high) {
    return low + (high - low) * uniform();
  }
  /// Standard normal (Box and Muller, the cosine half).
  KOKKOS_FUNCTION double normal() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(6.283185307179586 * uniform());
  }

private:
  std::uint32_t key0_, key1_;
  Words4 counter_, block_;
  int used_ = 4;
};

/// The first four words of `count` streams of consecutive items: Philox on many counters at once,
/// which compilers turn into vector code.
template <std::size_t count>
KOKKOS_FUNCTION constexpr void first_words(std::uint64_t seed, std::uint32_t image,
                                           std::uint32_t stream, std::uint32_t first_item,
                                           Words4 (&words)[count]) {
  std::uint32_t w0[count], w1[count], w2[count], w3[count];
  for (std::size_t i = 0; i < count; ++i) {
    w0[i] = 0;
    w1[i] = first_item + static_cast<std::uint32_t>(i);
    w2[i] = image;
    w3[i] = stream;
  }
  std::uint32_t key0 = static_cast<std::uint32_t>(seed),
                key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round, key0 += philox_step0, key1 += philox_step1)
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t a = std::uint64_t{philox_factor0} * w0[i];
      const std::uint64_t b = std::uint64_t{philox_factor1} * w2[i];
      w0[i] = static_cast<std::uint32_t>(b >> 32) ^ w1[i] ^ key0;
      w1[i] = static_cast<std::uint32_t>(b);
      w2[i] = static_cast<std::uint32_t>(a >> 32) ^ w3[i] ^ key1;
      w3[i] = static_cast<std::uint32_t>(a);
    }
  for (std::size_t i = 0; i < count; ++i) words[i] = {{w0[i], w1[i], w2[i], w3[i]}};
}

/// ln k! by Stirling's series, with the first few from a product.
KOKKOS_FUNCTION inline double log_factorial(double k) {
  if (k < 10) {
    double product = 1;
    for (int i = 2; i <= static_cast<int>(k); ++i) product *= i;
    return std::log(product);
  }
  const double n = k + 1, inverse = 1 / n, square = inverse * inverse;
  return (n - 0.5) * std::log(n) - n + 0.9189385332046727 +
         inverse * (1.0 / 12 - square * (1.0 / 360 - square * (1.0 / 1260)));
}

/// Poisson deviate of mean `mean`: inversion below 10, above it transformed rejection (Hoermann 1993,
/// PTRS). Means above 2e9 give the largest int32.
KOKKOS_FUNCTION inline std::int32_t poisson(RandomStream& random, double mean) {
  if (!(mean > 0)) return 0;
  if (mean > 2e9) return 2147483647;
  if (mean < 10) {
    const double fine = 1.0 / 4294967296.0;
    double rest = random.uniform() + (random.uniform() - 0.5) * fine;
    double term = std::exp(-mean);
    std::int32_t k = 0;
    while (rest > term && k < 200) {
      rest -= term;
      term *= mean / ++k;
    }
    return k;
  }
  const double root = std::sqrt(mean), b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2);
  while (true) {
    const double u = random.uniform() - 0.5, v = random.uniform(), us = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= v_r) return static_cast<std::int32_t>(k);
    if (k < 0 || (us < 0.013 && v > us)) continue;
    if (std::log(v * inverse_alpha / (a / (us * us) + b)) <=
        k * std::log(mean) - mean - log_factorial(k))
      return static_cast<std::int32_t>(k);
  }
}

} // namespace kilobragg::diffraction
