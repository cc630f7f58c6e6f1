// The plots of the HTML report but for the weather.
#include "report_parts.hpp"

#include "kilobragg/report/html_text.hpp"
#include "kilobragg/report/number_text.hpp"
#include "kilobragg/report/svg_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace kilobragg::report {
namespace {

struct Curve {
  const char* name;
  const char* colour;
  double width;
  double (*rate)(const RateBin&); ///< NaN where there is nothing to divide by
};

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : std::nan("");
}

/// Thickest first, so that curves at 100 % show beside each other.
constexpr std::array<Curve, 3> rate_curves{
    {{"integrated / indexed", "#0072b2", 5.5,
      [](const RateBin& bin) { return share(bin.integrated, bin.indexed); }},
     {"indexed / hits", "#e69f00", 3,
      [](const RateBin& bin) { return share(bin.indexed, bin.hits); }},
     {"hits / images", "#111111", 1.8,
      [](const RateBin& bin) { return share(bin.hits, bin.images); }}}};

std::string swatch(const char* colour, const char* name) {
  return fmt::format("<span><i style=\"background:{}\"></i>{}</span> ", colour, name);
}

std::string legend_of_rates() {
  std::string text = "<p class=\"legend\">";
  for (const Curve& curve : rate_curves) text += swatch(curve.colour, curve.name);
  return text + "</p>";
}

std::string figure(const std::string& title, const std::string& inside,
                   const std::string& caption = "") {
  return fmt::format("<figure><h3>{}</h3>{}{}</figure>\n", title, inside,
                     caption.empty() ? "" : "<figcaption>" + caption + "</figcaption>");
}

/// Horizontal pieces, one per bin; bins without a value leave a gap.
std::vector<Point> steps(const RateSeries& series, double (*value)(const RateBin&)) {
  std::vector<Point> points;
  for (const RateBin& bin : series.bins) {
    points.push_back({bin.from, value(bin)});
    points.push_back({bin.to, value(bin)});
  }
  return points;
}

void add_rate_tips(SvgPlot& plot, const RateSeries& series, const char* unit) {
  for (const RateBin& bin : series.bins)
    plot.tip(bin.from, bin.to,
             fmt::format("{} {:.4g} to {:.4g}: {} images, {} hits, {} indexed, {} integrated", unit,
                         bin.from, bin.to, with_spaces(bin.images), with_spaces(bin.hits),
                         with_spaces(bin.indexed), with_spaces(bin.integrated)));
}

std::string rate_figure(const ReportData& data, const RateSeries& series, Axis x,
                        const std::string& title, const char* unit, bool with_pauses) {
  SvgPlot plot({}, std::move(x), number_axis(0, 100, "rate (%)"), title);
  for (const Curve& curve : rate_curves)
    plot.line(steps(series, curve.rate), curve.colour, curve.width);
  if (with_pauses)
    for (const double pause : data.pauses) plot.vertical(pause, "resumed");
  add_rate_tips(plot, series, unit);
  return figure(title, legend_of_rates() + plot.text());
}

std::string throughput_figure(const ReportData& data) {
  const auto per_second = [](const RateBin& bin) {
    return static_cast<double>(bin.images) / (bin.to - bin.from);
  };
  double most = 0;
  for (const RateBin& bin : data.over_time.bins) most = std::max(most, per_second(bin));
  SvgPlot plot({}, time_axis(0, data.seconds, "time since the start"),
               round_ends(0, most, "images per second"), "Images per second against time");
  plot.line(steps(data.over_time, per_second), "#0072b2", 2.5);
  for (const double pause : data.pauses) plot.vertical(pause, "resumed");
  add_rate_tips(plot, data.over_time, "seconds");
  return figure("Images per second", "<p class=\"legend\">" + swatch("#0072b2", "images / second") +
                                         "</p>" + plot.text());
}

double highest(const Histogram& histogram) {
  return histogram.counts.empty() ? 0
                                  : static_cast<double>(*std::max_element(histogram.counts.begin(),
                                                                          histogram.counts.end()));
}

std::string outside_text(std::int64_t below, std::int64_t above) {
  if (below + above == 0) return "";
  return fmt::format(" Not shown: {}{}{}.", below > 0 ? with_spaces(below) + " below" : "",
                     below > 0 && above > 0 ? ", " : "",
                     above > 0 ? with_spaces(above) + " above" : "");
}

/// Digits that the spread justifies: two of its own.
std::string with_digits_of(double value, double spread) {
  const int decimals =
      spread > 0 ? std::clamp(1 - static_cast<int>(std::floor(std::log10(spread))), 0, 3) : 2;
  return fmt::format("{:.{}f}", value, decimals);
}

std::string spread_text(const Spread& spread, const char* unit) {
  const double half = 0.5 * (spread.high - spread.low);
  return fmt::format("Median {}{}, 68 % lie between {} and {}.",
                     with_digits_of(spread.median, half), unit, with_digits_of(spread.low, half),
                     with_digits_of(spread.high, half));
}

/// Room for the word at the median.
constexpr double headroom = 1.12;

struct Words {
  std::string title, axis;
  const char* unit;
  const char* of_what;
};

std::string histogram_figure(const Distribution& quantity, const Words& words) {
  const Histogram& histogram = quantity.histogram;
  Axis x = number_axis(histogram.lo, histogram.hi, words.axis);
  const bool has_long_labels = std::any_of(x.ticks.begin(), x.ticks.end(),
                                           [](const Tick& tick) { return tick.label.size() > 5; });
  if (has_long_labels) x = number_axis(histogram.lo, histogram.hi, words.axis, 4);
  SvgPlot plot({}, std::move(x), count_axis(headroom * highest(histogram), words.of_what),
               words.title);
  std::vector<double> base;
  plot.bars(histogram, base, "#0072b2", words.of_what);
  if (quantity.spread.median > histogram.lo && quantity.spread.median < histogram.hi)
    plot.vertical(quantity.spread.median, "median");
  return figure(words.title, plot.text(),
                spread_text(quantity.spread, words.unit) +
                    outside_text(histogram.below, histogram.above));
}

/// The parameters of a cell: letter, words for the title, unit.
struct Parameter {
  const char *letter, *title, *axis, *unit;
};
constexpr std::array<Parameter, 6> parameters{{{"a", "Cell edge a", "a (Å)", " Å"},
                                               {"b", "Cell edge b", "b (Å)", " Å"},
                                               {"c", "Cell edge c", "c (Å)", " Å"},
                                               {"α", "Cell angle α", "α (°)", "°"},
                                               {"β", "Cell angle β", "β (°)", "°"},
                                               {"γ", "Cell angle γ", "γ (°)", "°"}}};

/// True if symmetry holds the parameter at one value.
bool is_constant(const Distribution& quantity) {
  return quantity.histogram.below + quantity.histogram.above == 0 &&
         quantity.histogram.largest - quantity.histogram.smallest < 1e-4;
}

/// The earlier edge that this edge equals in every lattice, as b of a tetragonal cell equals a; none
/// for angles.
std::optional<std::size_t> repeats(const ReportData& data, std::size_t i) {
  if ((i == 1 || i == 2) && data.differing_edges[i - 1] == 0) return 0;
  if (i == 2 && data.differing_edges[2] == 0) return 1;
  return std::nullopt;
}

/// What symmetry says of the cell: "a = b. α = β = γ = 90° in every lattice."
std::string symmetry_text(const ReportData& data) {
  std::string text, open;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Distribution& quantity = data.cell[i];
    if (const auto earlier = repeats(data, i))
      text += fmt::format("{} = {} in every lattice. ", parameters[*earlier].letter,
                          parameters[i].letter);
    if (!is_constant(quantity)) continue;
    open += std::string(parameters[i].letter) + " = ";
    const bool goes_on = i >= 3 && i + 1 < parameters.size() && is_constant(data.cell[i + 1]) &&
                         std::abs(data.cell[i + 1].spread.median - quantity.spread.median) < 1e-4;
    if (goes_on) continue;
    text += fmt::format("{}{:.6g}{} in every lattice. ", open, quantity.spread.median,
                        parameters[i].unit);
    open.clear();
  }
  return text;
}

std::string spots_figure(const ReportData& data) {
  const auto& first = data.spots_by_outcome[0];
  std::vector<double> total(first.counts.size(), 0.0);
  std::int64_t above = 0;
  for (const Histogram& histogram : data.spots_by_outcome) {
    above += histogram.above;
    for (std::size_t i = 0; i < total.size(); ++i)
      total[i] += static_cast<double>(histogram.counts[i]);
  }
  const double most = total.empty() ? 0 : *std::max_element(total.begin(), total.end());
  SvgPlot plot({}, number_axis(first.lo, first.hi, "strong spots"), count_axis(most, "images"),
               "Spots per image");
  std::vector<double> base;
  std::string legend = "<p class=\"legend\">";
  for (std::size_t i = outcome_count; i-- > 0;) {
    const Key& key = outcome_keys()[i];
    if (data.spots_by_outcome[i].total() == 0) continue;
    plot.bars(data.spots_by_outcome[i], base, key.colour, std::string("images, ") + key.name);
    legend += swatch(key.colour, key.name);
  }
  std::string caption = outside_text(0, above);
  if (data.spots_of_hits.count > 0)
    caption = fmt::format("Median of the hits: {:.0f}.{}", data.spots_of_hits.median, caption);
  return figure("Spots per image", legend + "</p>" + plot.text(), caption);
}

std::string lattices_figure(const ReportData& data) {
  Histogram histogram;
  histogram.lo = -0.5;
  histogram.hi = static_cast<double>(data.images_by_lattices.size()) - 0.5;
  histogram.counts = data.images_by_lattices;
  Axis x{histogram.lo, histogram.hi, "lattices in an image", {}};
  for (std::size_t i = 0; i < histogram.counts.size(); ++i)
    x.ticks.push_back({static_cast<double>(i), std::to_string(i)});
  SvgPlot plot({}, std::move(x), count_axis(highest(histogram), "images"), "Lattices per image");
  std::vector<double> base;
  plot.bars(histogram, base, "#0072b2", "images");
  return figure("Lattices per image", plot.text());
}

} // namespace

std::string percent_text(std::int64_t part, std::int64_t whole) {
  if (whole <= 0) return "–";
  // Neither "100.0 %" nor "0.0 %" while a single image says otherwise.
  const double value = share(part, whole);
  if (part > 0 && value < 0.05) return "< 0.1\u00a0%";
  if (part < whole && value >= 99.95) return "> 99.9\u00a0%";
  return fmt::format("{:.{}f}\u00a0%", value, part == 0 || part == whole ? 0 : 1);
}

std::string median_cell_text(const ReportData& data) {
  const auto median = [&data](std::size_t i) { return data.cell[i].spread.median; };
  return fmt::format("{:.2f} {:.2f} {:.2f} Å, {:.4g} {:.4g} {:.4g}°", median(0), median(1),
                     median(2), std::round(100 * median(3)) / 100,
                     std::round(100 * median(4)) / 100, std::round(100 * median(5)) / 100);
}

std::string rate_figures(const ReportData& data) {
  if (data.images() == 0) return "<p>No image was processed.</p>\n";
  std::string text;
  if (data.seconds > 0 && !data.over_time.bins.empty()) {
    text += rate_figure(data, data.over_time, time_axis(0, data.seconds, "time since the start"),
                        "Rates against time", "seconds", true);
  }
  const double images = data.over_images.bins.back().to;
  text +=
      rate_figure(data, data.over_images, number_axis(0, images, "image, in the order of inputs"),
                  "Rates against image number", "images", false);
  if (data.seconds > 0 && !data.over_time.bins.empty())
    text += throughput_figure(data);
  else
    text += "<p>Times were not recorded, so there are no plots against time.</p>";
  return text;
}

std::string cell_figures(const ReportData& data) {
  if (data.lattices == 0 || data.cell[0].spread.count == 0)
    return "<p>No lattice was found or collected.</p>\n";
  std::string figures;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Parameter& p = parameters[i];
    if (!is_constant(data.cell[i]) && !repeats(data, i))
      figures += histogram_figure(data.cell[i], {p.title, p.axis, p.unit, "lattices"});
  }
  return fmt::format("<p>{} lattices in {}. {}</p>\n<div class=\"grid\">{}</div>\n",
                     with_spaces(data.lattices), escape_html(data.space_group), symmetry_text(data),
                     figures);
}

std::string quality_figures(const ReportData& data) {
  if (data.images() == 0) return "<p>No image was processed.</p>\n";
  std::string text = spots_figure(data);
  const auto add = [&text](const Distribution& quantity, const Words& words) {
    if (quantity.spread.count > 0) text += histogram_figure(quantity, words);
  };
  add(data.rmsd_px, {"RMSD of spot positions", "RMSD (px)", " px", "lattices"});
  add(data.d_min_spots,
      {"Resolution of indexed images", "d that 95 % of the spots exceed (Å)", " Å", "images"});
  add(data.reflections_per_lattice,
      {"Reflections per lattice", "integrated reflections", "", "lattices"});
  add(data.half_mosaicity, {"Mosaicity", "half mosaicity (°)", "°", "lattices"});
  if (data.lattices > 0) text += lattices_figure(data);
  return text;
}

} // namespace kilobragg::report
