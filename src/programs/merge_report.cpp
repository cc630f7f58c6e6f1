// Text of merge's tables.
#include "merge_report.hpp"

#include <fmt/format.h>

namespace kilobragg::programs {

namespace {

std::string intensity_row_text(const std::string& bin, const std::string& range,
                               const merging::IntensityRow& row) {
  return fmt::format("{:>3} {:17} {:>15} {:6.2f} {:6.2f} {:6.2f} {:8d} {:10d} {:10.0f} {:10.3f} "
                     "{:13.3f} {:15.3f} {:13.3f}\n",
                     bin, range, fmt::format("[{}/{}]", row.observed, row.possible),
                     100 * row.completeness(), row.multiplicity_possible(),
                     row.multiplicity_observed(), row.measurements, row.observed,
                     row.mean_intensity(), row.mean_snr(), row.unmerged_mean,
                     row.unmerged_deviation, row.unmerged_skew);
}

std::string percent(double value, bool known) {
  return known ? fmt::format("{:.1f}%", 100 * value) : "--";
}

std::string agreement_row_text(const std::string& bin, const std::string& range,
                               const merging::AgreementRow& row, bool reference) {
  const bool halves = row.n_int > 0, iso = reference && row.n_iso > 0;
  return fmt::format("{:>3} {:17} {:>15} {:>7} {:7d} {:>7} {:>7} {:>7} {:>7} {:>7} {:>6} {:>6} "
                     "{:>10}\n",
                     bin, range, fmt::format("[{}/{}]", row.n_int, row.possible),
                     percent(row.cc_int, halves), row.n_int, percent(row.cc_iso, iso),
                     iso ? std::to_string(row.n_iso) : "--", percent(row.r_int, halves),
                     percent(row.r_split, halves), percent(row.r_iso, iso),
                     halves ? fmt::format("{:.3f}", row.scale_int) : "--",
                     iso ? fmt::format("{:.3f}", row.scale_iso) : "--",
                     halves ? fmt::format("{:.4f}", row.split_sigma) : "--");
}

} // namespace

std::string sign_counts_text(const merging::IntensityTable& t) {
  return fmt::format("Total reflections (I == 0.0): {}\n"
                     "Total reflections (I > 0.0): {}\n"
                     "Total reflections (I < 0.0): {}\n"
                     "Resolution-limited reflections (I == 0.0): {}\n"
                     "Resolution-limited reflections (I > 0.0): {}\n"
                     "Resolution-limited reflections (I < 0.0): {}\n",
                     t.zero, t.positive, t.negative, t.zero_in_range, t.positive_in_range,
                     t.negative_in_range);
}

std::string intensity_table_text(const merging::IntensityTable& table,
                                 const merging::ResolutionShells& shells) {
  const std::string rule(141, '-');
  std::string text =
      rule + "\n" +
      "                                             <asu   <obs                       "
      "Merged     Merged      Unmerged        Unmerged      Unmerged\n"
      "Bin Resolution Range     Completeness      %  multi> multi>   n_meas asu_m_meas"
      "        <I>  <I/sig(I)> mean(I/sig(I)) stddev(I/sig(I)) skew(I/sig(I))\n" +
      rule + "\n";
  for (int i = 0; i < shells.count(); ++i)
    text += intensity_row_text(std::to_string(i + 1), shells.range(i),
                               table.shells[static_cast<std::size_t>(i)]);
  return text + "\n" + intensity_row_text("All", "", table.total) + rule;
}

std::string agreement_table_text(const merging::AgreementTable& table,
                                 const merging::ResolutionShells& shells) {
  const std::string rule(119, '-');
  std::string text = rule + "\n" +
                     "                                           CC       N      CC       N       R"
                     "       R       R  Scale  Scale      SpSig\n"
                     "Bin Resolution Range     Completeness     int     int     iso     iso     int"
                     "   split     iso    int    iso       Test\n" +
                     rule + "\n";
  for (int i = 0; i < shells.count(); ++i)
    text += agreement_row_text(std::to_string(i + 1), shells.range(i),
                               table.shells[static_cast<std::size_t>(i)], table.has_reference);
  return text + "\n" + agreement_row_text("All", "", table.total, table.has_reference) + rule +
         "\nCCint is CC1/2, the correlation of odd and even half sets; R int and Scale int compare "
         "them.\nThe iso columns compare all data with the reference.";
}

std::string cell_text(const merging::CellStatistics& cells, const models::UnitCell& reference) {
  const char* names[] = {"a", "b", "c"};
  const auto target = reference.parameters();
  std::string text;
  for (std::size_t i = 0; i < 3; ++i) {
    const merging::EdgeStatistics& edge = cells.edges[i];
    text += fmt::format("\n  {} edge\n     range:     {:6.2f} - {:.2f}\n"
                        "     mean:      {:6.2f} +/- {:6.2f} on N = {}\n     reference: {:6.2f}\n",
                        names[i], edge.low, edge.high, edge.mean, edge.deviation, cells.lattices,
                        target[i]);
    const double width = (edge.high - edge.low) / static_cast<double>(edge.slots.size());
    for (std::size_t s = 0; s < edge.slots.size(); ++s)
      text += fmt::format("     {:5.2f} - {:5.2f}: {}\n", edge.low + width * double(s),
                          edge.low + width * double(s + 1), edge.slots[s]);
  }
  return text;
}

std::string truth_text(const merging::TruthAgreement& a, double d_min, int minimum_multiplicity) {
  return fmt::format("CC to the truth: {:.4f} (intensities)  R1 to the truth: {:.4f} (amplitudes)\n"
                     "  on {} indices to {:.2f} A with at least {} measurement{}, completeness "
                     "{:.1f} %; scale and B ({:.1f} A^2) fitted over shells",
                     a.cc, a.r1, a.common, d_min, minimum_multiplicity,
                     minimum_multiplicity == 1 ? "" : "s", 100 * a.completeness, a.b_factor);
}

} // namespace kilobragg::programs
