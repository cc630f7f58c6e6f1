// Gathers shots and pictures from all ranks; files are written by the first.
#include "pixel_output.hpp"

#include "factor_conversion.hpp"
#include "pixel_report.hpp"

#include "kilobragg/core/byte_stream.hpp"
#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/core/log.hpp"
#include "kilobragg/core/version.hpp"
#include "kilobragg/io/factors_mtz.hpp"
#include "kilobragg/io/free_flags.hpp"
#include "kilobragg/parallel/together.hpp"
#include "kilobragg/pixelrefinement/factor_statistics.hpp"
#include "kilobragg/pixelrefinement/shoeboxes.hpp"
#include "kilobragg/pixelrefinement/shot_image.hpp"
#include "kilobragg/pixelrefinement/shot_table.hpp"
#include "kilobragg/report/pixel_report.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>

namespace kilobragg::programs {
namespace {

using namespace pixelrefinement;
using parallel::Communicator;

constexpr double z_edge = 8; // of the histogram of pixels

std::string path_of(const PixelResults& r, const std::string& rest) {
  return r.options.output_dir + "/" + r.options.prefix + rest;
}

/// What every rank adds to the report.
struct ShotParts {
  std::vector<std::string> rows;   ///< of the CSV of shots
  std::vector<std::string> errors; ///< of the CSV of parameters; one text per shot, as above
  std::vector<double> sigma_z;
  std::map<std::string, std::int64_t> states;
  report::Histogram pixel_z{.lo = -z_edge, .hi = z_edge, .counts = std::vector<std::int64_t>(64)};
  std::vector<report::BoxShown> boxes;
};

ShotFit fit_of(const PixelResults& r, std::size_t i) {
  ShotFit fit;
  fit.boxes = std::count_if(r.shots[i].pixels.boxes.begin(), r.shots[i].pixels.boxes.end(),
                            [](const ReflectionBox& b) { return is_good(b.state); });
  if (r.results[i].pixels == 0) return fit;
  fit.sigma_z = r.results[i].sigma_z_known;
  fit.pixels = static_cast<std::int64_t>(r.results[i].pixels);
  fit.evaluations = r.results[i].evaluations;
  fit.f = r.results[i].f;
  return fit;
}

/// "identifier,parameter,value,sigma" of each parameter that stage 1 refined.
std::string error_rows(const PixelResults& r, std::size_t i) {
  std::string rows;
  if (r.results.empty()) return rows;
  for (const RefinedParameter& p : r.results[i].parameters)
    rows += fmt::format("{},{},{},{}\r\n", r.shots[i].model.identifier, p.name, p.value, p.sigma);
  return rows;
}

/// Pictures of the brightest, a middling and a weak box of a shot.
void add_boxes(const ShotRecord& shot, const std::vector<double>& bragg, ShotParts& parts) {
  std::vector<std::pair<double, std::size_t>> order;
  for (std::size_t b = 0; b < shot.pixels.boxes.size(); ++b) {
    const ReflectionBox& box = shot.pixels.boxes[b];
    if (box.state != BoxState::Used) continue;
    double sum = 0;
    for (std::size_t i = box.first; i < box.first + box.box.size(); ++i) sum += bragg[i];
    order.emplace_back(-sum, b);
  }
  std::sort(order.begin(), order.end());
  for (const double part : {0.0, 0.3, 0.7}) {
    if (order.empty()) return;
    const auto at = static_cast<std::size_t>(part * double(order.size()));
    const ReflectionBox& box = shot.pixels.boxes[order[at].second];
    report::BoxShown shown;
    shown.caption = fmt::format("{} {} {}, {}, {:.0f} photons", box.hkl.h, box.hkl.k, box.hkl.l,
                                shot.model.source.tag(), -order[at].first);
    shown.width = box.box.x1 - box.box.x0;
    shown.height = box.box.y1 - box.box.y0;
    for (std::size_t i = box.first; i < box.first + box.box.size(); ++i) {
      const double m = double(shot.pixels.background[i]) + bragg[i],
                   noise = double(shot.pixels.readout_of(i)), d = double(shot.pixels.value[i]);
      const bool used = shot.pixels.used[i] != 0;
      shown.data.push_back(used ? shot.pixels.value[i] : std::nanf(""));
      shown.model.push_back(static_cast<float>(m));
      shown.z.push_back(used ? static_cast<float>((d - m) / std::sqrt(m + noise * noise))
                             : std::nanf(""));
    }
    parts.boxes.push_back(std::move(shown));
  }
}

void add_pixels(const ShotRecord& shot, const std::vector<double>& bragg, ShotParts& parts) {
  for (const ReflectionBox& box : shot.pixels.boxes) {
    if (box.state != BoxState::Used) continue;
    for (std::size_t i = box.first; i < box.first + box.box.size(); ++i) {
      if (shot.pixels.used[i] == 0) continue;
      const double m = double(shot.pixels.background[i]) + bragg[i],
                   noise = double(shot.pixels.readout_of(i));
      parts.pixel_z.add((double(shot.pixels.value[i]) - m) / std::sqrt(m + noise * noise));
    }
  }
}

ShotParts parts_of(const PixelResults& r) {
  ShotParts parts;
  Stage1Params exact = r.stage1;
  exact.target.free_intensities = false;
  const std::size_t wanted = static_cast<std::size_t>(std::max(0, r.options.pixels.report_boxes));
  for (std::size_t i = 0; i < r.shots.size(); ++i) {
    const ShotRecord& shot = r.shots[i];
    const ShotFit fit = fit_of(r, i);
    parts.rows.push_back(shot_table_rows(shot.model, fit));
    parts.errors.push_back(error_rows(r, i));
    ++parts.states[word_of(shot.model.state)];
    if (!is_refined(shot.model)) continue;
    if (std::isfinite(fit.sigma_z)) parts.sigma_z.push_back(fit.sigma_z);
    const ShotImage image = model_image(shot.model, shot.pixels, r.table, r.sphere, exact);
    add_pixels(shot, image.bragg, parts);
    if (parts.boxes.size() < wanted) add_boxes(shot, image.bragg, parts);
  }
  return parts;
}

std::string packed(const report::BoxShown& box) {
  core::ByteWriter writer;
  writer.put_text(box.caption);
  writer.put(box.width);
  writer.put(box.height);
  for (const auto* column : {&box.data, &box.model, &box.z})
    for (const float v : *column) writer.put(v);
  return writer.take();
}

report::BoxShown unpacked(core::ByteReader& reader) {
  report::BoxShown box;
  box.caption = reader.get_text();
  box.width = reader.get<int>();
  box.height = reader.get<int>();
  for (auto* column : {&box.data, &box.model, &box.z})
    for (int i = 0; i < box.width * box.height; ++i) column->push_back(reader.get<float>());
  return box;
}

/// The parts of all ranks on the first, in an order that placement does not change.
ShotParts gather_parts(const Communicator& communicator, ShotParts mine, std::size_t wanted) {
  core::ByteWriter writer;
  for (const auto* texts : {&mine.rows, &mine.errors}) {
    writer.put(static_cast<std::uint64_t>(texts->size()));
    for (const std::string& rows : *texts) writer.put_text(rows);
  }
  writer.put(static_cast<std::uint64_t>(mine.states.size()));
  for (const auto& [word, n] : mine.states) {
    writer.put_text(word);
    writer.put(n);
  }
  writer.put(static_cast<std::uint64_t>(mine.boxes.size()));
  for (const report::BoxShown& box : mine.boxes) writer.put_text(packed(box));
  ShotParts all;
  all.sigma_z = communicator.gather(mine.sigma_z);
  std::sort(all.sigma_z.begin(), all.sigma_z.end());
  all.pixel_z = mine.pixel_z;
  communicator.all_sum(std::span(all.pixel_z.counts));
  all.pixel_z.below = communicator.all_sum(mine.pixel_z.below);
  all.pixel_z.above = communicator.all_sum(mine.pixel_z.above);
  for (const std::string& bytes : communicator.gather(writer.take())) {
    core::ByteReader reader(bytes);
    for (auto* texts : {&all.rows, &all.errors})
      for (auto n = reader.get<std::uint64_t>(); n > 0; --n) texts->push_back(reader.get_text());
    for (auto n = reader.get<std::uint64_t>(); n > 0; --n) {
      const std::string word = reader.get_text();
      all.states[word] += reader.get<std::int64_t>();
    }
    for (auto n = reader.get<std::uint64_t>(); n > 0; --n) {
      const std::string text = reader.get_text();
      core::ByteReader box(text);
      all.boxes.push_back(unpacked(box));
    }
  }
  std::sort(all.rows.begin(), all.rows.end());
  std::sort(all.errors.begin(), all.errors.end());
  std::sort(all.boxes.begin(), all.boxes.end(),
            [](const auto& a, const auto& b) { return a.caption < b.caption; });
  if (all.boxes.size() > wanted) all.boxes.resize(wanted);
  return all;
}

void write_shots(const PixelResults& r, const ShotParts& parts) {
  std::string text = shot_table_header();
  for (const std::string& rows : parts.rows) text += rows;
  core::write_file(path_of(r, "_shots.csv"), text);
  core::log_info("Wrote {} ({} shots)", path_of(r, "_shots.csv"), parts.rows.size());
  for (const auto& [word, n] : parts.states) core::log_info("  {} {}", n, word);
  if (r.results.empty()) return;
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

/// Flags of the rows: carried over from a file, or made.
void set_free_flags(const PixelResults& r, std::vector<io::FactorRow>& rows, bool& any) {
  const PixelOptions& o = r.options.pixels;
  any = !o.free_flags_file.empty() || o.free_flags_fraction > 0;
  if (!o.free_flags_file.empty()) {
    std::vector<models::Miller> hkl;
    hkl.reserve(rows.size());
    for (const io::FactorRow& row : rows) hkl.push_back(row.hkl);
    const io::CarriedFlags carried = io::carry_over(
        io::read_free_flags_mtz(o.free_flags_file, r.table.space_group, o.free_flags_column), hkl);
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].free_flag = carried.flag[i];
    if (carried.missing > 0)
      core::log_warning("{} indices have no free flag in '{}'", carried.missing, o.free_flags_file);
  } else if (any) {
    for (io::FactorRow& row : rows)
      row.free_flag = io::made_free_flag(r.table.space_group, row.hkl, o.free_flags_fraction);
  }
}

void write_mtz(const PixelResults& r, const FactorTable& table, const std::string& set) {
  const std::vector<double> priors = r.before.f;
  std::vector<io::FactorRow> rows = rows_of(table, r.refinement.scores.pixels, priors);
  const double d_min = *r.options.d_min;
  std::erase_if(rows, [&](const io::FactorRow& row) {
    return table.cell.d(row.hkl) < d_min ||
           (!std::isfinite(row.plus.f) && !std::isfinite(row.minus.f));
  });
  io::FactorsMtz mtz;
  mtz.cell = table.cell;
  mtz.space_group = table.space_group;
  mtz.wavelength = r.input.frame.wavelength;
  mtz.title = r.options.title;
  mtz.history =
      history_lines({"From KiloBragg merge " + core::version() + ", refined against pixels",
                     fmt::format("{} set, identifiers {}", set, r.input.digest),
                     fmt::format("d_min {} cycles {}", d_min, r.cycles.size())});
  set_free_flags(r, rows, mtz.free_flags);
  mtz.rows = std::move(rows);
  mtz.anomalous = table.bijvoet_apart;
  mtz.priors = true;
  const std::string path = path_of(r, "_refined_" + set + ".mtz");
  io::write_factors_mtz(mtz, path);
  core::log_info("Wrote {} ({} indices)", path, mtz.rows.size());
}

/// Figures of merit of the merge and of the refinement, each on its own indices and on common ones.
struct Figures {
  FactorStatistics merged, refined, merged_common, refined_common;
  std::vector<merging::MergedIndex> refined_sets;
};

Figures figures_of(const PixelResults& r) {
  Figures figures;
  const FactorTable* truth = r.truth ? &*r.truth : nullptr;
  const int least = r.options.minimum_multiplicity;
  figures.refined_sets = as_merged(r.table, r.odd, r.even);
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

/// Without `figures` where no structure factors were refined.
void write_json(const PixelResults& r, const Figures* figures, const ShotParts& parts) {
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
  if (figures != nullptr) {
    j["merged"] = table_json(figures->merged);
    j["refined"] = table_json(figures->refined);
    j["merged_common"] = table_json(figures->merged_common);
    j["refined_common"] = table_json(figures->refined_common);
  }
  core::write_file(path_of(r, "_pixels.json"), j.dump(1) + "\n");
}

report::PixelReportData report_of(const PixelResults& r, const Figures& figures,
                                  const ShotParts& parts) {
  report::PixelReportData data;
  data.title = "Refinement against pixels: " + r.options.prefix;
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
  data.boxes = parts.boxes;
  for (std::size_t i = 0; i < r.table.size(); ++i)
    if (r.table.measured[i] != 0 && r.before.measured[i] != 0) {
      data.f_before.push_back(r.before.f[i]);
      data.f_after.push_back(r.table.f[i]);
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
  data.program = "merge";
  data.version = core::version();
  return data;
}

void write_factors(const PixelResults& r, const ShotParts& parts) {
  write_convergence(r);
  write_mtz(r, r.table, "all");
  if (r.odd.size() > 0) write_mtz(r, r.odd, "odd");
  if (r.even.size() > 0) write_mtz(r, r.even, "even");
  const Figures figures = figures_of(r);
  core::log_info("\nRefined structure factors\n\n{}",
                 factor_table_text(figures.refined, r.input.shells));
  core::log_info("{}", factor_comparison_text({{"merged", &figures.merged},
                                               {"refined", &figures.refined},
                                               {"merged, common", &figures.merged_common},
                                               {"refined, common", &figures.refined_common}}));
  write_json(r, &figures, parts);
  const std::string page = path_of(r, "_pixels.html");
  report::write_pixel_report(report_of(r, figures, parts), page);
  core::log_info("Wrote {}", page);
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
  const ShotParts parts =
      gather_parts(communicator, parts_of(results),
                   static_cast<std::size_t>(std::max(0, results.options.pixels.report_boxes)));
  parallel::together(communicator, merge_failed, [&] {
    if (!communicator.is_root()) return;
    write_shots(results, parts);
    if (results.refinement.iterations.empty())
      write_json(results, nullptr, parts);
    else
      write_factors(results, parts);
  });
}

} // namespace kilobragg::programs
