// Gathers amplitudes, differences and pulls of each shell.
#include "factor_samples.hpp"

#include <cmath>
#include <optional>

namespace kilobragg::pixelrefinement {

namespace {

using merging::MergedIndex;
using merging::MergedSet;

double amplitude(double intensity) { return std::sqrt(std::max(0.0, intensity)); }

models::Miller measured_index(const merging::AsuIndex& index) {
  return index.minus != 0 ? models::Miller{-index.h, -index.k, -index.l} : index.miller();
}

/// Takes indices one by one, in order; mates come one after the other.
class Sampler {
public:
  Sampler(const merging::ResolutionShells& shells, const KnownFactors& known, int minimum,
          bool mates_apart)
      : shells_(shells)
      , known_(known)
      , minimum_(minimum)
      , mates_apart_(mates_apart) {
    samples.shells.resize(static_cast<std::size_t>(shells.count()));
  }

  void add(const MergedIndex& m) {
    const int shell = shells_.shell_of(m.index);
    if (shell < 0) return;
    add_single(m, samples.shells[static_cast<std::size_t>(shell)]);
    add_single(m, samples.total);
  }

  void add_pair(const MergedIndex& plus, const MergedIndex& minus) {
    const int shell = shells_.shell_of(plus.index);
    if (shell < 0) return;
    add_differences(plus, minus, samples.shells[static_cast<std::size_t>(shell)]);
    add_differences(plus, minus, samples.total);
  }

  FactorSamples samples;

private:
  /// Intensity in units of the truth.
  double scale_of(const MergedIndex& m) const {
    return std::exp(known_.fit.log_scale - 0.5 * known_.fit.b_factor * shells_.inv_d2(m.index));
  }
  std::optional<double> true_amplitude(const MergedIndex& m) const {
    if (known_.table == nullptr) return std::nullopt;
    const models::Miller hkl = measured_index(m.index);
    const auto one = true_amplitude(hkl);
    if (mates_apart_ || !known_.table->bijvoet_apart) return one;
    const auto mate = true_amplitude(models::Miller{-hkl.h, -hkl.k, -hkl.l});
    return one && mate ? std::sqrt(0.5 * (*one * *one + *mate * *mate)) : one ? one : mate;
  }
  std::optional<double> true_amplitude(const models::Miller& hkl) const {
    const std::int32_t row = known_.table->row_of(hkl);
    if (row < 0) return std::nullopt;
    return known_.table->f[static_cast<std::size_t>(row)];
  }

  void add_single(const MergedIndex& m, FactorSample& sample) const {
    if (is_observed(m.odd, minimum_) && is_observed(m.even, minimum_)) {
      sample.odd_f.push_back(amplitude(m.odd.intensity));
      sample.even_f.push_back(amplitude(m.even.intensity));
    }
    if (!is_observed(m.all, minimum_)) return;
    ++sample.observed;
    const bool has_error = m.all.sigma > 0;
    if (has_error) sample.sum_f_over_sigma += 2 * std::max(0.0, m.all.intensity) / m.all.sigma;
    const auto truth = true_amplitude(m);
    if (!truth || !(*truth > 0) || !(m.all.intensity > 0) || !has_error) return;
    const double f = std::sqrt(m.all.intensity / scale_of(m));
    sample.pulls.push_back((f - *truth) / (0.5 * f * m.all.sigma / m.all.intensity));
  }

  void add_differences(const MergedIndex& plus, const MergedIndex& minus,
                       FactorSample& sample) const {
    const auto difference = [](const MergedSet& a, const MergedSet& b) {
      return amplitude(a.intensity) - amplitude(b.intensity);
    };
    const bool has_halves = is_observed(plus.odd, minimum_) && is_observed(minus.odd, minimum_) &&
                            is_observed(plus.even, minimum_) && is_observed(minus.even, minimum_);
    if (has_halves) {
      sample.odd_dano.push_back(difference(plus.odd, minus.odd));
      sample.even_dano.push_back(difference(plus.even, minus.even));
    }
    const auto true_plus = true_amplitude(plus), true_minus = true_amplitude(minus);
    if (!true_plus || !true_minus || !is_observed(plus.all, minimum_) ||
        !is_observed(minus.all, minimum_))
      return;
    sample.dano.push_back(difference(plus.all, minus.all) / std::sqrt(scale_of(plus)));
    sample.true_dano.push_back(*true_plus - *true_minus);
  }

  const merging::ResolutionShells& shells_;
  const KnownFactors& known_;
  int minimum_;
  bool mates_apart_;
};

double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto i = static_cast<std::size_t>(at);
  if (i + 1 >= sorted.size()) return sorted.back();
  return sorted[i] + (at - static_cast<double>(i)) * (sorted[i + 1] - sorted[i]);
}

} // namespace

FactorSamples sample_factors(std::span<const MergedIndex> merged,
                             const merging::ResolutionShells& shells, const KnownFactors& known,
                             int minimum_multiplicity) {
  std::vector<MergedIndex> sorted(merged.begin(), merged.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const MergedIndex& a, const MergedIndex& b) { return a.index < b.index; });
  const bool mates_apart = std::any_of(sorted.begin(), sorted.end(),
                                       [](const MergedIndex& m) { return m.index.minus != 0; });
  Sampler sampler(shells, known, minimum_multiplicity, mates_apart);
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    sampler.add(sorted[i]);
    const bool has_mate = i + 1 < sorted.size() && sorted[i].index.minus == 0 &&
                          sorted[i + 1].index.miller() == sorted[i].index.miller();
    if (has_mate) sampler.add_pair(sorted[i], sorted[i + 1]);
  }
  return std::move(sampler.samples);
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() < 2) return 0;
  const auto n = static_cast<double>(a.size());
  double mean_a = 0, mean_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) mean_a += a[i] / n, mean_b += b[i] / n;
  double aa = 0, bb = 0, ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double da = a[i] - mean_a, db = b[i] - mean_b;
    aa += da * da, bb += db * db, ab += da * db;
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

double scaled_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double ab = 0, bb = 0, sum = 0, difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) ab += a[i] * b[i], bb += b[i] * b[i], sum += a[i];
  const double scale = bb > 0 ? ab / bb : 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference += std::abs(a[i] - scale * b[i]);
  return sum > 0 ? difference / sum : 0;
}

Pulls summary_of(std::vector<double> pulls) {
  Pulls result;
  if (pulls.empty()) return result;
  const auto n = static_cast<double>(pulls.size());
  result.count = static_cast<std::int64_t>(pulls.size());
  double squares = 0;
  for (const double pull : pulls) {
    result.mean += pull / n;
    squares += pull * pull;
  }
  result.rms = std::sqrt(squares / n);
  std::sort(pulls.begin(), pulls.end());
  result.half_width = 0.5 * (quantile(pulls, 0.8413447) - quantile(pulls, 0.1586553));
  return result;
}

} // namespace kilobragg::pixelrefinement
