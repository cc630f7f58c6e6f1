// Loading and summing the pixels of one reflection.
#include "box_summation.hpp"

#include "lanes.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace kilobragg::integration {
namespace {

constexpr double min_background = 10; // pixels that a plane needs

/// Whether the first `count` of a full set of lanes are 1; eight at a time where there are eight.
bool all_ones(const std::uint8_t* flags, int count) {
  if (count < lane_count) return std::all_of(flags, flags + count, [](auto f) { return f == 1; });
  std::uint64_t all = 0;
  std::memcpy(&all, flags, sizeof all);
  return all == 0x0101010101010101u;
}

/// Reads an element of every cache line of a row. Boxes are scattered over an image larger than the
/// cache; in a loop as short as this the waits for all rows overlap, which saves a quarter of the time
/// (prefetch instructions do not: they are dropped where the page is not at hand).
template <typename T>
void touch(const T* row, int width) {
  constexpr int step = 64 / sizeof(T);
  for (int x = 0; x < width; x += step) static_cast<void>(*static_cast<const volatile T*>(row + x));
  static_cast<void>(*static_cast<const volatile T*>(row + width - 1));
}

} // namespace

void BoxPixels::place(const models::PixelBox& box, const models::PanelWindow& window) {
  box_ = box;
  const int x0 = std::max(box.x0, 0), x1 = std::min(box.x1, window.width);
  const int y0 = std::max(box.y0, 0), y1 = std::min(box.y1, window.height);
  part_ = {x0, y0, std::max(x1 - x0, 0), std::max(y1 - y0, 0), 0};
  part_.stride = (part_.width + lane_count - 1) / lane_count * lane_count;
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
  const int x1 = part_.x0 + part_.width, y1 = part_.y0 + part_.height;
  first_row_ = std::max(mask.y0, part_.y0) - part_.y0;
  end_row_ = std::min(mask.y1, y1) - part_.y0;
  if (mask.x0 >= part_.x0 && mask.x1 <= x1 && mask.y0 >= part_.y0 && mask.y1 <= y1) return true;
  for (int y = mask.y0; y < mask.y1; ++y) {
    const std::uint8_t* row = foreground.row(y);
    const bool row_loaded = y >= part_.y0 && y < y1;
    for (int x = mask.x0; x < mask.x1; ++x)
      if (row[x - mask.x0] != 0 && !(row_loaded && x >= part_.x0 && x < x1)) return false;
  }
  return first_row_ < end_row_;
}

template <typename T>
void BoxPixels::load_row(int row, const T* raw, const std::uint8_t* usable,
                         const PixelCalibration& calibration) {
  double* value = value_.data() + row_start(row);
  double* weight = background_.data() + row_start(row);
  const Lanes one = Lanes{} + 1.0;
  for (int x = 0; x < part_.stride; x += lane_count) {
    const int count = std::min(part_.width - x, lane_count);
    LanesOf<T> pixels;
    if (count == lane_count)
      load_lanes(pixels, raw + x);
    else
      load_lanes(pixels, raw + x, count);
    const Lanes p = __builtin_convertvector(pixels, Lanes);
    const auto good = (p >= calibration.trusted_min) & (p <= calibration.trusted_max);
    store_lanes(good ? (p - calibration.pedestal) * calibration.inverse_gain : Lanes{}, value + x);
    store_lanes(good ? one : Lanes{}, weight + x);
    if (usable == nullptr || all_ones(usable + x, count)) continue;
    for (int i = 0; i < count; ++i)
      if (usable[x + i] == 0) value[x + i] = weight[x + i] = 0;
  }
  for (int x = part_.width; x < part_.stride; ++x) value[x] = weight[x] = 0;
}

/// Moves the foreground's weights of one row out of the background; false if one of them is 0.
bool BoxPixels::take_foreground(int row, const ForegroundMask& foreground) {
  double* background = background_.data() + row_start(row);
  double* weight = foreground_.data() + row_start(row);
  const int x0 = std::max(foreground.box.x0, part_.x0);
  const int x1 = std::min(foreground.box.x1, part_.x0 + part_.width);
  const std::uint8_t* inside = foreground.row(part_.y0 + row) + (x0 - foreground.box.x0);
  std::fill(weight, weight + part_.stride, 0.0);
  weight += x0 - part_.x0;
  background += x0 - part_.x0;
  double marked = 0, usable = 0;
  for (int x = 0; x < x1 - x0; ++x) {
    const double mark = inside[x];
    weight[x] = mark * background[x];
    background[x] -= weight[x];
    marked += mark;
    usable += weight[x];
  }
  n_foreground_ += static_cast<int>(usable);
  return usable == marked;
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
    touch(pixels + start(row), part_.width);
    if (usable != nullptr) touch(usable + start(row), part_.width);
  }
  for (int row = 0; row < part_.height; ++row) {
    const std::size_t at = start(row);
    load_row(row, pixels + at, usable == nullptr ? nullptr : usable + at, calibration);
    if (row >= first_row_ && row < end_row_ && !take_foreground(row, foreground)) return false;
  }
  return true;
}

/// Sums over the background. With `reject`, pixels farther than `threshold` from `plane` lose their
/// weight first.
template <bool reject>
BoxPixels::BackgroundSums BoxPixels::background_sums(const Plane& plane, double threshold) {
  BackgroundSums sums;
  PlaneSums& s = sums.plane;
  for (int column = 0; column < part_.stride; column += lane_count) {
    Lanes x, w{}, wy{}, wyy{}, p{}, py{}, pp{};
    load_lanes(x, x_.data() + column);
    const Lanes slope = plane.c + plane.a * x;
    for (int row = 0; row < part_.height; ++row) {
      const double y = row_y(row);
      Lanes weight, value;
      load_lanes(weight, background_.data() + row_start(row) + column);
      load_lanes(value, value_.data() + row_start(row) + column);
      if constexpr (reject) {
        const Lanes residual = value - (slope + plane.b * y);
        const auto outlier = (residual > threshold) | (residual < -threshold);
        weight = outlier ? Lanes{} : weight;
        store_lanes(weight, background_.data() + row_start(row) + column);
      }
      const Lanes weighted = weight * value;
      w += weight;
      wy += y * weight;
      wyy += y * y * weight;
      p += weighted;
      py += y * weighted;
      pp += weighted * value;
    }
    s.w += total(w), s.x += total(x * w), s.xx += total(x * x * w);
    s.y += total(wy), s.xy += total(x * wy), s.yy += total(wyy);
    s.p += total(p), s.xp += total(x * p), s.yp += total(py);
    sums.pp += total(pp);
  }
  return sums;
}

BoxPixels::ForegroundSums BoxPixels::foreground_sums(const Plane& plane) {
  ForegroundSums sums;
  for (int column = 0; column < part_.stride; column += lane_count) {
    Lanes x, p{}, b{}, s{}, sy{}, syy{}, ss{};
    load_lanes(x, x_.data() + column);
    const Lanes slope = plane.c + plane.a * x;
    for (int row = first_row_; row < end_row_; ++row) {
      const double y = row_y(row);
      Lanes weight, value;
      load_lanes(weight, foreground_.data() + row_start(row) + column);
      load_lanes(value, value_.data() + row_start(row) + column);
      const Lanes under = weight * (slope + plane.b * y), pixel = weight * value;
      const Lanes above = pixel - under;
      const Lanes signal = above > 0.0 ? above : Lanes{};
      p += pixel;
      b += under;
      s += signal;
      sy += y * signal;
      syy += y * y * signal;
      ss += signal * signal;
    }
    sums.p += total(p), sums.b += total(b), sums.s += total(s), sums.ss += total(ss);
    sums.sx += total(x * s), sums.sxx += total(x * x * s);
    sums.sy += total(sy), sums.syy += total(syy);
  }
  return sums;
}

/// Mean, dispersion and mean squared residual of the used background; flags a negative mean.
void BoxPixels::fill_background(const BackgroundSums& used, const Plane& plane,
                                models::IntegratedReflection& r) const {
  const PlaneSums& s = used.plane;
  r.background_mean = s.p / s.w;
  if (r.background_mean < 0) {
    r.flags |= models::flag_dont_integrate | models::flag_failed_during_background_modelling;
    return;
  }
  const double scatter = used.pp - r.background_mean * s.p;
  // Residuals of a least-squares plane are orthogonal to it.
  const double explained =
      plane.a * (s.xp - s.x * r.background_mean) + plane.b * (s.yp - s.y * r.background_mean);
  r.background_mse = std::max(scatter - explained, 0.0) / s.w;
  r.background_dispersion = r.background_mean > 0 ? scatter / (s.w - 1) / r.background_mean : 0;
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
  Plane plane;
  const PlaneSums all = background_sums<false>(plane, 0).plane;
  if (all.w < min_background || !solve_plane(all, plane)) return false;
  // DIALS takes the level at the centre of the pixel after the middle where the width is even.
  const double level =
      plane.at(box_.width() % 2 == 0 ? 0.5 : 0.0, box_.height() % 2 == 0 ? 0.5 : 0.0);
  const BackgroundSums used =
      background_sums<true>(plane, params.outlier_nsigma * std::sqrt(std::abs(level)));
  if (used.plane.w < min_background || !solve_plane(used.plane, plane)) return false;
  const ForegroundSums foreground = foreground_sums(plane);

  r.n_foreground = n_foreground_;
  r.n_background = static_cast<int>(all.w);
  r.n_background_used = static_cast<int>(used.plane.w);
  r.n_valid = r.n_foreground + r.n_background;
  const double spread = 1 + r.n_foreground / used.plane.w;
  r.intensity = foreground.p - foreground.b;
  r.variance = params.detector_gain * (std::abs(r.intensity) + std::abs(foreground.b) * spread);
  r.background_sum = foreground.b;
  r.background_variance = params.detector_gain * foreground.b * spread;
  if (!(r.variance > 0) || !std::isfinite(r.variance) || r.background_variance == 0) return false;
  fill_background(used, plane, r);
  if (r.n_valid < box_.width() * box_.height())
    r.flags |= models::flag_background_includes_bad_pixels;
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
