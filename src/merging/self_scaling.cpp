// Scale and B of each lattice from the ratio of its norm to that of the others' average.
#include "kilobragg/merging/self_scaling.hpp"

#include "kilobragg/merging/index_groups.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

namespace kilobragg::merging {

namespace {

// Shells of resolution for the fit of B: enough for a slope, few enough to be filled.
constexpr std::size_t max_shells = 5;
constexpr std::size_t observations_per_shell = 15;
// Relative variance that one observation adds to a ratio of norms; with n in a shell ln G there has
// the variance ratio_variance / n (measured on simulated stills, where it is 1 to 3).
constexpr double ratio_variance = 2;

struct Pair {
  float inv_d2;
  double observed, reference, weight;
};

double correction(const LatticeRecord& lattice, double inv_d2) {
  return std::exp(lattice.log_scale - 0.5 * lattice.b_factor * inv_d2);
}

// Observations that other lattices share, by resolution.
std::vector<Pair> common_pairs(const Observations& observations, const LatticeRecord& lattice,
                               std::span<const float> reference) {
  std::vector<Pair> pairs;
  for (std::size_t i = lattice.begin; i < lattice.end; ++i)
    if (!std::isnan(reference[i]))
      pairs.push_back({observations.inv_d2[i], observations.intensity[i], reference[i],
                       observations.nearness[i]});
  return pairs;
}

// Half the logarithm of the ratio of squared norms, and the mean 1/d^2 it stands for.
struct ShellRatio {
  double log_ratio = 0, inv_d2 = 0, count = 0;
  bool valid = false;
};
ShellRatio norm_ratio(std::span<const Pair> pairs) {
  ShellRatio shell;
  double observed = 0, reference = 0;
  for (const Pair& p : pairs) {
    observed += p.weight * p.observed * p.observed;
    reference += p.weight * p.reference * p.reference;
    shell.inv_d2 += p.inv_d2;
  }
  shell.count = static_cast<double>(pairs.size());
  shell.inv_d2 /= std::max(1.0, shell.count);
  shell.valid = observed > 0 && reference > 0;
  if (shell.valid) shell.log_ratio = 0.5 * std::log(observed / reference);
  return shell;
}

// B from the slope of ln(ratio) over 1/d^2 of observations that have `present` B taken off already (so
// that shells may be wide), with a normal prior around zero of width `sigma`: B = present - 2 slope.
double fit_b(std::vector<Pair> pairs, double present, double sigma) {
  const std::size_t shells = std::min(max_shells, pairs.size() / observations_per_shell);
  if (shells < 2 || sigma <= 0) return 0;
  for (Pair& p : pairs) p.observed *= std::exp(0.5 * present * p.inv_d2);
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Pair& a, const Pair& b) { return a.inv_d2 < b.inv_d2; });
  std::vector<ShellRatio> ratios;
  for (std::size_t s = 0; s < shells; ++s) {
    const std::size_t first = s * pairs.size() / shells, last = (s + 1) * pairs.size() / shells;
    const ShellRatio shell = norm_ratio(std::span(pairs).subspan(first, last - first));
    if (shell.valid) ratios.push_back(shell);
  }
  double weight = 0, mean_x = 0, mean_y = 0;
  for (const ShellRatio& r : ratios) {
    weight += r.count;
    mean_x += r.count * r.inv_d2;
    mean_y += r.count * r.log_ratio;
  }
  if (weight == 0) return 0;
  mean_x /= weight, mean_y /= weight;
  double xx = 0, xy = 0;
  for (const ShellRatio& r : ratios) {
    xx += r.count * (r.inv_d2 - mean_x) * (r.inv_d2 - mean_x);
    xy += r.count * (r.inv_d2 - mean_x) * (r.log_ratio - mean_y);
  }
  const double prior = ratio_variance / (0.25 * sigma * sigma); // the slope is -B/2
  return xx > 0 ? (present - 2 * xy / xx) * xx / (xx + prior) : 0;
}

double weighted_correlation(const std::vector<Pair>& pairs, const LatticeRecord& lattice) {
  double w = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
  for (const Pair& p : pairs) {
    const double scaled = p.observed / correction(lattice, p.inv_d2);
    w += p.weight;
    x += p.weight * scaled, y += p.weight * p.reference;
    xx += p.weight * scaled * scaled, yy += p.weight * p.reference * p.reference;
    xy += p.weight * scaled * p.reference;
  }
  const double vx = w * xx - x * x, vy = w * yy - y * y;
  return vx > 0 && vy > 0 ? (w * xy - x * y) / std::sqrt(vx * vy) : 0;
}

// Only ratios of scales and differences of B are determined: their means are put to one and zero.
void normalise(Observations& observations, const ScalingExchange& exchange) {
  std::vector<double> logs, bs;
  for (const LatticeRecord& lattice : observations.lattices) {
    logs.push_back(lattice.log_scale);
    bs.push_back(lattice.b_factor);
  }
  const double mean_log = exchange.mean(logs), mean_b = exchange.mean(bs);
  for (LatticeRecord& lattice : observations.lattices) {
    lattice.log_scale -= mean_log;
    lattice.b_factor -= mean_b;
  }
}

void run_cycles(Observations& observations, const SelfScalingParams& params,
                const ScalingExchange& exchange, SelfScalingResult& result) {
  result.converged = false;
  std::vector<double> old_log, old_b;
  for (int cycle = 0; cycle < params.max_cycles && !result.converged; ++cycle) {
    old_log.clear(), old_b.clear();
    for (const LatticeRecord& lattice : observations.lattices) {
      old_log.push_back(lattice.log_scale);
      old_b.push_back(lattice.b_factor);
    }
    const std::vector<float> others = exchange.means_of_others(scaled_intensities(observations));
    update_scales(observations, others, params);
    normalise(observations, exchange);
    double change = 0;
    for (std::size_t n = 0; n < old_log.size(); ++n)
      change = std::max({change, std::abs(observations.lattices[n].log_scale - old_log[n]),
                         std::abs(observations.lattices[n].b_factor - old_b[n]) / 100});
    result.last_change = exchange.all_max(change);
    result.converged = result.last_change < params.tolerance;
    ++result.cycles;
  }
}

std::vector<bool> scalable_lattices(const Observations& observations,
                                    const ScalingExchange& exchange,
                                    const SelfScalingParams& params, SelfScalingResult& result) {
  const std::vector<float> others = exchange.means_of_others(scaled_intensities(observations));
  std::vector<bool> keep;
  for (const LatticeRecord& lattice : observations.lattices) {
    const bool low_signal = common_pairs(observations, lattice, others).size() < params.min_common;
    const bool low_correlation = !low_signal && lattice.correlation < params.min_correlation;
    result.low_signal += low_signal;
    result.low_correlation += low_correlation;
    keep.push_back(!low_signal && !low_correlation);
    if (!keep.back()) result.observations += static_cast<std::int64_t>(lattice.size());
  }
  return keep;
}

void apply_scales(Observations& observations) {
  for (const LatticeRecord& lattice : observations.lattices)
    for (std::size_t i = lattice.begin; i < lattice.end; ++i) {
      const double factor = 1 / correction(lattice, observations.inv_d2[i]);
      observations.intensity[i] = static_cast<float>(observations.intensity[i] * factor);
      observations.variance[i] = static_cast<float>(observations.variance[i] * factor * factor);
    }
}

} // namespace

ScalingExchange exchange_alone(const Observations& observations) {
  std::vector<std::uint32_t> lattice(observations.size());
  for (std::size_t n = 0; n < observations.lattices.size(); ++n)
    for (std::size_t i = observations.lattices[n].begin; i < observations.lattices[n].end; ++i)
      lattice[i] = static_cast<std::uint32_t>(n);
  const auto groups =
      std::make_shared<const IndexGroups>(group_by_index(observations.index, lattice));
  const auto weight =
      std::make_shared<const std::vector<float>>(groups->in_order(observations.nearness));
  ScalingExchange exchange;
  exchange.means_of_others = [groups, weight](std::span<const float> scaled) {
    return groups->in_arrival_order(means_of_others(*groups, groups->in_order(scaled), *weight));
  };
  exchange.all_max = [](double value) { return value; };
  exchange.mean = [](std::span<const double> values) {
    double sum = 0;
    for (const double value : values) sum += value;
    return values.empty() ? 0 : sum / static_cast<double>(values.size());
  };
  return exchange;
}

std::vector<float> scaled_intensities(const Observations& observations) {
  std::vector<float> scaled(observations.size());
  for (const LatticeRecord& lattice : observations.lattices)
    for (std::size_t i = lattice.begin; i < lattice.end; ++i)
      scaled[i] = static_cast<float>(observations.intensity[i] /
                                     correction(lattice, observations.inv_d2[i]));
  return scaled;
}

void update_scales(Observations& observations, std::span<const float> reference,
                   const SelfScalingParams& params) {
  for (LatticeRecord& lattice : observations.lattices) {
    std::vector<Pair> pairs = common_pairs(observations, lattice, reference);
    lattice.correlation = 0;
    if (pairs.size() < params.min_common) continue;
    lattice.b_factor = fit_b(pairs, lattice.b_factor, params.b_sigma);
    std::vector<Pair> flat = pairs;
    for (Pair& p : flat) p.observed *= std::exp(0.5 * lattice.b_factor * p.inv_d2);
    const ShellRatio overall = norm_ratio(flat);
    if (overall.valid) lattice.log_scale = overall.log_ratio;
    lattice.correlation = weighted_correlation(pairs, lattice);
  }
}

SelfScalingResult self_scale(Observations& observations, const SelfScalingParams& params,
                             const std::function<ScalingExchange(const Observations&)>& connect) {
  SelfScalingResult result;
  ScalingExchange exchange = connect(observations);
  run_cycles(observations, params, exchange, result);
  const std::vector<bool> keep = scalable_lattices(observations, exchange, params, result);
  const bool rejected = result.low_signal + result.low_correlation > 0;
  if (exchange.all_max(rejected ? 1 : 0) > 0) {
    observations.keep_lattices(keep);
    exchange = connect(observations);
    run_cycles(observations, params, exchange, result);
  }
  apply_scales(observations);
  return result;
}

} // namespace kilobragg::merging
