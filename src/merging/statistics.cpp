// Intensity and scaling tables: completeness, multiplicity, correlations and R factors by shell.
#include "kilobragg/merging/statistics.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::merging {

namespace {

double ratio(double numerator, double denominator) {
  return denominator > 0 ? numerator / denominator : 0;
}

// Sums of powers of I/sigma over single measurements.
struct SnrMoments {
  double n = 0, s1 = 0, s2 = 0, s3 = 0;
  void add(const MergedSet& set) {
    n += set.n;
    s1 += set.sum_snr, s2 += set.sum_snr2, s3 += set.sum_snr3;
  }
  void store(IntensityRow& row) const {
    if (n <= 0) return;
    const double mean = s1 / n, variance = std::max(0.0, s2 / n - mean * mean);
    row.unmerged_mean = mean;
    row.unmerged_deviation = n > 1 ? std::sqrt(variance * n / (n - 1)) : 0;
    const double third = s3 / n - 3 * mean * s2 / n + 2 * mean * mean * mean;
    row.unmerged_skew = variance > 0 ? third / (variance * std::sqrt(variance)) : 0;
  }
};

// Values as an MTZ holds them: figures of merit must be those of the file.
double as_stored(double value) { return static_cast<double>(static_cast<float>(value)); }

// Two estimates of one intensity.
struct IntensityPair {
  double a, b, variance_a, variance_b;
};

struct PairSums {
  double n = 0, a = 0, b = 0, aa = 0, bb = 0, ab = 0, wab = 0, wbb = 0;
};

PairSums sum_pairs(std::span<const IntensityPair> pairs, bool weight_both) {
  PairSums s;
  for (const IntensityPair& p : pairs) {
    const double w = 1 / p.variance_a + (weight_both ? 1 / p.variance_b : 0);
    s.n += 1;
    s.a += p.a, s.b += p.b;
    s.aa += p.a * p.a, s.bb += p.b * p.b, s.ab += p.a * p.b;
    s.wab += w * p.a * p.b, s.wbb += w * p.b * p.b;
  }
  return s;
}

double correlation(const PairSums& s) {
  const double va = s.n * s.aa - s.a * s.a, vb = s.n * s.bb - s.b * s.b;
  return va > 0 && vb > 0 ? (s.n * s.ab - s.a * s.b) / std::sqrt(va * vb) : 0;
}

double r_factor(std::span<const IntensityPair> pairs, double scale) {
  double difference = 0, sum = 0;
  for (const IntensityPair& p : pairs) {
    difference += std::abs(std::abs(p.a) - scale * std::abs(p.b));
    sum += std::abs(p.a);
  }
  return ratio(difference, sum);
}

void compare_halves(std::span<const IntensityPair> pairs, AgreementRow& row) {
  row.n_int = static_cast<std::int64_t>(pairs.size());
  if (pairs.empty()) return;
  const PairSums sums = sum_pairs(pairs, true);
  row.cc_int = correlation(sums);
  row.scale_int = ratio(sums.wab, sums.wbb);
  row.r_int = r_factor(pairs, row.scale_int);
  double difference = 0, sum = 0, squared = 0, variance = 0;
  for (const IntensityPair& p : pairs) {
    difference += std::abs(p.a - p.b);
    sum += std::abs(p.a + p.b);
    const double d = p.a - row.scale_int * p.b;
    squared += d * d;
    variance += p.variance_a + row.scale_int * row.scale_int * p.variance_b;
  }
  row.r_split = ratio(std::sqrt(2.0) * difference, sum);
  row.split_sigma = ratio(squared, variance);
}

void compare_reference(std::span<const IntensityPair> pairs, AgreementRow& row) {
  row.n_iso = static_cast<std::int64_t>(pairs.size());
  if (pairs.empty()) return;
  const PairSums sums = sum_pairs(pairs, false);
  row.cc_iso = correlation(sums);
  row.scale_iso = ratio(sums.wab, sums.wbb);
  row.r_iso = r_factor(pairs, row.scale_iso);
}

IntensityPair pair_of(const MergedSet& a, const MergedSet& b) {
  const double sa = as_stored(a.sigma), sb = as_stored(b.sigma);
  return {as_stored(a.intensity), as_stored(b.intensity), sa * sa, sb * sb};
}

void count_signs(const MergedSet& set, bool in_range, IntensityTable& table) {
  const std::int64_t zero = set.n - set.positive - set.negative;
  table.zero += zero;
  table.positive += set.positive;
  table.negative += set.negative;
  if (!in_range) return;
  table.zero_in_range += zero;
  table.positive_in_range += set.positive;
  table.negative_in_range += set.negative;
}

} // namespace

const MergedSet& choose(const MergedIndex& merged, SetChoice choice) {
  return choice == SetChoice::All ? merged.all
                                  : (choice == SetChoice::Odd ? merged.odd : merged.even);
}

double IntensityRow::completeness() const { return ratio(double(observed), double(possible)); }
double IntensityRow::multiplicity_possible() const {
  return ratio(double(measurements), double(possible));
}
double IntensityRow::multiplicity_observed() const {
  return ratio(double(measurements), double(observed));
}
double IntensityRow::mean_intensity() const { return ratio(sum_intensity, double(observed)); }
double IntensityRow::mean_snr() const { return ratio(sum_snr, double(observed)); }

IntensityTable intensity_table(std::span<const MergedIndex> merged, const ResolutionShells& shells,
                               SetChoice choice, int minimum_multiplicity) {
  IntensityTable table;
  const auto n = static_cast<std::size_t>(shells.count());
  table.shells.resize(n);
  std::vector<SnrMoments> moments(n);
  SnrMoments all;
  for (const MergedIndex& m : merged) {
    const MergedSet& set = choose(m, choice);
    const int shell = shells.shell_of(m.index);
    count_signs(set, shell >= 0, table);
    if (shell < 0 || set.n == 0 || set.n < minimum_multiplicity) continue;
    IntensityRow& row = table.shells[static_cast<std::size_t>(shell)];
    ++row.observed;
    row.measurements += set.n;
    row.sum_intensity += set.intensity;
    row.sum_snr += set.sigma > 0 ? set.intensity / set.sigma : 0;
    moments[static_cast<std::size_t>(shell)].add(set);
    all.add(set);
  }
  for (std::size_t i = 0; i < n; ++i) {
    IntensityRow& row = table.shells[i];
    row.possible = shells.possible(static_cast<int>(i));
    moments[i].store(row);
    table.total.possible += row.possible;
    table.total.observed += row.observed;
    table.total.measurements += row.measurements;
    table.total.sum_intensity += row.sum_intensity;
    table.total.sum_snr += row.sum_snr;
  }
  all.store(table.total);
  return table;
}

AgreementTable agreement_table(std::span<const MergedIndex> merged, const ResolutionShells& shells,
                               const ReferenceTable* reference, int minimum_multiplicity) {
  AgreementTable table;
  table.has_reference = reference != nullptr;
  const auto n = static_cast<std::size_t>(shells.count());
  table.shells.resize(n);
  std::vector<std::vector<IntensityPair>> halves(n), references(n);
  double finest = 0; // 1/d^2; completeness counts to the finest index that both halves have
  for (const MergedIndex& m : merged) {
    const int shell = shells.shell_of(m.index);
    if (shell < 0) continue;
    const auto s = static_cast<std::size_t>(shell);
    if (std::min(m.odd.n, m.even.n) >= std::max(1, minimum_multiplicity)) {
      halves[s].push_back(pair_of(m.odd, m.even));
      finest = std::max(finest, shells.inv_d2(m.index));
    }
    const double* expected = reference != nullptr ? reference->find(m.index) : nullptr;
    if (expected != nullptr && m.all.n >= std::max(1, minimum_multiplicity)) {
      IntensityPair pair = pair_of(m.all, m.all);
      pair.b = *expected;
      references[s].push_back(pair);
    }
  }
  std::vector<IntensityPair> all_halves, all_references;
  for (std::size_t s = 0; s < n; ++s) {
    table.shells[s].possible = shells.possible_up_to(static_cast<int>(s), finest);
    table.total.possible += table.shells[s].possible;
    compare_halves(halves[s], table.shells[s]);
    compare_reference(references[s], table.shells[s]);
    all_halves.insert(all_halves.end(), halves[s].begin(), halves[s].end());
    all_references.insert(all_references.end(), references[s].begin(), references[s].end());
  }
  compare_halves(all_halves, table.total);
  compare_reference(all_references, table.total);
  return table;
}

CellStatistics cell_statistics(std::span<const models::UnitCell> cells) {
  CellStatistics result;
  result.lattices = static_cast<std::int64_t>(cells.size());
  if (cells.empty()) return result;
  const auto n = static_cast<double>(cells.size());
  std::array<double, 6> mean{};
  for (const models::UnitCell& cell : cells) {
    const auto p = cell.parameters();
    for (std::size_t i = 0; i < 6; ++i) mean[i] += p[i];
  }
  for (double& value : mean) value /= n;
  result.mean = {mean[0], mean[1], mean[2], mean[3], mean[4], mean[5]};
  for (std::size_t i = 0; i < 3; ++i) {
    EdgeStatistics& edge = result.edges[i];
    edge.mean = mean[i];
    edge.low = edge.high = cells[0].parameters()[i];
    double squares = 0;
    for (const models::UnitCell& cell : cells) {
      const double value = cell.parameters()[i];
      edge.low = std::min(edge.low, value);
      edge.high = std::max(edge.high, value);
      squares += (value - edge.mean) * (value - edge.mean);
    }
    edge.deviation = n > 1 ? std::sqrt(squares / (n - 1)) : 0;
    const double width = (edge.high - edge.low) / static_cast<double>(edge.slots.size());
    for (const models::UnitCell& cell : cells) {
      const double at = width > 0 ? (cell.parameters()[i] - edge.low) / width : 0;
      ++edge.slots[std::min(edge.slots.size() - 1, static_cast<std::size_t>(at))];
    }
  }
  return result;
}

} // namespace kilobragg::merging
