// How a merge compares with known intensities.
#include "kilobragg/merging/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace kilobragg::merging {

namespace {

struct Common {
  double intensity, truth, inv_d2;
  int shell;
};

// Indices of the merge that the truth knows, Bijvoet mates averaged.
std::vector<Common> common_indices(std::span<const MergedIndex> merged,
                                   const ResolutionShells& shells, const ReferenceTable& truth,
                                   int minimum_multiplicity) {
  struct Mean {
    double weight = 0, weighted = 0;
    AsuIndex index;
  };
  std::map<models::Miller, Mean> means;
  for (const MergedIndex& m : merged) {
    if (m.all.n < std::max(1, minimum_multiplicity) || shells.shell_of(m.index) < 0) continue;
    Mean& mean = means[m.index.miller()];
    mean.weight += m.all.weight;
    mean.weighted += m.all.weight * m.all.intensity;
    mean.index = m.index;
  }
  std::vector<Common> common;
  for (const auto& [hkl, mean] : means) {
    const double* expected = truth.find(mean.index);
    if (expected == nullptr) continue;
    common.push_back({mean.weighted / mean.weight, *expected, shells.inv_d2(mean.index),
                      shells.shell_of(mean.index)});
  }
  return common;
}

// ln(scale) and B from a straight line through the logarithms of the shells' mean ratios.
struct ScaleFit {
  double log_scale = 0, b_factor = 0;
};
ScaleFit fit_shell_ratios(const std::vector<Common>& common, int shell_count) {
  struct Shell {
    double n = 0, intensity = 0, truth = 0, inv_d2 = 0;
  };
  std::vector<Shell> sums(static_cast<std::size_t>(shell_count));
  for (const Common& c : common) {
    Shell& s = sums[static_cast<std::size_t>(c.shell)];
    s.n += 1;
    s.intensity += c.intensity, s.truth += c.truth, s.inv_d2 += c.inv_d2;
  }
  double w = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (const Shell& s : sums) {
    if (s.n < 5 || !(s.intensity > 0) || !(s.truth > 0)) continue;
    const double at = s.inv_d2 / s.n, log_ratio = std::log(s.intensity / s.truth);
    w += s.n;
    x += s.n * at, y += s.n * log_ratio;
    xx += s.n * at * at, xy += s.n * at * log_ratio;
  }
  if (w == 0) return {};
  const double variance = w * xx - x * x;
  const double slope = variance > 1e-12 * w * xx ? (w * xy - x * y) / variance : 0;
  return {(y - slope * x) / w, -2 * slope};
}

// Sums over pairs of a scaled and a true intensity.
struct TruthSums {
  double n = 0, a = 0, b = 0, aa = 0, bb = 0, ab = 0, difference = 0, sum = 0;

  void add(double scaled, double truth) {
    n += 1;
    a += scaled, b += truth;
    aa += scaled * scaled, bb += truth * truth, ab += scaled * truth;
    difference += std::abs(std::sqrt(std::max(0.0, scaled)) - std::sqrt(truth));
    sum += std::sqrt(truth);
  }
  TruthRow row() const {
    const double va = n * aa - a * a, vb = n * bb - b * b;
    return {static_cast<std::int64_t>(n),
            va > 0 && vb > 0 ? (n * ab - a * b) / std::sqrt(va * vb) : 0,
            sum > 0 ? difference / sum : 0};
  }
};

std::int64_t possible_truths(const ResolutionShells& shells, const ReferenceTable& truth) {
  std::int64_t n = 0;
  for (const models::Miller& hkl : truth.hkl)
    n += shells.shell_of({static_cast<std::int16_t>(hkl.h), static_cast<std::int16_t>(hkl.k),
                          static_cast<std::int16_t>(hkl.l), 0}) >= 0;
  return n;
}

} // namespace

TruthAgreement agreement_with_truth(std::span<const MergedIndex> merged,
                                    const ResolutionShells& shells, const ReferenceTable& truth,
                                    int minimum_multiplicity) {
  const std::vector<Common> common = common_indices(merged, shells, truth, minimum_multiplicity);
  TruthAgreement result;
  result.common = static_cast<std::int64_t>(common.size());
  result.shells.resize(static_cast<std::size_t>(shells.count()));
  if (common.size() < 3) return result;
  const ScaleFit fit = fit_shell_ratios(common, shells.count());
  TruthSums total;
  std::vector<TruthSums> by_shell(result.shells.size());
  for (const Common& c : common) {
    const double scaled = c.intensity / std::exp(fit.log_scale - 0.5 * fit.b_factor * c.inv_d2);
    total.add(scaled, c.truth);
    by_shell[static_cast<std::size_t>(c.shell)].add(scaled, c.truth);
  }
  static_cast<TruthRow&>(result) = total.row();
  for (std::size_t i = 0; i < by_shell.size(); ++i) result.shells[i] = by_shell[i].row();
  result.b_factor = fit.b_factor;
  result.log_scale = fit.log_scale;
  const std::int64_t possible = possible_truths(shells, truth);
  result.completeness = possible > 0 ? total.n / static_cast<double>(possible) : 0;
  return result;
}

} // namespace kilobragg::merging
