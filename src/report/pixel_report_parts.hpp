// The parts of the report of refinement against pixels, each as finished text.
#pragma once

#include "kilobragg/report/pixel_report.hpp"
#include "kilobragg/report/svg_plot.hpp"

#include <string>
#include <string_view>

namespace kilobragg::report {

/// Colours of what was before and after refinement.
inline constexpr const char* before_colour = "#e69f00";
inline constexpr const char* after_colour = "#0072b2";

/// A figure of the grid; `inside` and `caption` are HTML.
std::string figure_text(std::string_view title, std::string_view inside,
                        std::string_view caption = {});
/// One entry of a legend.
std::string legend_entry(std::string_view colour, std::string_view name);
/// "Not shown: 3 below, 4 above." or nothing.
std::string beyond_text(const Histogram& histogram);
/// A histogram with, if `normal`, the curve of a normal distribution of mean 0 and width 1 over it.
std::string normal_histogram(const Histogram& histogram, const std::string& axis,
                             const std::string& noun, const std::string& title, bool normal);

/// f, gradient and left-out likelihood by iteration, with a table.
std::string convergence_part(const PixelReportData& data);
/// States of shots and the histogram of sigma-Z.
std::string shots_part(const PixelReportData& data);
/// Histogram of pixel z, and data, model and z of the boxes.
std::string pixels_part(const PixelReportData& data);
/// F before and after, shells, pulls.
std::string factors_part(const PixelReportData& data);

/// Data, model and z of a box side by side, as a figure.
std::string box_figure(const BoxShown& box);

} // namespace kilobragg::report
