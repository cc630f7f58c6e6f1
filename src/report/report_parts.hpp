// The parts of the HTML report, each as finished text.
#pragma once

#include "kilobragg/report/report_data.hpp"

#include <string>
#include <string_view>

namespace kilobragg::report {

/// The style sheet: plain colours on white, text sizes and columns by width of the window.
std::string report_style();

/// A page from its first line to the heading; `more_style` follows the style sheet, `quiet` is the line below the
/// heading. All three texts but `more_style` are HTML.
std::string page_head(std::string_view title, std::string_view more_style, std::string_view quiet);

/// Hit, indexing and integration rate against time and image number, images per second.
std::string rate_figures(const ReportData& data);
/// Histograms of the cell; constant parameters become a sentence.
std::string cell_figures(const ReportData& data);
/// Spots per image, RMSD, resolution, reflections, lattices.
std::string quality_figures(const ReportData& data);
/// Times of steps and the slowest images, as tables.
std::string time_tables(const ReportData& data);
/// The images of ReportData::frames.
std::string frame_figures(const ReportData& data);

/// "12.3 %", or a dash if `whole` is 0.
std::string percent_text(std::int64_t part, std::int64_t whole);
/// "<a> <b> <c> Å, <alpha> <beta> <gamma>°" of the medians.
std::string median_cell_text(const ReportData& data);

} // namespace kilobragg::report
