// How refinement against pixels went: its steps, and what became of the shots.
#include "pixel_report_parts.hpp"

#include "kilobragg/report/html_text.hpp"
#include "kilobragg/report/number_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace kilobragg::report {
namespace {

using Value = double (*)(const PixelIteration&);

double f_of(const PixelIteration& it) { return it.f; }
double left_out_of(const PixelIteration& it) { return it.left_out; }
double log_gradient_of(const PixelIteration& it) {
  return it.gradient > 0 ? std::log10(it.gradient) : unknown_number;
}

struct Words {
  const char *title, *axis, *caption;
};

/// A curve against the iteration; nothing if no value is known.
std::string curve_figure(const std::vector<PixelIteration>& iterations, Value value,
                         const Words& words) {
  std::vector<Point> points;
  double lo = std::numeric_limits<double>::infinity(), hi = -lo;
  for (const PixelIteration& it : iterations) {
    const double y = value(it);
    const bool is_known = std::isfinite(y);
    points.push_back({double(it.iteration), is_known ? y : unknown_number});
    if (!is_known) continue;
    lo = std::min(lo, y);
    hi = std::max(hi, y);
  }
  if (!(lo <= hi)) return "";
  // Of a large sum little changes: the axis shows what it is above its least.
  const double offset = hi - lo < 0.5 * std::abs(hi) ? lo : 0;
  for (Point& point : points) point.y -= offset;
  SvgPlot plot(
      {},
      number_axis(iterations.front().iteration,
                  std::max(iterations.back().iteration, iterations.front().iteration + 1),
                  "iteration"),
      round_ends(lo - offset, hi - offset,
                 offset == 0 ? words.axis : fmt::format("{} - least {}", words.axis, words.axis)),
      words.title);
  plot.line(points, after_colour, 2.5);
  const std::string above = offset == 0 ? "" : fmt::format(" Its least is {:.8g}.", offset);
  return figure_text(words.title, plot.text(), words.caption + above);
}

std::string number_cell(double value, const char* format_class, int digits) {
  return fmt::format("<td class=\"{}\">{}</td>", format_class,
                     std::isfinite(value) ? fmt::format("{:.{}g}", value, digits) : "–");
}

/// Every step of few; of many the first, the last and some between.
std::string iterations_table(const std::vector<PixelIteration>& iterations) {
  constexpr std::size_t most = 12;
  const std::size_t step = (iterations.size() + most - 1) / most;
  std::string rows;
  for (std::size_t i = 0; i < iterations.size(); ++i) {
    if (i % step != 0 && i + 1 != iterations.size()) continue;
    const PixelIteration& it = iterations[i];
    rows += fmt::format("<tr><td class=\"n\">{}</td>{}{}{}</tr>\n", it.iteration,
                        number_cell(it.f, "n", 9), number_cell(it.gradient, "n", 4),
                        number_cell(it.left_out, "n", 9));
  }
  return "<table><thead><tr><th class=\"n\">step</th><th class=\"n\">f</th>"
         "<th class=\"n\">gradient</th><th class=\"n\">left out</th></tr></thead><tbody>\n" +
         rows + "</tbody></table>\n";
}

std::string states_table(const PixelReportData& data) {
  std::int64_t all = 0;
  for (const auto& [state, count] : data.shots_by_state) all += count;
  std::string rows;
  for (const auto& [state, count] : data.shots_by_state)
    rows += fmt::format("<tr><td>{}</td><td class=\"n\">{}</td><td class=\"bar\"><i "
                        "style=\"background:{};width:{:.2f}%\"></i></td></tr>\n",
                        escape_html(state), with_spaces(count), after_colour,
                        all > 0 ? 100 * double(count) / double(all) : 0);
  return fmt::format("<table><thead><tr><th>state</th><th class=\"n\">shots</th><th></th></tr>"
                     "</thead><tbody>\n{}<tr class=\"sum\"><td>sum</td><td class=\"n\">{}</td>"
                     "<td></td></tr></tbody></table>\n",
                     rows, with_spaces(all));
}

std::string sigma_z_figure(std::vector<double> sigma_z) {
  std::erase_if(sigma_z, [](double value) { return !std::isfinite(value); });
  if (sigma_z.empty()) return "";
  std::sort(sigma_z.begin(), sigma_z.end());
  Histogram histogram = round_histogram(sigma_z, 40);
  for (const double value : sigma_z) histogram.add(value);
  const std::string caption =
      fmt::format("Width of (data - model) / sigma in each shot, 1 where the model is right. "
                  "Median {:.3f}. {}",
                  sorted_quantile(sigma_z, 0.5), beyond_text(histogram));
  return figure_text("Sigma-Z of the shots",
                     normal_histogram(histogram, "sigma-Z", "shots", "Sigma-Z of the shots", false),
                     caption);
}

} // namespace

std::string convergence_part(const PixelReportData& data) {
  if (data.iterations.empty()) return "<p>No iteration was recorded.</p>\n";
  const std::string figures =
      curve_figure(data.iterations, f_of,
                   {"Likelihood", "f", "f is minus the logarithm of the likelihood."}) +
      curve_figure(data.iterations, log_gradient_of,
                   {"Gradient", "log10 |g|", "Length of the gradient of f."}) +
      curve_figure(data.iterations, left_out_of,
                   {"Pixels left out", "f",
                    "The same of pixels that refine nothing: it falls while refinement learns, "
                    "and rises where it fits noise."});
  return "<div class=\"grid\">" + figures + "</div>\n<div class=\"columns\"><div>" +
         iterations_table(data.iterations) + "</div></div>\n";
}

std::string shots_part(const PixelReportData& data) {
  if (data.shots_by_state.empty()) return "<p>No shot was refined.</p>\n";
  return "<div class=\"grid\">" + figure_text("States", states_table(data)) +
         sigma_z_figure(data.sigma_z) + "</div>\n";
}

} // namespace kilobragg::report
