// The report of refinement against pixels as one HTML file that needs nothing else.
#pragma once

#include "kilobragg/report/histogram.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace kilobragg::report {

/// What stands where a number is not known; it is shown as a dash, or not at all.
inline constexpr double unknown_number = std::numeric_limits<double>::quiet_NaN();

/// One step of the refinement of structure factors.
struct PixelIteration {
  int iteration = 0;
  double f = unknown_number;        ///< minus the logarithm of the likelihood
  double gradient = unknown_number; ///< length of its gradient
  double left_out = unknown_number; ///< the same as f, of the pixels kept for cross-validation
};

/// Pixels of a shoebox. Columns of width * height values, slow, fast; photons, and z = (data - model) /
/// sigma. A NaN is a pixel that does not count.
struct BoxShown {
  std::string caption; ///< "12 3 -4, image run_00012, 2.31 Å": any text
  int width = 0, height = 0;
  std::vector<float> data, model, z;
};

/// Figures of merit of one resolution shell, fractions; NaN = unknown.
struct ShellShown {
  double d_low = 0, d_high = 0; ///< angstrom; d_low = 0 where the range is open
  double cc_half_before = unknown_number, cc_half_after = unknown_number;
  double r_split_before = unknown_number, r_split_after = unknown_number;
  double r1_truth_before = unknown_number, r1_truth_after = unknown_number;
};

/// Everything that the page shows; empty parts are said to be missing. All texts are escaped.
struct PixelReportData {
  std::string title, subtitle;
  std::vector<std::pair<std::string, std::string>> tiles; ///< a number and its words, at the top
  std::vector<std::string> problems;                      ///< shown at the top

  std::vector<PixelIteration> iterations;
  std::vector<std::pair<std::string, std::int64_t>> shots_by_state;
  std::vector<double> sigma_z; ///< of the shots
  Histogram pixel_z;           ///< of all pixels that count; without bins = none
  std::vector<BoxShown> boxes;
  std::vector<double> f_before, f_after; ///< amplitudes of the same indices, equal length
  std::vector<ShellShown> shells;        ///< low resolution first
  std::vector<double> pulls;             ///< (F - F_true) / sigma(F), if the truth is known

  std::string program, version, options; ///< options in effect, as text
};

/// The whole document: HTML 5 in UTF-8 with SVG plots and embedded pictures; no script, no address outside
/// the file. One column on a phone, three on a projector. Throws core::Error if columns of a box, or
/// amplitudes before and after, differ in length.
std::string render_pixel_html(const PixelReportData& data);

/// Writes it; a temporary file is renamed. Throws core::Error.
void write_pixel_report(const PixelReportData& data, const std::string& html);

} // namespace kilobragg::report
