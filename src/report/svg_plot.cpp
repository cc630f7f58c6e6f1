// Writes the elements of a plot.
#include "kilobragg/report/svg_plot.hpp"

#include "kilobragg/report/html_text.hpp"
#include "kilobragg/report/number_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace kilobragg::report {
namespace {

/// Of a digit in a wide font (canvas units).
constexpr double letter_width = 8.4;

/// Four significant digits: "37.22", "0.4512", "1500".
std::string edge_text(double value) { return fmt::format("{:.4g}", value); }

} // namespace

SvgPlot::SvgPlot(const PlotSize& size, Axis x, Axis y, std::string description)
    : size_(size)
    , x_(std::move(x))
    , y_(std::move(y))
    , description_(std::move(description)) {}

double SvgPlot::x(double value) const {
  return size_.left + (value - x_.lo) / (x_.hi - x_.lo) * (size_.width - size_.left - size_.right);
}

double SvgPlot::y(double value) const {
  return size_.height - size_.bottom -
         (value - y_.lo) / (y_.hi - y_.lo) * (size_.height - size_.top - size_.bottom);
}

void SvgPlot::bars(const Histogram& histogram, std::vector<double>& base, std::string_view colour,
                   std::string_view noun) {
  base.resize(histogram.counts.size(), 0.0);
  body_ += fmt::format("<g fill=\"{}\">", colour);
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    const auto count = histogram.counts[i];
    if (count == 0) continue;
    const double from = histogram.lo + static_cast<double>(i) * histogram.width();
    const double top = base[i] + static_cast<double>(count);
    // A hairline of white between neighbours; a count of one stays visible in any scale.
    const double left = x(from) + 0.3, right = x(from + histogram.width()) - 0.3;
    const double height = std::max(y(base[i]) - y(top), 0.8);
    body_ += fmt::format(
        R"(<rect x="{}" y="{}" width="{}" height="{}"><title>{} to {}: {} {}</title></rect>)",
        short_number(left), short_number(y(base[i]) - height), short_number(right - left),
        short_number(height), edge_text(from), edge_text(from + histogram.width()),
        with_spaces(count), escape_html(noun));
    base[i] = top;
  }
  body_ += "</g>\n";
}

void SvgPlot::line(const std::vector<Point>& points, std::string_view colour, double width) {
  std::string path;
  char command = 'M';
  for (const Point& point : points) {
    if (std::isnan(point.x) || std::isnan(point.y)) {
      command = 'M';
      continue;
    }
    path += fmt::format("{}{} {}", command, short_number(x(point.x)), short_number(y(point.y)));
    command = 'L';
  }
  body_ += fmt::format(
      R"(<path d="{}" fill="none" stroke="{}" stroke-width="{}" stroke-linejoin="round"/>)", path,
      colour, short_number(width));
}

void SvgPlot::vertical(double at, std::string_view label) {
  const double column = x(at);
  const bool right_half = column > 0.6 * size_.width;
  body_ += fmt::format(
      R"(<path class="mark" d="M{0} {1}V{2}"/><text class="mark" x="{3}" y="{4}" text-anchor="{5}">{6}</text>)",
      short_number(column), short_number(size_.top), short_number(size_.height - size_.bottom),
      short_number(right_half ? column - 4 : column + 4), short_number(size_.top + 11),
      right_half ? "end" : "start", escape_html(label));
}

void SvgPlot::tip(double from, double to, std::string_view tip) {
  body_ += fmt::format(
      R"(<rect class="tip" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>)",
      short_number(x(from)), short_number(size_.top), short_number(x(to) - x(from)),
      short_number(size_.height - size_.top - size_.bottom), escape_html(tip));
}

std::string SvgPlot::axes() const {
  const double bottom = size_.height - size_.bottom, right = size_.width - size_.right;
  std::string grid, labels;
  for (const Tick& tick : x_.ticks) {
    grid += fmt::format("M{} {}v5", short_number(x(tick.at)), short_number(bottom));
    const double half = 0.5 * letter_width * static_cast<double>(tick.label.size());
    const double middle = std::clamp(x(tick.at), half, std::max(half, size_.width - half));
    labels += fmt::format(R"(<text x="{}" y="{}" text-anchor="middle">{}</text>)",
                          short_number(middle), short_number(bottom + 18), tick.label);
  }
  std::string lines;
  for (const Tick& tick : y_.ticks) {
    lines += fmt::format("M{} {}H{}", short_number(size_.left), short_number(y(tick.at)),
                         short_number(right));
    labels += fmt::format(R"(<text x="{}" y="{}" text-anchor="end">{}</text>)",
                          short_number(size_.left - 6), short_number(y(tick.at) + 4.5), tick.label);
  }
  const double middle = 0.5 * (size_.top + bottom);
  return fmt::format(
      R"svg(<path class="grid" d="{}"/><path class="axis" d="{}M{} {}H{}"/>{}<text class="title" x="{}" y="{}" text-anchor="middle">{}</text><text class="title" transform="translate(13 {}) rotate(-90)" text-anchor="middle">{}</text>)svg",
      lines, grid, short_number(size_.left), short_number(bottom), short_number(right), labels,
      short_number(0.5 * (size_.left + right)), short_number(size_.height - 6),
      escape_html(x_.title), short_number(middle), escape_html(y_.title));
}

std::string SvgPlot::text() const {
  return fmt::format(
      "<svg class=\"plot\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">{}\n{}</svg>\n",
      short_number(size_.width), short_number(size_.height), escape_html(description_), axes(),
      body_);
}

} // namespace kilobragg::report
