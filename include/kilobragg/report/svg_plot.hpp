// Plots as SVG text: axes with round ticks, bars, lines; legible from a phone to a projector.
#pragma once

#include "kilobragg/report/axis.hpp"
#include "kilobragg/report/histogram.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace kilobragg::report {

/// The canvas in its own units, in which text is 13 high. A plot of 400 is shown at about 350 px on
/// a phone and 600 px on a projector, so that its text is 11 to 20 px high.
struct PlotSize {
  double width = 400, height = 250;
  double left = 58, right = 20, top = 10, bottom = 42; ///< margins around the data
};

struct Point {
  double x = 0, y = 0; ///< data units; a NaN breaks a line
};

/// Draws in data units; text() is the finished <svg> element.
class SvgPlot {
public:
  /// `description` is what a screen reader says.
  SvgPlot(const PlotSize& size, Axis x, Axis y, std::string description);

  double x(double value) const; ///< canvas units
  double y(double value) const;
  const PlotSize& size() const { return size_; }

  /// One bar per bin, standing on `base` (empty = 0), which grows by the bar: bars stack.
  /// `noun` is counted in the tooltips.
  void bars(const Histogram& histogram, std::vector<double>& base, std::string_view colour,
            std::string_view noun);
  void line(const std::vector<Point>& points, std::string_view colour, double width);
  /// A vertical line over the full height with a word at its top.
  void vertical(double at, std::string_view label);
  /// An invisible region from x = `from` to `to` that shows `tip` under the pointer.
  void tip(double from, double to, std::string_view tip);
  /// Any SVG in canvas units, drawn within the axes' rectangle over what is there.
  void add(std::string_view svg) { body_ += svg; }

  std::string text() const;

private:
  std::string axes() const;
  PlotSize size_;
  Axis x_, y_;
  std::string description_, body_;
};

} // namespace kilobragg::report
