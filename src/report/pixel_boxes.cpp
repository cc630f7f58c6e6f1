// Pixels of refinement: their residuals, and shoeboxes as pictures.
#include "pixel_report_parts.hpp"

#include "kilobragg/io/png.hpp"
#include "kilobragg/report/html_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace kilobragg::report {
namespace {

using Colour = std::array<std::uint8_t, 3>;
constexpr Colour unused{225, 214, 190}; ///< a pixel that does not count
/// z that gets the full colour.
constexpr double deepest_z = 5;

std::uint8_t shade(double part) {
  return static_cast<std::uint8_t>(std::lround(255 * std::clamp(part, 0.0, 1.0)));
}

/// White to black.
Colour grey_of(double part) {
  const std::uint8_t level = shade(1 - part);
  return {level, level, level};
}

/// Blue below zero, white at zero, red above.
Colour residual_colour(double z) {
  const double part = std::min(1.0, std::abs(z) / deepest_z);
  const std::uint8_t rest = shade(1 - part), half = shade(1 - 0.45 * part);
  return z < 0 ? Colour{rest, shade(1 - 0.6 * part), half} : Colour{half, rest, rest};
}

template <typename ColourOf>
std::string picture_of(const BoxShown& box, const std::vector<float>& values, ColourOf colour_of,
                       const char* name) {
  io::Picture picture{box.width, box.height, {}};
  for (const float value : values) {
    const Colour colour = std::isnan(value) ? unused : colour_of(double{value});
    picture.rgb.insert(picture.rgb.end(), colour.begin(), colour.end());
  }
  return fmt::format("<div><img src=\"{}\" width=\"{}\" height=\"{}\" alt=\"{} of {}\">"
                     "<span>{}</span></div>",
                     png_data_url(io::encode_png(picture)), 10 * box.width, 10 * box.height, name,
                     escape_html(box.caption), name);
}

} // namespace

std::string box_figure(const BoxShown& box) {
  double lo = std::numeric_limits<double>::infinity(), hi = -lo;
  for (const auto* values : {&box.data, &box.model})
    for (const float value : *values) {
      if (std::isnan(value)) continue;
      lo = std::min(lo, double{value});
      hi = std::max(hi, double{value});
    }
  const auto grey = [lo, hi](double value) {
    return grey_of(hi > lo ? (value - lo) / (hi - lo) : 0);
  };
  const std::string range = lo <= hi
                                ? fmt::format("White to black: {:.4g} to {:.4g} photons.", lo, hi)
                                : "No pixel counts.";
  return fmt::format("<figure class=\"box\"><div class=\"panes\">{}{}{}</div>"
                     "<figcaption>{}. {}</figcaption></figure>\n",
                     picture_of(box, box.data, grey, "data"),
                     picture_of(box, box.model, grey, "model"),
                     picture_of(box, box.z, residual_colour, "z"), escape_html(box.caption), range);
}

std::string pixels_part(const PixelReportData& data) {
  std::string text;
  if (data.pixel_z.counts.empty() || data.pixel_z.total() == 0)
    text += "<p>Residuals of pixels were not recorded.</p>\n";
  else
    text +=
        "<div class=\"grid\">" +
        figure_text("Residuals of pixels",
                    normal_histogram(data.pixel_z, "z = (data - model) / sigma", "pixels",
                                     "Residuals of pixels", true),
                    "The line is a normal distribution of width 1. " + beyond_text(data.pixel_z)) +
        "</div>\n";
  if (data.boxes.empty()) return text + "<p>No shoebox was chosen to be shown.</p>\n";
  text +=
      "<h3 style=\"margin-top:1.6em\">Shoeboxes</h3><p class=\"quiet\">z is white at 0, red at 5 "
      "and more, blue at -5 and less; pixels that do not count are sand.</p>\n"
      "<div class=\"grid\">";
  for (const BoxShown& box : data.boxes) text += box_figure(box);
  return text + "</div>\n";
}

} // namespace kilobragg::report
