// Writing merged intensities and the record of the run.
#include "merge_output.hpp"

#include "kilobragg/core/files.hpp"
#include "kilobragg/core/version.hpp"
#include "kilobragg/io/mtz.hpp"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

namespace kilobragg::programs {

namespace {

// Bijvoet mates of one index, I(+) and I(-).
struct Mates {
  const merging::MergedSet* plus = nullptr;
  const merging::MergedSet* minus = nullptr;
};

io::MergedReflection row_of(const models::Miller& hkl, const Mates& mates) {
  io::MergedReflection row{.hkl = hkl};
  double weight = 0, weighted = 0, variance = 0;
  const auto add = [&](const merging::MergedSet* set, bool& has, double& intensity, double& sigma) {
    if (set == nullptr) return;
    has = true;
    intensity = set->intensity;
    sigma = set->sigma;
    row.multiplicity += set->n;
    weight += set->weight;
    weighted += set->weight * set->intensity;
    variance += set->weight * set->weight * set->sigma * set->sigma;
  };
  add(mates.plus, row.has_plus, row.i_plus, row.sigma_plus);
  add(mates.minus, row.has_minus, row.i_minus, row.sigma_minus);
  row.i_mean = weighted / weight;
  row.sigma_mean = std::sqrt(variance) / weight;
  // Mates that differ by more than their sigmas make the mean less certain.
  if (row.has_plus && row.has_minus)
    row.sigma_mean = std::max(row.sigma_mean, 0.5 * std::abs(row.i_plus - row.i_minus));
  return row;
}

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

std::string host() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

nlohmann::json shell_json(const merging::ResolutionShells& shells, int shell,
                          const merging::IntensityRow& row, const merging::AgreementRow& agreement,
                          bool reference) {
  nlohmann::json j = {{"completeness", row.completeness()},
                      {"possible", row.possible},
                      {"observed", row.observed},
                      {"measurements", row.measurements},
                      {"multiplicity", row.multiplicity_observed()},
                      {"mean_intensity", row.mean_intensity()},
                      {"mean_i_over_sigma", row.mean_snr()},
                      {"cc_half", agreement.cc_int},
                      {"n_half", agreement.n_int},
                      {"r_split", agreement.r_split},
                      {"r_int", agreement.r_int},
                      {"split_sigma", agreement.split_sigma}};
  if (shell >= 0) j["d_max"] = shells.d_low(shell), j["d_min"] = shells.d_high(shell);
  if (reference) {
    j["cc_iso"] = agreement.cc_iso;
    j["n_iso"] = agreement.n_iso;
    j["r_iso"] = agreement.r_iso;
  }
  return j;
}

} // namespace

std::string mtz_path(const MergeOptions& options, const std::string& set) {
  return options.output_dir + "/" + options.prefix + "_" + set + ".mtz";
}

std::int64_t write_set(const std::vector<merging::MergedIndex>& merged,
                       const merging::ResolutionShells& shells, merging::SetChoice choice,
                       const OutputFrame& frame, const MergeOptions& options,
                       const std::string& path) {
  io::MergedMtz mtz;
  mtz.cell = frame.cell;
  mtz.space_group = frame.space_group;
  mtz.wavelength = frame.wavelength;
  mtz.title = options.title;
  mtz.history = frame.history;
  mtz.anomalous = !options.merge_anomalous;
  std::int64_t written = 0;
  Mates mates;
  models::Miller hkl;
  const auto finish_row = [&] {
    if (mates.plus != nullptr || mates.minus != nullptr)
      mtz.reflections.push_back(row_of(hkl, mates));
    mates = {};
  };
  for (const merging::MergedIndex& m : merged) {
    const merging::MergedSet& set = merging::choose(m, choice);
    if (set.n < options.minimum_multiplicity || shells.shell_of(m.index) < 0) continue;
    if (m.index.miller() != hkl) finish_row();
    hkl = m.index.miller();
    (m.index.minus != 0 ? mates.minus : mates.plus) = &set;
    ++written;
  }
  finish_row();
  io::write_merged_mtz(mtz, path);
  return written;
}

std::vector<std::string> history_lines(const std::vector<std::string>& facts) {
  constexpr std::size_t width = 80;
  std::vector<std::string> lines;
  for (const std::string& fact : facts)
    for (std::size_t at = 0; at < std::max<std::size_t>(1, fact.size()); at += width)
      lines.push_back(fact.substr(at, width));
  return lines;
}

void write_run_json(const RunFacts& facts, const OutputFrame& frame,
                    const merging::ResolutionShells& shells,
                    const merging::IntensityTable& intensities,
                    const merging::AgreementTable& agreement, const std::string& path) {
  nlohmann::json j;
  j["program"] = core::version_line("merge");
  j["date"] = now_utc();
  j["host"] = host();
  j["ranks"] = facts.ranks;
  j["seconds"] = facts.seconds;
  j["options"] = facts.options_phil;
  j["files"] = facts.files;
  j["counts"] = facts.counts;
  j["scaling"] = facts.scaling;
  if (!facts.truth.empty()) j["truth"] = facts.truth;
  j["unit_cell"] = frame.cell.parameters();
  j["space_group"] = frame.space_group.hm();
  j["wavelength"] = frame.wavelength;
  for (int i = 0; i < shells.count(); ++i) {
    const auto s = static_cast<std::size_t>(i);
    j["shells"].push_back(
        shell_json(shells, i, intensities.shells[s], agreement.shells[s], agreement.has_reference));
  }
  j["overall"] =
      shell_json(shells, -1, intensities.total, agreement.total, agreement.has_reference);
  core::write_file(path, j.dump(1) + "\n");
}

} // namespace kilobragg::programs
