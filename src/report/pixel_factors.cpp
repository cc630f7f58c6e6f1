// Structure factors before and after refinement against pixels.
#include "pixel_report_parts.hpp"

#include "kilobragg/report/html_text.hpp"
#include "kilobragg/report/number_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace kilobragg::report {
namespace {

/// More points than these would make the file large and look no different.
constexpr std::size_t most_points = 2500;

/// Ticks at 1, 2, 5 times powers of ten (few decades) or at powers of ten; the axis is in log10.
Axis decade_axis(double lo, double hi, std::string title) {
  if (!(hi - lo > 0.3)) {
    lo -= 0.15;
    hi += 0.15;
  }
  Axis axis{lo, hi, std::move(title), {}};
  const bool is_short = hi - lo < 2.2;
  for (int power = static_cast<int>(std::floor(lo)); power <= hi; ++power)
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double at = power + std::log10(factor);
      if (at >= lo && at <= hi && (factor == 1 || is_short))
        axis.ticks.push_back({at, fmt::format("{:.6g}", std::pow(10.0, at))});
    }
  return axis;
}

std::string amplitudes_figure(const PixelReportData& data) {
  std::vector<Point> points;
  double lo = std::numeric_limits<double>::infinity(), hi = -lo;
  for (std::size_t i = 0; i < data.f_before.size(); ++i) {
    const Point at{std::log10(data.f_before[i]), std::log10(data.f_after[i])};
    if (!std::isfinite(at.x) || !std::isfinite(at.y)) continue;
    points.push_back(at);
    lo = std::min({lo, at.x, at.y});
    hi = std::max({hi, at.x, at.y});
  }
  if (points.empty()) return "";
  SvgPlot plot({.height = 320}, decade_axis(lo, hi, "F before"), decade_axis(lo, hi, "F after"),
               "F before and after");
  const std::size_t step = (points.size() + most_points - 1) / most_points;
  std::string dots;
  for (std::size_t i = 0; i < points.size(); i += step)
    dots += fmt::format("M{} {}h0", short_number(plot.x(points[i].x)),
                        short_number(plot.y(points[i].y)));
  plot.add(fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2.6\" "
                       "stroke-linecap=\"round\" stroke-opacity=\".45\"/>",
                       dots, after_colour));
  plot.line({{lo, lo}, {hi, hi}}, "#111111", 1);
  return figure_text("Amplitudes before and after", plot.text(),
                     fmt::format("{} indices{}. The line is no change.",
                                 with_spaces(std::int64_t(points.size())),
                                 step > 1 ? fmt::format(", every {}th shown", step) : ""));
}

using ShellValue = double ShellShown::*;

/// Two curves over the shells, against 1/d^2 with ticks in angstrom; nothing if no value is known.
std::string shells_figure(const PixelReportData& data, ShellValue before, ShellValue after,
                          const char* title) {
  std::vector<Point> curves[2];
  double lo = 0, hi = 0;
  bool is_known = false;
  for (std::size_t i = 0; i < data.shells.size(); ++i) {
    const ShellShown& shell = data.shells[i];
    for (const std::size_t c : {0u, 1u}) {
      const double value = 100 * (shell.*(c == 0 ? before : after));
      const bool has = std::isfinite(value);
      curves[c].push_back({double(i) + 0.5, has ? value : unknown_number});
      if (!has) continue;
      is_known = true;
      lo = std::min(lo, value);
      hi = std::max(hi, value);
    }
  }
  if (!is_known) return "";
  Axis x{0, double(data.shells.size()), "shell, to d (Å)", {}};
  const std::size_t step = (data.shells.size() + 4) / 5;
  for (std::size_t i = step; i <= data.shells.size(); i += step)
    x.ticks.push_back({double(i), fmt::format("{:.2f}", data.shells[i - 1].d_high)});
  SvgPlot plot({}, std::move(x), round_ends(lo, hi, fmt::format("{} (%)", title)), title);
  plot.line(curves[0], before_colour, 3.5);
  plot.line(curves[1], after_colour, 2.5);
  return figure_text(title, "<p class=\"legend\">" + legend_entry(before_colour, "before") +
                                legend_entry(after_colour, "after") + "</p>" + plot.text());
}

std::string percent(double value) {
  return std::isfinite(value) ? fmt::format("{:.1f}", 100 * value) : "–";
}

std::string shells_table(const PixelReportData& data) {
  std::string rows;
  for (const ShellShown& s : data.shells) {
    rows += fmt::format("<tr><td>{} – {:.2f}</td>",
                        s.d_low > 0 ? fmt::format("{:.2f}", s.d_low) : "∞", s.d_high);
    for (const double value :
         {s.cc_half_before, s.cc_half_after, s.r_split_before, s.r_split_after})
      rows += fmt::format("<td class=\"n\">{}</td>", percent(value));
    rows += "</tr>\n";
  }
  return "<details><summary>Table of shells (before, after)</summary><table><thead><tr><th>d "
         "(Å)</th>"
         "<th class=\"n\">CC½</th><th class=\"n\">after</th><th class=\"n\">R</th>"
         "<th class=\"n\">after</th></tr></thead><tbody>\n" +
         rows + "</tbody></table></details>\n";
}

std::string pulls_figure(std::vector<double> pulls) {
  std::erase_if(pulls, [](double value) { return !std::isfinite(value); });
  if (pulls.empty()) return "";
  Histogram histogram{.lo = -5, .hi = 5, .counts = std::vector<std::int64_t>(40)};
  for (const double pull : pulls) histogram.add(pull);
  std::sort(pulls.begin(), pulls.end());
  return figure_text(
      "Errors against the truth",
      normal_histogram(histogram, "(F - F true) / sigma(F)", "amplitudes",
                       "Errors against the truth", true),
      fmt::format("Median {:.2f}, width {:.2f} (half the range of 68 %); the line is 0 and 1. {}",
                  sorted_quantile(pulls, 0.5),
                  0.5 * (sorted_quantile(pulls, 0.8413447) - sorted_quantile(pulls, 0.1586553)),
                  beyond_text(histogram)));
}

} // namespace

std::string factors_part(const PixelReportData& data) {
  const std::string figures = shells_figure(data, &ShellShown::cc_half_before,
                                            &ShellShown::cc_half_after, "CC½ of half sets") +
                              shells_figure(data, &ShellShown::r_split_before,
                                            &ShellShown::r_split_after, "R split of half sets") +
                              shells_figure(data, &ShellShown::r1_truth_before,
                                            &ShellShown::r1_truth_after, "R1 to the truth") +
                              amplitudes_figure(data) + pulls_figure(data.pulls);
  if (figures.empty()) return "<p>No structure factor was refined.</p>\n";
  return "<div class=\"grid\">" + figures + "</div>\n" +
         (data.shells.empty() ? "" : shells_table(data));
}

} // namespace kilobragg::report
