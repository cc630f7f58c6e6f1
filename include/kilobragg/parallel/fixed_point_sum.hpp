// Sums that do not depend on order or placement: int64 fixed point with a scale and overflow checks.
#pragma once

#include "kilobragg/core/error.hpp"

#include <cmath>
#include <cstdint>
#include <string>

namespace kilobragg::parallel {

/// Adds doubles as multiples of 1/scale. Integer addition is associative, so any order and any
/// distribution over ranks gives the same bits. `name` is for the message when a sum would overflow.
class FixedPointSum {
public:
  /// Values are rounded to multiples of 1/scale; |sum| must stay below 2^63 / scale.
  explicit FixedPointSum(double scale, std::string name = "sum");

  /// Throws core::Error if `value` is not finite or the sum would overflow.
  void add(double value);
  /// Adds another sum of the same scale.
  void add(const FixedPointSum& other);
  double value() const { return static_cast<double>(total_) / scale_; }
  std::int64_t total() const { return total_; }
  void set_total(std::int64_t total) { total_ = total; }
  double scale() const { return scale_; }

private:
  void add_total(std::int64_t amount);
  std::int64_t total_ = 0;
  double scale_;
  std::string name_;
};

/// `value` as a multiple of 1/scale, rounded to nearest. Throws core::Error beyond +-2^62.
std::int64_t to_fixed_point(double value, double scale, const std::string& name = "value");

} // namespace kilobragg::parallel
