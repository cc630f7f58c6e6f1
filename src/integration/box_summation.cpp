// Loading and summing the pixels of one reflection.
#include "box_summation.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::integration {
namespace {

constexpr int vector_length = 8;      // doubles in the widest registers
constexpr double min_background = 10; // pixels that a plane needs

} // namespace

void BoxPixels::place(const models::PixelBox& box, const models::PanelWindow& window) {
  box_ = box;
  const int x0 = std::max(box.x0, 0), x1 = std::min(box.x1, window.width);
  const int y0 = std::max(box.y0, 0), y1 = std::min(box.y1, window.height);
  part_ = {x0, y0, std::max(x1 - x0, 0), std::max(y1 - y0, 0), 0};
  part_.stride = (part_.width + vector_length - 1) / vector_length * vector_length;
  centre_x_ = 0.5 * (box.x0 + box.x1);
  centre_y_ = 0.5 * (box.y0 + box.y1);
  const auto size = row_start(part_.height);
  if (value_.size() < size) {
    value_.resize(size);
    background_.resize(size);
    foreground_.resize(size);
  }
  x_.resize(static_cast<std::size_t>(part_.stride));
  for (std::size_t x = 0; x < x_.size(); ++x)
    x_[x] = part_.x0 + static_cast<double>(x) + 0.5 - centre_x_;
}

/// Finds the rows of the foreground; false when a pixel of it is not in the loaded part.
bool BoxPixels::foreground_fits(const ForegroundMask& foreground) {
  const models::PixelBox& mask = foreground.box;
  first_row_ = part_.height;
  end_row_ = 0;
  for (int y = mask.y0; y < mask.y1; ++y) {
    const std::uint8_t* row = foreground.row(y);
    for (int x = mask.x0; x < mask.x1; ++x) {
      if (row[x - mask.x0] == 0) continue;
      const int i = x - part_.x0, j = y - part_.y0;
      if (i < 0 || j < 0 || i >= part_.width || j >= part_.height) return false;
      first_row_ = std::min(first_row_, j);
      end_row_ = std::max(end_row_, j + 1);
    }
  }
  return first_row_ < end_row_;
}

template <typename T>
void BoxPixels::load_row(int row, const T* raw, const std::uint8_t* usable,
                         const PixelCalibration& calibration) {
  double* value = value_.data() + row_start(row);
  double* weight = background_.data() + row_start(row);
  for (int x = 0; x < part_.width; ++x) {
    const auto p = static_cast<double>(raw[x]);
    const bool trusted = p >= calibration.trusted_min && p <= calibration.trusted_max;
    value[x] = trusted ? (p - calibration.pedestal) * calibration.inverse_gain : 0.0;
    weight[x] = trusted ? 1.0 : 0.0;
  }
  if (usable != nullptr)
    for (int x = 0; x < part_.width; ++x)
      if (usable[x] == 0) value[x] = weight[x] = 0;
  for (int x = part_.width; x < part_.stride; ++x) value[x] = weight[x] = 0;
}

/// Moves the foreground's weights of one row out of the background; false if one of them is 0.
bool BoxPixels::take_foreground(int row, const ForegroundMask& foreground) {
  double* background = background_.data() + row_start(row);
  double* weight = foreground_.data() + row_start(row);
  std::fill(weight, weight + part_.stride, 0.0);
  const std::uint8_t* inside = foreground.row(part_.y0 + row);
  const int x0 = std::max(foreground.box.x0, part_.x0);
  const int x1 = std::min(foreground.box.x1, part_.x0 + part_.width);
  for (int x = x0; x < x1; ++x) {
    if (inside[x - foreground.box.x0] == 0) continue;
    const int i = x - part_.x0;
    if (background[i] == 0) return false;
    background[i] = 0;
    weight[i] = 1;
    ++n_foreground_;
  }
  return true;
}

template <typename T>
bool BoxPixels::load(const models::PixelBox& box, const ForegroundMask& foreground,
                     const models::PanelWindow& window, const T* pixels, const std::uint8_t* usable,
                     const PixelCalibration& calibration) {
  place(box, window);
  if (!foreground_fits(foreground)) return false;
  n_foreground_ = 0;
  const auto start = [&](int row) {
    return window.offset + static_cast<std::size_t>(part_.y0 + row) * window.stride +
           static_cast<std::size_t>(part_.x0);
  };
  for (int row = 0; row < part_.height; ++row) {
    const std::size_t at = start(row);
    load_row(row, pixels + at, usable == nullptr ? nullptr : usable + at, calibration);
    if (row >= first_row_ && row < end_row_ && !take_foreground(row, foreground)) return false;
  }
  return true;
}

double* BoxPixels::accumulators(int count) {
  columns_.assign(row_start(count), 0.0);
  return columns_.data();
}

double BoxPixels::total(const double* column) const {
  double sum = 0;
  for (int x = 0; x < part_.stride; ++x) sum += column[x];
  return sum;
}

double BoxPixels::moment(const double* column) const {
  double sum = 0;
  for (int x = 0; x < part_.stride; ++x) sum += x_[static_cast<std::size_t>(x)] * column[x];
  return sum;
}

PlaneSums BoxPixels::plane_sums() {
  const int stride = part_.stride;
  double* __restrict w = accumulators(5);
  double* __restrict wy = w + stride;
  double* __restrict wyy = wy + stride;
  double* __restrict p = wyy + stride;
  double* __restrict py = p + stride;
  for (int row = 0; row < part_.height; ++row) {
    const double* weight = background_.data() + row_start(row);
    const double* value = value_.data() + row_start(row);
    const double y = row_y(row), yy = y * y;
    for (int x = 0; x < stride; ++x) {
      const double weighted = weight[x] * value[x];
      w[x] += weight[x];
      wy[x] += y * weight[x];
      wyy[x] += yy * weight[x];
      p[x] += weighted;
      py[x] += y * weighted;
    }
  }
  PlaneSums sums{total(w),   moment(w), total(wy), 0,        moment(wy),
                 total(wyy), total(p),  moment(p), total(py)};
  for (int x = 0; x < stride; ++x) {
    const double at = x_[static_cast<std::size_t>(x)];
    sums.xx += at * at * w[x];
  }
  return sums;
}

void BoxPixels::drop_outliers(const Plane& plane, double threshold) {
  for (int row = 0; row < part_.height; ++row) {
    double* weight = background_.data() + row_start(row);
    const double* value = value_.data() + row_start(row);
    const double start = plane.c + plane.b * row_y(row);
    for (int x = 0; x < part_.stride; ++x) {
      const double residual = value[x] - (start + plane.a * x_[static_cast<std::size_t>(x)]);
      weight[x] = std::abs(residual) > threshold ? 0.0 : weight[x];
    }
  }
}

BoxPixels::BackgroundStatistics BoxPixels::background_statistics(const Plane& plane) {
  const int stride = part_.stride;
  double* __restrict n = accumulators(4);
  double* __restrict p = n + stride;
  double* __restrict pp = p + stride;
  double* __restrict rr = pp + stride;
  for (int row = 0; row < part_.height; ++row) {
    const double* weight = background_.data() + row_start(row);
    const double* value = value_.data() + row_start(row);
    const double start = plane.c + plane.b * row_y(row);
    for (int x = 0; x < stride; ++x) {
      const double weighted = weight[x] * value[x];
      const double residual = value[x] - (start + plane.a * x_[static_cast<std::size_t>(x)]);
      n[x] += weight[x];
      p[x] += weighted;
      pp[x] += weighted * value[x];
      rr[x] += weight[x] * residual * residual;
    }
  }
  return {total(n), total(p), total(pp), total(rr)};
}

BoxPixels::ForegroundSums BoxPixels::foreground_sums(const Plane& plane) {
  const int stride = part_.stride;
  double* __restrict p = accumulators(6);
  double* __restrict b = p + stride;
  double* __restrict s = b + stride;
  double* __restrict sy = s + stride;
  double* __restrict syy = sy + stride;
  double* __restrict ss = syy + stride;
  for (int row = first_row_; row < end_row_; ++row) {
    const double* weight = foreground_.data() + row_start(row);
    const double* value = value_.data() + row_start(row);
    const double y = row_y(row), start = plane.c + plane.b * y;
    for (int x = 0; x < stride; ++x) {
      const double under = weight[x] * (start + plane.a * x_[static_cast<std::size_t>(x)]);
      const double pixel = weight[x] * value[x];
      const double signal = std::max(pixel - under, 0.0);
      p[x] += pixel;
      b[x] += under;
      s[x] += signal;
      sy[x] += y * signal;
      syy[x] += y * y * signal;
      ss[x] += signal * signal;
    }
  }
  ForegroundSums sums{total(p), total(b), total(s), moment(s), total(sy), 0, total(syy), total(ss)};
  for (int x = 0; x < stride; ++x) {
    const double at = x_[static_cast<std::size_t>(x)];
    sums.sxx += at * at * s[x];
  }
  return sums;
}

/// Centroid of what rises above the background, and its variance (unbiased second moment over the
/// sum, plus that of a pixel). Nothing above: the predicted position.
void BoxPixels::set_centroid(const ForegroundSums& f, models::IntegratedReflection& r) const {
  constexpr double pixel_variance = 1.0 / 12;
  r.px_obs = r.px_cal;
  r.px_variance = {pixel_variance, pixel_variance};
  if (!(f.s > 0)) return;
  const double x = f.sx / f.s, y = f.sy / f.s;
  r.px_obs = {centre_x_ + x, centre_y_ + y};
  const double unbiased = f.s * f.s - f.ss;
  if (!(unbiased > 0)) return;
  r.px_variance = {std::max(f.sxx - x * f.sx, 0.0) / unbiased + pixel_variance,
                   std::max(f.syy - y * f.sy, 0.0) / unbiased + pixel_variance};
}

bool BoxPixels::sum(const SummationParams& params, models::IntegratedReflection& r) {
  const PlaneSums all = plane_sums();
  Plane plane;
  if (all.w < min_background || !solve_plane(all, plane)) return false;
  // DIALS takes the level at the centre of the pixel after the middle where the width is even.
  const double level =
      plane.at(box_.width() % 2 == 0 ? 0.5 : 0.0, box_.height() % 2 == 0 ? 0.5 : 0.0);
  drop_outliers(plane, params.outlier_nsigma * std::sqrt(std::abs(level)));
  const PlaneSums used = plane_sums();
  if (used.w < min_background || !solve_plane(used, plane)) return false;
  const BackgroundStatistics background = background_statistics(plane);
  const ForegroundSums foreground = foreground_sums(plane);

  r.n_foreground = n_foreground_;
  r.n_background = static_cast<int>(all.w);
  r.n_background_used = static_cast<int>(used.w);
  r.n_valid = r.n_foreground + r.n_background;
  const double spread = 1 + r.n_foreground / used.w;
  r.intensity = foreground.p - foreground.b;
  r.variance = params.detector_gain * (std::abs(r.intensity) + std::abs(foreground.b) * spread);
  r.background_sum = foreground.b;
  r.background_variance = params.detector_gain * foreground.b * spread;
  r.background_mean = background.p / background.n;
  if (r.background_mean >= 0) {
    const double variance = (background.pp - r.background_mean * background.p) / (background.n - 1);
    r.background_dispersion = r.background_mean > 0 ? variance / r.background_mean : 0;
    r.background_mse = background.rr / background.n;
  } else {
    r.flags |= models::flag_dont_integrate | models::flag_failed_during_background_modelling;
  }
  if (r.n_valid < box_.width() * box_.height())
    r.flags |= models::flag_background_includes_bad_pixels;
  if (!(r.variance > 0) || !std::isfinite(r.variance) || r.background_variance == 0) return false;
  set_centroid(foreground, r);
  r.flags |= models::flag_integrated_sum;
  return true;
}

template bool BoxPixels::load(const models::PixelBox&, const ForegroundMask&,
                              const models::PanelWindow&, const std::uint16_t*, const std::uint8_t*,
                              const PixelCalibration&);
template bool BoxPixels::load(const models::PixelBox&, const ForegroundMask&,
                              const models::PanelWindow&, const std::int32_t*, const std::uint8_t*,
                              const PixelCalibration&);
template bool BoxPixels::load(const models::PixelBox&, const ForegroundMask&,
                              const models::PanelWindow&, const float*, const std::uint8_t*,
                              const PixelCalibration&);

} // namespace kilobragg::integration
