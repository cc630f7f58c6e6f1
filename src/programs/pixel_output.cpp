// Files and tables of refinement against pixels, written by the first rank.
#include "pixel_output.hpp"

#include "factor_conversion.hpp"
#include "pixel_parts.hpp"
#include "pixel_report.hpp"
#include "pixel_state.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/core/log.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/core/version.hpp"
#include "kilobragg/io/factors_mtz.hpp"
#include "kilobragg/io/free_flags.hpp"
#include "kilobragg/parallel/together.hpp"
#include "kilobragg/pixelrefinement/factor_statistics.hpp"
#include "kilobragg/pixelrefinement/shot_table.hpp"
#include "kilobragg/report/pixel_report.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace kilobragg::programs {
namespace {

using namespace pixelrefinement;
using parallel::Communicator;

std::string path_of(const PixelResults& r, const std::string& rest) {
  return r.options.output_dir + "/" + r.options.prefix + rest;
}

void write_shots(const PixelResults& r, const ShotParts& parts) {
  std::string text = shot_table_header();
  for (const std::string& rows : parts.rows) text += rows;
  core::write_file(path_of(r, "_shots.csv"), text);
  core::log_info("Wrote {} ({} shots)", path_of(r, "_shots.csv"), parts.rows.size());
  for (const auto& [word, n] : parts.states) core::log_info("  {} {}", n, word);
  text = "identifier,parameter,value,sigma\r\n";
  for (const std::string& rows : parts.errors) text += rows;
  core::write_file(path_of(r, "_shot_errors.csv"), text);
}

void write_convergence(const PixelResults& r) {
  std::string text = "iteration,evaluations,f,gradient,step,shift,left_out_per_pixel\r\n";
  for (const FactorIteration& i : r.refinement.iterations)
    text +=
        fmt::format("{},{},{},{},{},{},{}\r\n", i.iteration, i.evaluations, i.f, i.gradient, i.step,
                    i.shift, std::isfinite(i.left_out) ? fmt::to_string(i.left_out) : "");
  core::write_file(path_of(r, "_convergence.csv"), text);
}

/// Structure factors at one energy, or for all, as tables of one layer.
struct Layer {
  std::string suffix;    ///< of file names; empty where there is one layer
  std::string text;      ///< " at 7100 eV", or empty
  double wavelength = 0; ///< angstrom
  RefinedSet all, odd, even;
  FactorTable before;
};

RefinedSet layer_of(const RefinedSet& set, std::size_t layer) {
  RefinedSet one;
  one.table = pixelrefinement::layer_of(set.table, layer);
  const std::size_t size = one.table.size(), first = layer * size;
  for (std::size_t i = first; i < first + size; ++i) {
    one.pixels.push_back(i < set.pixels.size() ? set.pixels[i] : 0);
    one.start.push_back(set.start[i]);
  }
  return one;
}

Layer layer_of(const PixelResults& r, std::size_t layer) {
  Layer one;
  one.wavelength = r.input.frame.wavelength;
  if (r.before.layers() > 1) {
    const double energy = r.before.energies[layer];
    one.suffix = fmt::format("_{:g}eV", energy);
    one.text = fmt::format(" at {:g} eV", energy);
    one.wavelength = core::ev_angstrom / energy;
  }
  one.all = layer_of(r.all, layer);
  if (r.odd.table.size() > 0) one.odd = layer_of(r.odd, layer);
  if (r.even.table.size() > 0) one.even = layer_of(r.even, layer);
  one.before = pixelrefinement::layer_of(r.before, layer);
  return one;
}

/// Those of a file, read once for all that is written; none where flags are made or not wanted.
std::optional<io::FreeFlags> read_free_flags(const PixelResults& r) {
  const PixelOptions& o = r.options.pixels;
  if (o.free_flags_file.empty()) return std::nullopt;
  io::FreeFlags flags =
      io::read_free_flags_mtz(o.free_flags_file, r.all.table.space_group, o.free_flags_column);
  core::log_info("Free flags: column {} of '{}'", flags.column, o.free_flags_file);
  return flags;
}

/// Flags of the rows: carried over, or made.
void set_free_flags(const PixelResults& r, const std::optional<io::FreeFlags>& known,
                    std::vector<io::FactorRow>& rows) {
  const PixelOptions& o = r.options.pixels;
  if (!known) {
    if (o.free_flags_fraction > 0)
      for (io::FactorRow& row : rows)
        row.free_flag = io::made_free_flag(r.all.table.space_group, row.hkl, o.free_flags_fraction);
    return;
  }
  std::vector<models::Miller> hkl;
  hkl.reserve(rows.size());
  for (const io::FactorRow& row : rows) hkl.push_back(row.hkl);
  const io::CarriedFlags carried = io::carry_over(*known, hkl);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].free_flag = carried.flag[i];
  if (carried.missing > 0)
    core::log_warning("{} indices have no free flag in '{}'", carried.missing, o.free_flags_file);
}

void write_mtz(const PixelResults& r, const std::optional<io::FreeFlags>& flags, const Layer& layer,
               const RefinedSet& refined, const std::string& set) {
  const FactorTable& table = refined.table;
  std::vector<io::FactorRow> rows = rows_of(table, refined.pixels, refined.start);
  const double d_min = *r.options.d_min;
  std::erase_if(rows, [&](const io::FactorRow& row) {
    return table.cell.d(row.hkl) < d_min ||
           (!std::isfinite(row.plus.f) && !std::isfinite(row.minus.f));
  });
  io::FactorsMtz mtz;
  mtz.cell = table.cell;
  mtz.space_group = table.space_group;
  mtz.wavelength = layer.wavelength;
  mtz.title = r.options.title;
  mtz.history =
      history_lines({"From KiloBragg merge " + core::version() + ", refined against pixels",
                     fmt::format("{} set{}, identifiers {}", set, layer.text, r.input.digest),
                     fmt::format("d_min {} cycles {}", d_min, r.cycles.size())});
  set_free_flags(r, flags, rows);
  mtz.free_flags = flags || r.options.pixels.free_flags_fraction > 0;
  mtz.rows = std::move(rows);
  mtz.anomalous = table.bijvoet_apart;
  mtz.priors = true;
  const std::string path = path_of(r, "_refined_" + set + layer.suffix + ".mtz");
  io::write_factors_mtz(mtz, path);
  core::log_info("Wrote {} ({} indices)", path, mtz.rows.size());
}

/// Figures of merit of the merge and of the refinement, each on its own indices and on common ones.
struct Figures {
  FactorStatistics merged, refined, merged_common, refined_common;
  std::vector<merging::MergedIndex> refined_sets;
};

Figures figures_of(const PixelResults& r, const Layer& layer) {
  Figures figures;
  const FactorTable* truth = r.truth ? &*r.truth : nullptr;
  const int least = r.options.minimum_multiplicity;
  figures.refined_sets = as_merged(layer.all.table, layer.odd.table, layer.even.table);
  const auto [merged, refined] = common_sets(r.input.merged, least, figures.refined_sets, 1);
  figures.merged = factor_statistics(r.input.merged, r.input.shells, truth, least);
  figures.refined = factor_statistics(figures.refined_sets, r.input.shells, truth, 1);
  figures.merged_common = factor_statistics(merged, r.input.shells, truth, least);
  figures.refined_common = factor_statistics(refined, r.input.shells, truth, 1);
  return figures;
}

nlohmann::json row_json(const FactorStatisticsRow& row) {
  return {
      {"possible", row.possible},
      {"observed", row.observed},
      {"completeness", row.completeness()},
      {"mean_f_over_sigma", row.mean_f_over_sigma},
      {"cc_half", row.cc_half},
      {"r_split", row.r_split},
      {"r1_half", row.r1_half},
      {"cc_ano_half", row.anomalous_half.cc},
      {"truth", {{"common", row.truth.common}, {"cc", row.truth.cc}, {"r1", row.truth.r1}}},
      {"cc_ano_truth", row.anomalous_truth.cc},
      {"pulls",
       {{"count", row.pulls.count}, {"rms", row.pulls.rms}, {"half_width", row.pulls.half_width}}}};
}

nlohmann::json table_json(const FactorStatistics& table) {
  nlohmann::json j{{"overall", row_json(table.total)}, {"shells", nlohmann::json::array()}};
  for (const FactorStatisticsRow& row : table.shells) j["shells"].push_back(row_json(row));
  return j;
}

nlohmann::json figures_json(const Figures& figures) {
  return {{"merged", table_json(figures.merged)},
          {"refined", table_json(figures.refined)},
          {"merged_common", table_json(figures.merged_common)},
          {"refined_common", table_json(figures.refined_common)}};
}

/// `figures` by layer; none where no structure factors were refined.
void write_json(const PixelResults& r, const std::vector<Figures>& figures,
                const ShotParts& parts) {
  nlohmann::json j;
  j["program"] = core::version_line("merge");
  for (const CycleFigures& c : r.cycles)
    j["cycles"].push_back({{"cycle", c.cycle},
                           {"shots", c.shots},
                           {"refined", c.refined},
                           {"boxes", c.boxes},
                           {"pixels", c.pixels},
                           {"outliers", c.outliers},
                           {"evaluations", c.evaluations},
                           {"sigma_z", c.sigma_z},
                           {"iterations", c.iterations},
                           {"f", c.f},
                           {"moved", c.moved},
                           {"end", c.end}});
  j["shots"] = parts.states;
  if (figures.size() == 1) j.update(figures_json(figures[0]));
  for (std::size_t layer = 0; figures.size() > 1 && layer < figures.size(); ++layer) {
    nlohmann::json of_energy = figures_json(figures[layer]);
    of_energy["energy_ev"] = r.before.energies[layer];
    j["energies"].push_back(std::move(of_energy));
  }
  core::write_file(path_of(r, "_pixels.json"), j.dump(1) + "\n");
}

report::PixelReportData report_of(const PixelResults& r, const Layer& layer, const Figures& figures,
                                  const ShotParts& parts) {
  report::PixelReportData data;
  data.title = "Refinement against pixels: " + r.options.prefix + layer.text;
  const FactorStatisticsRow& total = figures.refined.total;
  data.tiles = {{fmt::format("{}", r.cycles.back().refined), "shots refined"},
                {fmt::format("{}", total.observed), "structure factors"},
                {fmt::format("{:.1f} %", 100 * total.completeness()), "completeness"},
                {fmt::format("{:.3f}", total.cc_half), "CC1/2"},
                {fmt::format("{:.2f}", r.cycles.back().sigma_z), "median sigma-Z"}};
  if (r.truth) data.tiles.emplace_back(fmt::format("{:.3f}", total.truth.r1), "R1 to the truth");
  for (const FactorIteration& i : r.refinement.iterations)
    data.iterations.push_back({i.iteration, i.f, i.gradient, i.left_out});
  for (const auto& [word, n] : parts.states) data.shots_by_state.emplace_back(word, n);
  data.sigma_z = parts.sigma_z;
  data.pixel_z = parts.pixel_z;
  for (const auto& [key, box] : parts.boxes) data.boxes.push_back(box);
  for (std::size_t i = 0; i < layer.before.size(); ++i)
    if (layer.all.table.measured[i] != 0 && layer.before.measured[i] != 0) {
      data.f_before.push_back(layer.before.f[i]);
      data.f_after.push_back(layer.all.table.f[i]);
    }
  for (int s = 0; s < r.input.shells.count(); ++s) {
    const auto i = static_cast<std::size_t>(s);
    const FactorStatisticsRow &before = figures.merged_common.shells[i],
                              &after = figures.refined_common.shells[i];
    report::ShellShown shell;
    shell.d_low = r.input.shells.d_low(s);
    shell.d_high = r.input.shells.d_high(s);
    shell.cc_half_before = before.cc_half, shell.cc_half_after = after.cc_half;
    shell.r_split_before = before.r_split, shell.r_split_after = after.r_split;
    if (r.truth) shell.r1_truth_before = before.truth.r1, shell.r1_truth_after = after.truth.r1;
    data.shells.push_back(shell);
  }
  if (r.truth) data.pulls = pulls_of(figures.refined_sets, r.input.shells, *r.truth, 1);
  data.subtitle = fmt::format("{} of {} shots, {} cycles, to {} A", r.cycles.back().refined,
                              r.cycles.back().shots, r.cycles.size(), *r.options.d_min);
  if (r.refinement.end != FactorEnd::Converged)
    data.problems.push_back(
        fmt::format("Stage 2 did not converge ({}).", word_of(r.refinement.end)));
  data.options = options_that_matter(r.input.options);
  data.program = "merge";
  data.version = core::version();
  return data;
}

/// Files and tables of one layer.
Figures write_layer(const PixelResults& r, const std::optional<io::FreeFlags>& flags,
                    const Layer& layer, const ShotParts& parts) {
  write_mtz(r, flags, layer, layer.all, "all");
  if (layer.odd.table.size() > 0) write_mtz(r, flags, layer, layer.odd, "odd");
  if (layer.even.table.size() > 0) write_mtz(r, flags, layer, layer.even, "even");
  if (std::count(layer.all.table.measured.begin(), layer.all.table.measured.end(), 1) == 0)
    core::log_warning("No pixel tells of structure factors{} (do the spectra reach there?)",
                      layer.text);
  Figures figures = figures_of(r, layer);
  core::log_info("\nRefined structure factors{}\n\n{}", layer.text,
                 factor_table_text(figures.refined, r.input.shells));
  core::log_info("{}", factor_comparison_text({{"merged", &figures.merged},
                                               {"refined", &figures.refined},
                                               {"merged, common", &figures.merged_common},
                                               {"refined, common", &figures.refined_common}}));
  const std::string page = path_of(r, "_pixels" + layer.suffix + ".html");
  report::write_pixel_report(report_of(r, layer, figures, parts), page);
  core::log_info("Wrote {}", page);
  return figures;
}

void write_factors(const PixelResults& r, const ShotParts& parts) {
  write_convergence(r);
  const std::optional<io::FreeFlags> flags = read_free_flags(r);
  std::vector<Figures> figures;
  for (std::size_t layer = 0; layer < r.before.layers(); ++layer)
    figures.push_back(write_layer(r, flags, layer_of(r, layer), parts));
  write_json(r, figures, parts);
}

} // namespace

std::string cycle_text(const CycleFigures& f) {
  std::string text = fmt::format(
      "Cycle {}: {} of {} shots, {} shoeboxes, {} pixels ({} outliers), median sigma-Z {:.3f}, "
      "{:.1f} evaluations per shot",
      f.cycle, f.refined, f.shots, f.boxes, f.pixels, f.outliers, f.sigma_z,
      double(f.evaluations) / double(std::max<std::int64_t>(1, f.refined)));
  if (f.iterations > 0)
    text +=
        fmt::format("\n  stage 2 {} after {} iterations, f {:.1f}, left out {:.5f} per pixel, F "
                    "moved by {:.2f} sigma (rms)",
                    f.end, f.iterations, f.f, f.left_out, f.moved);
  return text;
}

void write_pixel_results(const Communicator& communicator, const PixelResults& results) {
  const ShotParts parts = gather_shot_parts(communicator, results);
  parallel::together(communicator, merge_failed, [&] {
    if (!communicator.is_root()) return;
    write_shots(results, parts);
    if (results.refinement.iterations.empty())
      write_json(results, {}, parts);
    else
      write_factors(results, parts);
  });
}

} // namespace kilobragg::programs
