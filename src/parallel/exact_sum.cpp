// Carries, and the one rounding at the end.
#include "kilobragg/parallel/exact_sum.hpp"

#include "kilobragg/core/error.hpp"

#include <cmath>
#include <limits>
#include <vector>

namespace kilobragg::parallel {
namespace {

constexpr std::int64_t most_summands = std::int64_t(1) << 31;
constexpr int mantissa_bits = 53;
/// Positions of bits count from 2^-2148; that of the least subnormal, 2^-1074.
constexpr int least_position = 1074, weight_of_position_0 = -2148;

using Limbs = std::array<std::int64_t, exact_limbs>;

/// Digits become those of a number in base 2^32 but for the last.
void carry_digits(Limbs& limbs) {
  for (int i = 0; i + 1 < exact_digits; ++i) {
    auto& limb = limbs[std::size_t(i)];
    const std::int64_t carried = limb >> 32; // towards minus infinity
    limbs[std::size_t(i) + 1] += carried;
    limb -= carried * (std::int64_t(1) << 32);
  }
}

/// Bits of a number with carries done and no sign.
class Bits {
public:
  explicit Bits(const Limbs& limbs)
      : limbs_(limbs) {}

  /// Position of the highest bit, -1 for zero.
  int highest() const {
    for (int i = exact_digits; i-- > 0;)
      if (const std::uint64_t limb = digit(i); limb != 0)
        return 32 * i + 63 - __builtin_clzll(limb);
    return -1;
  }
  /// The number divided by 2^position, below 2^64, without its fraction.
  std::uint64_t from(int position) const {
    const int limb = position / 32, shift = position % 32;
    const std::uint64_t low = digit(limb) | digit(limb + 1) << 32;
    return shift == 0 ? low : low >> shift | digit(limb + 2) << (64 - shift);
  }
  bool at(int position) const { return position >= 0 && (from(position) & 1) != 0; }
  bool any_below(int position) const {
    if (position <= 0) return false;
    const int limb = position / 32;
    for (int i = 0; i < limb; ++i)
      if (digit(i) != 0) return true;
    return (digit(limb) & ((std::uint64_t(1) << position % 32) - 1)) != 0;
  }

private:
  std::uint64_t digit(int i) const {
    return i < exact_digits ? static_cast<std::uint64_t>(limbs_[std::size_t(i)]) : 0;
  }
  const Limbs& limbs_;
};

double rounded(const Bits& bits) {
  const int last = std::max(bits.highest() - (mantissa_bits - 1), least_position);
  std::uint64_t mantissa = bits.from(last);
  const bool half = bits.at(last - 1), more = bits.any_below(last - 1);
  if (half && (more || (mantissa & 1) != 0)) ++mantissa;
  return std::ldexp(static_cast<double>(mantissa), last + weight_of_position_0);
}

} // namespace

void ExactSum::carry() {
  carry_digits(limbs_);
  summands_ = 1; // digits are no larger than those of one summand
}

void ExactSum::make_room(std::int64_t summands) {
  if (summands_ + summands >= most_summands) carry();
  summands_ += summands;
}

void ExactSum::add(double value) {
  make_room(1);
  add_exactly(limbs_, value);
}

void ExactSum::add_product(double a, double b) {
  make_room(1);
  add_product_exactly(limbs_, a, b);
}

void ExactSum::add(const ExactSum& other) { add_limbs(other.limbs_, other.summands_); }

void ExactSum::add_limbs(std::span<const std::int64_t, exact_limbs> limbs, std::int64_t summands) {
  core::require(summands < most_summands, "a sum of {} values has no room for its carries",
                summands);
  make_room(summands);
  for (std::size_t i = 0; i < exact_limbs; ++i) limbs_[i] += limbs[i];
}

std::span<std::int64_t, exact_limbs> ExactSum::limbs() {
  carry();
  return limbs_;
}

double ExactSum::value() const {
  const bool up = limbs_[exact_infinity] != 0, down = limbs_[exact_minus_infinity] != 0;
  if (limbs_[exact_nan] != 0 || (up && down)) return std::numeric_limits<double>::quiet_NaN();
  if (up || down) return (up ? 1 : -1) * std::numeric_limits<double>::infinity();
  Limbs limbs = limbs_;
  carry_digits(limbs);
  const bool negative = limbs[exact_digits - 1] < 0;
  if (negative) {
    for (auto& limb : limbs) limb = -limb;
    carry_digits(limbs);
  }
  const double size = rounded(Bits(limbs));
  return negative ? -size : size;
}

void all_sum(const Communicator& communicator, std::span<ExactSum> sums) {
  if (communicator.size() == 1) return;
  std::vector<std::int64_t> limbs;
  limbs.reserve(sums.size() * exact_limbs);
  for (ExactSum& sum : sums) {
    const auto mine = sum.limbs();
    limbs.insert(limbs.end(), mine.begin(), mine.end());
  }
  communicator.all_sum(std::span(limbs));
  for (std::size_t i = 0; i < sums.size(); ++i) {
    sums[i] = ExactSum();
    sums[i].add_limbs(std::span(limbs).subspan(i * exact_limbs).first<exact_limbs>(),
                      communicator.size());
  }
}

} // namespace kilobragg::parallel
