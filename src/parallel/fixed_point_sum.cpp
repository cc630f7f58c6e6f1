// Fixed-point sums with overflow checks.
#include "kilobragg/parallel/fixed_point_sum.hpp"

namespace kilobragg::parallel {

std::int64_t to_fixed_point(double value, double scale, const std::string& name) {
  const double scaled = value * scale;
  core::require(std::isfinite(scaled) && std::abs(scaled) < 0x1p62,
                "{} cannot be added (its value {} is not finite or beyond the range of a sum with "
                "resolution {})",
                name, value, 1 / scale);
  return std::llround(scaled);
}

FixedPointSum::FixedPointSum(double scale, std::string name)
    : scale_(scale)
    , name_(std::move(name)) {}

void FixedPointSum::add(double value) { add_total(to_fixed_point(value, scale_, name_)); }

void FixedPointSum::add(const FixedPointSum& other) {
  core::require(other.scale_ == scale_, "{} mixes sums of scale {} and {}", name_, scale_,
                other.scale_);
  add_total(other.total_);
}

void FixedPointSum::add_total(std::int64_t amount) {
  core::require(!__builtin_add_overflow(total_, amount, &total_),
                "{} overflows (its total would pass 2^63 steps of {})", name_, 1 / scale_);
}

} // namespace kilobragg::parallel
