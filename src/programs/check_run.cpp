// Puts a dry run together.
#include "check_run.hpp"

#include "check_geometry.hpp"
#include "check_output.hpp"
#include "event_queue.hpp"
#include "pixel_model.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/phil.hpp"
#include "kilobragg/parallel/dispatcher.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace kilobragg::programs {
namespace {

bool indexes(const StillsOptions& options) {
  return options.still.find_spots && options.still.index;
}

void check_options(const StillsOptions& options, const core::OptionSet& set, CheckReport& report) {
  report.section("Options");
  std::string stages = options.still.find_spots ? "find spots" : "none";
  if (indexes(options)) stages += options.still.refine ? ", index, refine again" : ", index";
  if (indexes(options) && options.still.integrate) stages += ", integrate";
  report.line("stages: {}", stages);
  for (const auto& given : core::parse_phil_text(set.to_phil(true), "options"))
    if (given.path != "dispatch.check" && options.without_effect.count(given.path) == 0)
      report.line("{} = {}", given.path, given.value);
  for (const auto& [path, value] : options.without_effect)
    report.line("{} = {} is accepted but has no effect here", path, value);
  for (const auto& problem : options.problems()) report.problem("{}", problem);
}

/// The options with the structure factors that they name.
StillsOptions with_pixel_model(const StillsOptions& options, CheckReport& report) {
  StillsOptions ready = options;
  if (!report.problems.empty()) return ready;
  try {
    load_pixel_model(ready);
    if (const std::string doubt = pixel_model_doubt(ready); !doubt.empty())
      report.doubt("{}", doubt);
    if (const auto& factors = ready.still.pixel_model.factors)
      report.line("pixel model: {} structure factors of '{}'", factors->size(),
                  options.pixel_model.mtz_file);
  } catch (const core::Error& error) {
    report.problem("{}", error.what());
  }
  return ready;
}

/// Limits of resolution that lie beyond the detector.
void check_resolution(const StillsOptions& options, const GeometryGroup& group,
                      CheckReport& report) {
  const double corner = measure_geometry(*group.detector, group.beam).corner;
  const auto test = [&](const char* option, const std::optional<double>& d_min) {
    if (d_min && *d_min < corner)
      report.doubt("{}={} cuts nothing (the farthest corner of the detector is at {:.2f} A) is the "
                   "geometry right?",
                   option, *d_min, corner);
  };
  test("spotfinder.filter.d_min", options.still.spotfinder.filter.d_min);
  test("prediction.d_min", options.still.integration.d_min);
  const auto& d_max = options.still.spotfinder.filter.d_max;
  if (d_max && *d_max <= corner)
    report.problem("spotfinder.filter.d_max={} leaves no spot (the farthest corner of the detector "
                   "is at {:.2f} A) is the geometry right?",
                   *d_max, corner);
}

void check_crystal(const StillsOptions& options, const InputSurvey& survey, CheckReport& report) {
  if (!indexes(options) || !options.has_cell || !options.has_space_group) return;
  const auto& cell = options.still.indexing.unit_cell;
  const auto& group = options.still.indexing.space_group;
  if (!group.contradiction(cell).empty()) return; // said with the options
  report.section("Crystal");
  report.line("cell {} in {} (number {}), volume {:.0f} A^3, they agree", cell.to_string(),
              group.hm(), group.number(), cell.volume());
  if (survey.geometries.empty()) return;
  const auto& geometry = survey.geometries.front();
  // Values as fits of many samples give them; the sample below has its own.
  constexpr double half_mosaicity_deg = 0.03, domain_angstrom = 2000;
  report.line("about {:.0f} reflections predicted per still (half mosaicity {} deg and domains of "
              "{} A assumed)",
              expected_reflections(*geometry.detector, geometry.beam, cell, group,
                                   options.still.integration.d_min, half_mosaicity_deg,
                                   domain_angstrom),
              half_mosaicity_deg, domain_angstrom);
  const double apart = spot_separation_px(*geometry.detector, geometry.beam, cell);
  report.line("neighbouring spots along the longest axis are {:.1f} pixels apart", apart);
  if (apart < 4)
    report.doubt("neighbouring spots are only {:.1f} pixels apart (longest axis, distance and "
                 "wavelength say so) are cell and distance right?",
                 apart);
}

std::optional<io::EventIndex> find_events(const StillsOptions& options, CheckReport& report) {
  const std::string& list = options.input.file_list;
  // A list that is not there is said with the options.
  if (!list.empty() && !std::filesystem::is_regular_file(list)) return std::nullopt;
  try {
    return select_events(options);
  } catch (const core::Error& error) {
    report.problem("{}", error.what());
    return std::nullopt;
  }
}

std::string duration(double seconds) {
  if (seconds < 100) return fmt::format("{:.{}f} s", seconds, seconds < 10 ? 1 : 0);
  if (seconds < 6000) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

void say_what_would_be_done(const CheckPlace& place, std::int64_t images,
                            const SampleOutcome& sample, CheckReport& report) {
  report.section("Run");
  const auto plural = [](std::int64_t n) { return n == 1 ? "" : "s"; };
  const std::string hosts =
      place.hosts > 0 ? fmt::format(" on {} host{}", place.hosts, plural(place.hosts)) : "";
  report.line("{} image{} on {} rank{}{}{}", images, plural(images), place.ranks,
              plural(place.ranks), hosts, place.resume ? ", continuing an earlier run" : "");
  if (images > 0 && place.ranks > images + 1)
    report.doubt("{} ranks are more than the {} images can use (a rank works on one image at a "
                 "time) start fewer?",
                 place.ranks, images);
  if (sample.summary.stills == 0) return;
  double seconds = 0;
  for (const double step : sample.summary.seconds) seconds += step;
  seconds /= static_cast<double>(sample.summary.stills);
  const bool root_works = place.ranks <= parallel::DispatchParams{}.working_root_ranks;
  const int workers = root_works ? place.ranks : place.ranks - 1;
  report.line("about {} at the speed of the sample ({:.1f} images/s on one rank)",
              duration(seconds * static_cast<double>(images) / workers), 1 / seconds);
}

} // namespace

int hosts_of_job() {
  for (const char* name :
       {"SLURM_STEP_NUM_NODES", "OMPI_MCA_orte_num_nodes", "SLURM_JOB_NUM_NODES"})
    if (const char* hosts = std::getenv(name)) return std::atoi(hosts);
  return 0;
}

CheckReport check(const StillsOptions& options, const core::OptionSet& set, const CheckPlace& place,
                  const CheckLimits& limits) {
  CheckReport report;
  check_options(options, set, report);
  const StillsOptions ready = with_pixel_model(options, report);
  const bool can_process = report.problems.empty();
  const auto found = find_events(options, report);
  const io::EventIndex index = found.value_or(io::EventIndex());
  const auto reference = check_reference(options, report);
  InputSurvey survey;
  if (found) survey = check_inputs(options, index, reference, limits, report);
  check_masks(options, survey, report);
  for (const auto& group : survey.geometries) check_resolution(options, group, report);
  check_crystal(options, survey, report);
  SampleOutcome sample;
  if (can_process && !survey.geometries.empty())
    sample = check_samples(ready, index, reference, limits, report);
  const auto images = check_output(
      options, index, sample, {.ranks = place.ranks, .resume = place.resume, .phil = set.to_phil()},
      limits, report);
  say_what_would_be_done(place, images, sample, report);
  return report;
}

std::string format_check(const CheckReport& report) {
  std::string text = "Dry run: no image of the run is processed, nothing is written.\n";
  for (const auto& section : report.sections) {
    if (section.lines.empty()) continue;
    text += fmt::format("\n{}\n", section.title);
    for (const auto& line : section.lines) text += fmt::format("  {}\n", line);
  }
  const auto list = [&text](const std::string& title, const std::vector<std::string>& entries) {
    if (entries.empty()) return;
    text += fmt::format("\n{}\n", title);
    for (std::size_t i = 0; i < entries.size(); ++i)
      text += fmt::format("  {}. {}\n", i + 1, entries[i]);
  };
  list("Doubts", report.doubts);
  list("Problems", report.problems);
  const auto& run = report.sections.back().lines;
  if (report.problems.empty() && !run.empty())
    text += fmt::format("\nWould process {}.\n", run.front());
  else
    text += fmt::format("\n{} problem{}.\n", report.problems.size(),
                        report.problems.size() == 1 ? "" : "s");
  return text;
}

int check_run(const StillsOptions& options, const core::OptionSet& set, const CheckPlace& place) {
  constexpr int status_ok = 0, status_problems = 2;
  const CheckReport report = check(options, set, place);
  std::printf("%s", format_check(report).c_str());
  std::fflush(stdout);
  return report.problems.empty() ? status_ok : status_problems;
}

} // namespace kilobragg::programs
