// Pieces that several parts of the report of refinement against pixels are made of.
#include "pixel_report_parts.hpp"

#include "kilobragg/core/units.hpp"
#include "kilobragg/report/html_text.hpp"
#include "kilobragg/report/number_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace kilobragg::report {
namespace {

/// Counts that a normal distribution would put into bins of this width.
std::vector<Point> normal_curve(const Histogram& histogram) {
  constexpr int steps = 120;
  const double height =
      static_cast<double>(histogram.total()) * histogram.width() / std::sqrt(2 * core::pi);
  std::vector<Point> points;
  for (int i = 0; i <= steps; ++i) {
    const double x = histogram.lo + (histogram.hi - histogram.lo) * i / steps;
    points.push_back({x, height * std::exp(-0.5 * x * x)});
  }
  return points;
}

} // namespace

std::string figure_text(std::string_view title, std::string_view inside, std::string_view caption) {
  std::string text = fmt::format("<figure><h3>{}</h3>{}", escape_html(title), inside);
  if (!caption.empty()) text += fmt::format("<figcaption>{}</figcaption>", caption);
  return text + "</figure>\n";
}

std::string legend_entry(std::string_view colour, std::string_view name) {
  return fmt::format("<span><i style=\"background:{}\"></i>{}</span> ", colour, escape_html(name));
}

std::string beyond_text(const Histogram& histogram) {
  if (histogram.below + histogram.above == 0) return "";
  return fmt::format("Not shown: {} below, {} above.", with_spaces(histogram.below),
                     with_spaces(histogram.above));
}

std::string normal_histogram(const Histogram& histogram, const std::string& axis,
                             const std::string& noun, const std::string& title, bool normal) {
  double most = 0;
  for (const std::int64_t count : histogram.counts) most = std::max(most, double(count));
  const std::vector<Point> curve = normal ? normal_curve(histogram) : std::vector<Point>{};
  for (const Point& point : curve) most = std::max(most, point.y);
  SvgPlot plot({}, number_axis(histogram.lo, histogram.hi, axis, 5), count_axis(1.05 * most, noun),
               title);
  std::vector<double> base;
  plot.bars(histogram, base, after_colour, noun);
  if (normal) plot.line(curve, "#111111", 1.8);
  return plot.text();
}

} // namespace kilobragg::report
