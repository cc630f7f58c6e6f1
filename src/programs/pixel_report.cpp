// Text of the tables of refinement against pixels.
#include "pixel_report.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace kilobragg::programs {

namespace {

using pixelrefinement::FactorStatistics;
using pixelrefinement::FactorStatisticsRow;

constexpr const char* none = "--";

std::string percent(double value, bool known) {
  return known ? fmt::format("{:.1f}%", 100 * value) : none;
}

std::string number(double value, bool known) { return known ? fmt::format("{:.2f}", value) : none; }

std::string half_columns(const FactorStatisticsRow& row) {
  const bool halves = row.halves > 0;
  return fmt::format("{:>8} {:>7} {:>7} {:>7} {:>7} {:>7}", row.halves,
                     percent(row.cc_half, halves), percent(row.r_split, halves),
                     percent(row.cc_half_f, halves), percent(row.r1_half, halves),
                     percent(row.anomalous_half.cc, row.anomalous_half.pairs > 1));
}

std::string truth_columns(const FactorStatisticsRow& row) {
  const bool common = row.truth.common > 2, pulls = row.pulls.count > 0;
  return fmt::format(" {:>8} {:>7} {:>7} {:>7} {:>6} {:>6} {:>6}", row.truth.common,
                     percent(row.truth.cc, common), percent(row.truth.r1, common),
                     percent(row.anomalous_truth.cc, row.anomalous_truth.pairs > 1),
                     number(row.pulls.mean, pulls), number(row.pulls.half_width, pulls),
                     number(row.pulls.rms, pulls));
}

std::string value_columns(const FactorStatisticsRow& row, bool has_truth) {
  return fmt::format("{:>15} {:>7} {:>7} ", fmt::format("[{}/{}]", row.observed, row.possible),
                     percent(row.completeness(), row.possible > 0),
                     number(row.mean_f_over_sigma, row.observed > 0)) +
         half_columns(row) + (has_truth ? truth_columns(row) : "") + "\n";
}

/// Two lines of headings over the columns of values.
struct Headings {
  std::string first, second;
};

Headings headings(bool has_truth) {
  Headings text{fmt::format("{:>15} {:>7} {:>7} {:>8} {:>7} {:>7} {:>7} {:>7} {:>7}", "", "", "<F/",
                            "N", "CC1/2", "R", "CC1/2", "R1", "CCano"),
                fmt::format("{:>15} {:>7} {:>7} {:>8} {:>7} {:>7} {:>7} {:>7} {:>7}",
                            "Completeness", "%", "sig(F)>", "halves", "of I", "split", "of F",
                            "of F", "halves")};
  if (has_truth) {
    text.first += fmt::format(" {:>8} {:>7} {:>7} {:>7} {:>6} {:>6} {:>6}", "N", "CC(I)", "R1(F)",
                              "CCano", "Pull:", "", "");
    text.second += fmt::format(" {:>8} {:>7} {:>7} {:>7} {:>6} {:>6} {:>6}", "truth", "truth",
                               "truth", "truth", "mean", "width", "rms");
  }
  return text;
}

std::string framed(const std::string& label, const Headings& heading, const std::string& rows) {
  const std::string left(label.size(), ' ');
  const std::string rule(label.size() + heading.second.size(), '-');
  return rule + "\n" + left + heading.first + "\n" + label + heading.second + "\n" + rule + "\n" +
         rows + rule;
}

} // namespace

std::string factor_table_text(const FactorStatistics& table,
                              const merging::ResolutionShells& shells) {
  std::string rows;
  for (int i = 0; i < shells.count(); ++i)
    rows += fmt::format("{:>3} {:17} ", i + 1, shells.range(i)) +
            value_columns(table.shells[static_cast<std::size_t>(i)], table.has_truth);
  rows += fmt::format("\n{:>3} {:17} ", "All", "") + value_columns(table.total, table.has_truth);
  std::string text = framed(fmt::format("{:>3} {:17} ", "Bin", "Resolution Range"),
                            headings(table.has_truth), rows) +
                     "\nHalf sets: odd and even shots. R split is of intensities, R1 of amplitudes "
                     "after a scale; CCano\nis of F(+) - F(-).";
  if (table.has_truth)
    text += fmt::format(
        "\nTruth: after scale and B ({:.1f} A^2) fitted over shells; pulls are "
        "(F - F_true) / sigma(F), their\nwidth half the range of 68 %. Completeness {:.1f} % of "
        "the true indices.",
        table.truth.b_factor, 100 * table.truth.completeness);
  return text;
}

std::string factor_comparison_text(const std::vector<NamedStatistics>& tables) {
  std::size_t width = 0;
  bool has_truth = false;
  for (const NamedStatistics& named : tables) {
    width = std::max(width, named.name.size());
    has_truth = has_truth || named.table->has_truth;
  }
  std::string rows;
  for (const NamedStatistics& named : tables)
    rows += fmt::format("{:{}} ", named.name, width) + value_columns(named.table->total, has_truth);
  return framed(std::string(width + 1, ' '), headings(has_truth), rows);
}

} // namespace kilobragg::programs
