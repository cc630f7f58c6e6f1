// Boxes and foreground masks on one panel.
#include "box_geometry.hpp"

#include "lanes.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace kilobragg::integration {
namespace {

/// Value at t in [0, 1] of the parabola through values at 0, 1/2 and 1: c0 + c1 t + c2 t^2.
struct Parabola {
  double c0, c1, c2;
  static Parabola through(double start, double middle, double end) {
    return {start, 4 * middle - 3 * start - end, 2 * (start + end) - 4 * middle};
  }
  /// By reference, as wide vectors are passed: returned, their ABI depends on the instruction set.
  template <typename T>
  void evaluate(const T& t, T& value) const {
    value = c0 + t * (c1 + t * c2);
  }
};

/// Parallax shift (mm) over a box, interpolated through 3 x 3 exact values: it is so smooth that the
/// interpolation is good to 1e-6 px, and an exponential for every pixel corner would cost more than
/// all else together.
class ShiftOverBox {
public:
  ShiftOverBox(const models::Panel& panel, const models::PixelBox& box) {
    if (!panel.parallax) return;
    for (std::size_t j = 0; j < 3; ++j)
      for (std::size_t i = 0; i < 3; ++i) {
        const models::PanelPoint px{box.x0 + 0.5 * static_cast<double>(i) * box.width(),
                                    box.y0 + 0.5 * static_cast<double>(j) * box.height()};
        const models::PanelPoint mm = panel.pixel_to_mm(px);
        x_[j][i] = mm.x - px.x * panel.pixel_size[0];
        y_[j][i] = mm.y - px.y * panel.pixel_size[1];
      }
  }
  Parabola row_x(double t) const { return row(x_, t); }
  Parabola row_y(double t) const { return row(y_, t); }

private:
  using Grid = std::array<std::array<double, 3>, 3>;
  static Parabola row(const Grid& grid, double t) {
    std::array<double, 3> v{};
    for (std::size_t i = 0; i < 3; ++i)
      Parabola::through(grid[0][i], grid[1][i], grid[2][i]).evaluate(t, v[i]);
    return Parabola::through(v[0], v[1], v[2]);
  }
  Grid x_{}, y_{};
};

/// Components of a laboratory vector along the axes of a frame.
Vec3 components(const KabschFrame& frame, const Vec3& v) {
  return {dot(frame.e1, v), dot(frame.e2, v), dot(frame.direction, v)};
}

} // namespace

BoxGeometry::BoxGeometry(const models::Panel& panel, double radius, double half_width)
    : panel_(panel)
    , inverse_d_(panel.inverse_d_matrix())
    , radius_(radius)
    , half_width_(half_width) {}

std::optional<models::PixelBox> BoxGeometry::square(const KabschFrame& frame,
                                                    double half_width) const {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr double sane = 1e6; // px; a grazing ray can land anywhere
  double x0 = infinity, x1 = -infinity, y0 = infinity, y1 = -infinity;
  for (const double eps1 : {-half_width, half_width})
    for (const double eps2 : {-half_width, half_width}) {
      const Vec3 v = inverse_d_ * frame.ray(eps1, eps2);
      if (!(v.z > 0)) return std::nullopt;
      const models::PanelPoint px = panel_.mm_to_pixel({v.x / v.z, v.y / v.z});
      if (!(std::abs(px.x) < sane && std::abs(px.y) < sane)) return std::nullopt;
      x0 = std::min(x0, px.x), x1 = std::max(x1, px.x);
      y0 = std::min(y0, px.y), y1 = std::max(y1, px.y);
    }
  return models::PixelBox{static_cast<int>(std::floor(x0)), static_cast<int>(std::ceil(x1)),
                          static_cast<int>(std::floor(y0)), static_cast<int>(std::ceil(y1))};
}

std::optional<models::PixelBox> BoxGeometry::box(const KabschFrame& frame) const {
  return square(frame, half_width_);
}

/// Tests every pixel corner of `box`: eps1^2 + eps2^2 <= radius^2, with the lengths multiplied out.
void BoxGeometry::mark_corners(const KabschFrame& frame, const models::PixelBox& box) {
  const Vec3 origin = components(frame, panel_.frame.origin);
  const Vec3 fast = components(frame, panel_.frame.fast);
  const Vec3 slow = components(frame, panel_.frame.slow);
  const ShiftOverBox shift(panel_, box);
  const double limit = radius_ * radius_, step = 1.0 / box.width();
  corner_stride_ = static_cast<std::size_t>(box.width() + lane_count) / lane_count * lane_count;
  corners_.resize(corner_stride_ * static_cast<std::size_t>(box.height() + 1));
  std::uint8_t* out = corners_.data();
  for (int y = box.y0; y <= box.y1; ++y) {
    const double t_row = double(y - box.y0) / box.height();
    const Parabola dx = shift.row_x(t_row), dy = shift.row_y(t_row);
    const double mm_y0 = y * panel_.pixel_size[1];
    Lanes i{0, 1, 2, 3, 4, 5, 6, 7};
    for (std::size_t x = 0; x < corner_stride_; x += lane_count, out += lane_count) {
      const Lanes t = i * step;
      Lanes shift_x, shift_y;
      dx.evaluate(t, shift_x);
      dy.evaluate(t, shift_y);
      const Lanes mm_x = (i + box.x0) * panel_.pixel_size[0] + shift_x;
      const Lanes mm_y = mm_y0 + shift_y;
      const Lanes u = origin.x + fast.x * mm_x + slow.x * mm_y;
      const Lanes v = origin.y + fast.y * mm_x + slow.y * mm_y;
      const Lanes w = origin.z + fast.z * mm_x + slow.z * mm_y;
      const Lanes across = u * u + v * v;
      const auto inside = across <= limit * (across + w * w);
      store_lanes<std::uint8_t>(__builtin_convertvector(inside & 1, LanesOf<std::uint8_t>), out);
      i += lane_count;
    }
  }
}

bool BoxGeometry::foreground(const KabschFrame& frame, ForegroundMask& mask) {
  auto core = square(frame, radius_);
  if (!core) return false;
  // A pixel more on each side, since the square's sides bend a little under parallax.
  mask.box = {core->x0 - 1, core->x1 + 1, core->y0 - 1, core->y1 + 1};
  mark_corners(frame, mask.box);
  const auto width = static_cast<std::size_t>(mask.box.width());
  const auto height = static_cast<std::size_t>(mask.box.height());
  mask.inside.resize(width * height);
  for (std::size_t y = 0; y < height; ++y) {
    const std::uint8_t* above = corners_.data() + y * corner_stride_;
    const std::uint8_t* below = above + corner_stride_;
    std::uint8_t* out = mask.inside.data() + y * width;
    for (std::size_t x = 0; x < width; ++x)
      out[x] = static_cast<std::uint8_t>(above[x] | above[x + 1] | below[x] | below[x + 1]);
  }
  return true;
}

} // namespace kilobragg::integration
