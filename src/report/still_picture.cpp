// Projects panels on a canvas and marks spots.
#include "kilobragg/report/still_picture.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace kilobragg::report {
namespace {

using Colour = std::array<std::uint8_t, 3>;
constexpr Colour found_colour{20, 80, 220}, predicted_colour{220, 40, 30};

/// Maps laboratory x, y (mm) to picture columns and rows.
struct Canvas {
  io::Picture picture;
  View view;
  double scale; ///< picture pixels per mm

  Canvas(const View& seen, int width)
      : view(seen)
      , scale(width / (seen.x1 - seen.x0)) {
    picture.width = width;
    picture.height = std::max(1, static_cast<int>(std::ceil((seen.y1 - seen.y0) * scale)));
    picture.rgb.assign(std::size_t(3) * picture.width * picture.height, 255);
  }
  double column(const Vec3& lab) const { return (lab.x - view.x0) * scale; }
  double row(const Vec3& lab) const { return (view.y1 - lab.y) * scale; }
  void set(int x, int y, const Colour& colour) {
    if (x < 0 || y < 0 || x >= picture.width || y >= picture.height) return;
    std::copy(colour.begin(), colour.end(),
              picture.rgb.begin() + 3 * (static_cast<std::ptrdiff_t>(y) * picture.width + x));
  }
  /// Darkens only, so that a spot survives where several pixels fall on one.
  void darken(int x, int y, std::uint8_t grey) {
    if (x < 0 || y < 0 || x >= picture.width || y >= picture.height) return;
    const std::size_t at = std::size_t(3) * (static_cast<std::size_t>(y) * picture.width + x);
    if (picture.rgb[at] > grey) std::fill_n(picture.rgb.begin() + at, 3, grey);
  }
};

/// Median and the black quantile of the usable pixels, from at most about 10^5 of them.
std::array<double, 2> grey_range(const models::Image& image, double black_quantile) {
  std::vector<double> sample;
  const std::size_t step = std::max<std::size_t>(1, image.layout->size / 100000);
  for (std::size_t i = 0; i < image.layout->size; i += step)
    if (image.usable(i)) sample.push_back(image.value(i));
  core::require(!sample.empty(), "nothing to draw (no usable pixel in the image)");
  const auto quantile = [&sample](double q) {
    const auto at = sample.begin() + static_cast<std::ptrdiff_t>(q * double(sample.size() - 1));
    std::nth_element(sample.begin(), at, sample.end());
    return *at;
  };
  const double white = quantile(0.5);
  return {white, std::max(quantile(black_quantile), white + 1)};
}

void draw_panel(Canvas& canvas, const models::Image& image, const models::Panel& panel,
                const models::PanelWindow& window, const std::array<double, 2>& range) {
  const Vec3 step_x = panel.pixel_size[0] * panel.frame.fast;
  const Vec3 step_y = panel.pixel_size[1] * panel.frame.slow;
  const int size = static_cast<int>(
      std::ceil(std::max(panel.pixel_size[0], panel.pixel_size[1]) * canvas.scale));
  for (int y = 0; y < window.height; ++y)
    for (int x = 0; x < window.width; ++x) {
      const std::size_t at =
          window.offset + window.stride * static_cast<std::size_t>(y) + static_cast<std::size_t>(x);
      const Vec3 centre = panel.frame.origin + (x + 0.5) * step_x + (y + 0.5) * step_y;
      const double dark = (image.value(at) - range[0]) / (range[1] - range[0]);
      // Panels are tinted, so that gaps and masked pixels show white.
      const auto grey = static_cast<std::uint8_t>(248 * (1 - std::clamp(dark, 0.0, 1.0)));
      if (!image.usable(at)) continue;
      const int column = static_cast<int>(canvas.column(centre) - 0.5 * (size - 1));
      const int row = static_cast<int>(canvas.row(centre) - 0.5 * (size - 1));
      for (int j = 0; j < size; ++j)
        for (int i = 0; i < size; ++i) canvas.darken(column + i, row + j, grey);
    }
}

void draw_circle(Canvas& canvas, const Vec3& lab, double radius) {
  const int steps = static_cast<int>(8 * radius);
  for (int i = 0; i < steps; ++i) {
    const double angle = 2 * core::pi * i / steps;
    canvas.set(static_cast<int>(std::lround(canvas.column(lab) + radius * std::cos(angle))),
               static_cast<int>(std::lround(canvas.row(lab) + radius * std::sin(angle))),
               found_colour);
  }
}

void draw_square(Canvas& canvas, const Vec3& lab, int half) {
  const int x = static_cast<int>(std::lround(canvas.column(lab)));
  const int y = static_cast<int>(std::lround(canvas.row(lab)));
  for (int i = -half; i <= half; ++i)
    for (const int edge : {-half, half}) {
      canvas.set(x + i, y + edge, predicted_colour);
      canvas.set(x + edge, y + i, predicted_colour);
    }
}

} // namespace

View whole_view(const models::Detector& detector) {
  View view{1e30, 1e30, -1e30, -1e30};
  for (const auto& panel : detector.panels)
    for (const double x : {0.0, double(panel.image_size[0])})
      for (const double y : {0.0, double(panel.image_size[1])}) {
        const Vec3 corner = panel.pixel_to_lab({x, y});
        view = {std::min(view.x0, corner.x), std::min(view.y0, corner.y),
                std::max(view.x1, corner.x), std::max(view.y1, corner.y)};
      }
  return view;
}

io::Picture draw_still(const models::Image& image, const models::Detector& detector,
                       const std::vector<PanelMark>& found, const std::vector<PanelMark>& predicted,
                       const StillPictureParams& params) {
  core::require(image.layout && image.layout->panels.size() == detector.panels.size(),
                "image and detector do not belong together (different numbers of panels)");
  Canvas canvas(params.view.value_or(whole_view(detector)), params.width);
  const auto range = grey_range(image, params.black_quantile);
  for (std::size_t i = 0; i < detector.panels.size(); ++i)
    draw_panel(canvas, image, detector.panels[i], image.layout->panels[i], range);
  const double size = std::max(4.0, 3 * detector.panels[0].pixel_size[0] * canvas.scale);
  const auto lab = [&detector](const PanelMark& mark) {
    return detector.panels.at(static_cast<std::size_t>(mark.panel)).pixel_to_lab(mark.px);
  };
  for (const PanelMark& mark : predicted)
    draw_square(canvas, lab(mark), static_cast<int>(0.7 * size));
  for (const PanelMark& mark : found) draw_circle(canvas, lab(mark), size);
  return std::move(canvas.picture);
}

} // namespace kilobragg::report
