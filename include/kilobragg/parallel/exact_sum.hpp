// Sums of doubles and of products without any rounding before the end, so that order and place do not matter.
#pragma once

#include "kernels/sums/exact_limbs.hpp"

#include "kilobragg/parallel/communicator.hpp"

#include <array>
#include <cstdint>
#include <span>

namespace kilobragg::parallel {

/// Holds the exact sum of what was added, over the whole range of doubles and of their products (U. Kulisch,
/// Computer arithmetic and validity, 2013, chapter 8). For sums whose range is not known, where
/// FixedPointSum needs a scale; about 10 ns per summand and 1 KB per sum.
class ExactSum {
public:
  void add(double value);
  void add_product(double a, double b);
  void add(const ExactSum& other);
  /// Adds limbs (kernels/sums/exact_limbs.hpp) to which `summands` < 2^31 values were added.
  void add_limbs(std::span<const std::int64_t, exact_limbs> limbs, std::int64_t summands);

  /// The exact sum rounded once, to the nearest double, halves to even; a sum of zero is +0. Infinite
  /// beyond the range. With infinities among the summands it is that of their sum, with NaN it is NaN.
  double value() const;

  /// The limbs, carries done: digits in [0, 2^32) but for the last, which has the sign.
  std::span<std::int64_t, exact_limbs> limbs();

private:
  void make_room(std::int64_t summands);
  void carry();

  std::array<std::int64_t, exact_limbs> limbs_{};
  std::int64_t summands_ = 0; ///< since the last carry
};

/// Each sum becomes the sum over all ranks (up to 2^20 of them), in one message. Collective.
void all_sum(const Communicator& communicator, std::span<ExactSum> sums);

} // namespace kilobragg::parallel
