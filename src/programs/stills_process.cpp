// The main job: rank 0 reads options and hands out events, every working rank processes them.
#include "kilobragg/programs/stills_process.hpp"

#include "check_run.hpp"
#include "event_source.hpp"
#include "index_packing.hpp"
#include "run_files.hpp"
#include "still_worker.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/log.hpp"
#include "kilobragg/core/version.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/lookup_mask.hpp"
#include "kilobragg/io/reference_geometry.hpp"
#include "kilobragg/parallel/dispatcher.hpp"
#include "kilobragg/programs/stills_options.hpp"

#include <chrono>
#include <cstdio>

namespace kilobragg::programs {
namespace {

using Clock = std::chrono::steady_clock;

/// As --help explains; 1, could not run, comes from run_guarded.
enum Status : int {
  status_ok = 0,
  status_usage = 2,
  status_nothing_read = 3,
  status_unaccounted = 4
};

const char* const usage = R"(stills_process: diffraction stills to integrated intensities

  stills_process [options.phil ...] [name=value ...] images ...
  mpirun -n 8 stills_process options.phil run_12.h5 'run_13_*.cbf' output.output_dir=out
  stills_process out/idx-*.shard

Images are NXmx or DECTRIS HDF5, CBF, .expt lists, or patterns of these. Options have the names
that dials.stills_process gives them; an unambiguous ending of a name is enough. Files of options
are read first, in order; name=value arguments come after and win.

Results are in out/idx-NNNN.shard as soon as they are found; the .expt and .refl files are derived
from them at the end, or, for a run that was killed, by naming its shards.

With --check nothing is processed: files, geometry, masks, options, symmetry and disk room are looked
at, a few images are tried, and all problems are listed (exit status 2; 0 if there are none).

Every image ends in one exit state, printed as it ends and counted at the end: integrate_ok,
index_ok, spotfinding_ok, not_enough_spots, too_many_spots, indexing_failed, refine_failed,
integrate_failed, spotfinding_exception, preprocess_exception, timeout. Tags are <file> or, for files of
several frames, <file>_<frame from 0, five digits>.

Exit status: 0 ran to the end (images that failed are counted, not fatal), 1 could not run,
2 wrong options or inputs, 3 no image could be read, 4 images were lost on the way.
)";

/// What rank 0 makes of the command line and tells the others.
struct Plan {
  int stop = -1; ///< exit status if there is nothing more to do, else -1
  std::string phil, log_level;
  io::EventIndex index;
};

void print_tags(const io::EventIndex& index) {
  for (const auto& event : index.events) std::printf("%s\n", event_tag(index, event).c_str());
}

/// The first file that opens; null if none does. The others are counted image by image.
std::unique_ptr<io::ImageReader> first_readable(const io::EventIndex& index) {
  for (std::size_t i = 0; i < index.sources.size() - index.failed.size(); ++i) {
    try {
      return io::open_images(index.sources[i].path, index.sources[i].dataset);
    } catch (const core::Error&) {
      // Its images say so, each in its exit state.
    }
  }
  return nullptr;
}

/// Masks and reference geometry that do not fit the images are said before work starts.
void check_first_image(const io::EventIndex& index, const StillsOptions& options) {
  const bool reference = !options.input.reference_geometry.empty();
  if (!reference && options.spotfinder_mask.empty() && options.integration_mask.empty()) return;
  auto reader = first_readable(index);
  if (!reader) return;
  if (reference)
    reader = io::replace_geometry(std::move(reader),
                                  io::read_reference_geometry(options.input.reference_geometry));
  const auto layout = reader->layout();
  for (const std::string& mask : {options.spotfinder_mask, options.integration_mask})
    if (!mask.empty()) io::read_lookup_mask(mask, *layout);
}

/// On rank 0: reads options and inputs; anything wrong is said here, before work starts.
Plan make_plan(int argc, char** argv, StillsOptions& options, int ranks) {
  core::OptionSet set;
  options.declare(set);
  Plan plan;
  try {
    const auto line = core::parse_command_line(argc, argv, set);
    if (line.help) std::printf("%s\n%s%s", usage, core::flag_help(set).c_str(), set.help().c_str());
    if (line.version) std::printf("%s\n", core::version_line("stills_process").c_str());
    if (line.show_config) std::printf("%s", set.to_phil().c_str());
    if (line.help || line.version || line.show_config) {
      plan.stop = status_ok;
      return plan;
    }
    core::log_level_from_name(line.log_level);
    options.input.paths = line.inputs;
    if (!line.inputs.empty() && line.inputs.front().ends_with(".shard")) {
      const auto files = derive_composites(line.inputs, options.output);
      std::printf("Wrote\n%s\n", fmt::format("{}", fmt::join(files, "\n")).c_str());
      plan.stop = status_ok;
      return plan;
    }
    if (options.check) {
      plan.stop = check_run(options, set, {.ranks = ranks, .hosts = hosts_of_job()});
      return plan;
    }
    options.validate();
    plan.index = select_events(options.input);
    core::require(!plan.index.events.empty(), "there is no image to process (the inputs hold no "
                                              "frames) are these the right files?");
    if (options.input.show_image_tags) {
      print_tags(plan.index);
      plan.stop = status_ok;
      return plan;
    }
    check_first_image(plan.index, options);
    prepare_output(options.output);
    plan.phil = set.to_phil();
    plan.log_level = line.log_level;
    core::start_log({.level = core::log_level_from_name(line.log_level),
                     .console = true,
                     .file = log_path(options.output),
                     .prefix = ""});
    core::log_info("{}", core::version_line("stills_process"));
    core::log_info("The following parameters have been modified:\n{}", set.to_phil(true));
  } catch (const core::Error& error) {
    std::fprintf(stderr, "stills_process: %s\n", error.what());
    plan.stop = status_usage;
  }
  return plan;
}

/// The plan of rank 0 on every rank, and the options bound to it.
void share_plan(const parallel::Communicator& comm, Plan& plan, StillsOptions& options) {
  comm.broadcast_value(plan.stop);
  if (plan.stop >= 0) return;
  comm.broadcast(plan.phil);
  comm.broadcast(plan.log_level);
  std::string packed = comm.is_root() ? pack_index(plan.index) : std::string();
  comm.broadcast(packed);
  if (comm.is_root()) return;
  core::OptionSet set;
  options.declare(set);
  set.parse_phil(plan.phil, "options of rank 0");
  plan.index = unpack_index(packed);
  core::start_log({.level = core::LogLevel::Warning,
                   .console = true,
                   .file = "",
                   .prefix = fmt::format("rank {}: ", comm.rank())});
}

void log_start(const Plan& plan, const StillsOptions& options, int ranks) {
  for (const auto& [path, value] : options.without_effect)
    core::log_info("Option {} = {} is accepted but has no effect here.", path, value);
  core::log_info("{} images in {} files on {} rank{}", plan.index.events.size(),
                 plan.index.sources.size(), ranks, ranks == 1 ? "" : "s");
  for (const auto& [path, reason] : plan.index.failed)
    core::log_warning("cannot open '{}' ({})", path, reason);
  core::flush_log();
}

/// Hands out all events; returns what came back. The lines of images appear as batches end.
report::RunSummary run_events(const parallel::Communicator& comm, const Plan& plan,
                              StillWorker& worker) {
  report::RunSummary total;
  BatchSource batches(static_cast<std::int64_t>(plan.index.events.size()), comm.size());
  parallel::dispatch(comm,
                     {[&](int) -> std::optional<std::string> {
                        const auto batch = batches.next();
                        return batch ? std::optional(pack_batch(*batch)) : std::nullopt;
                      },
                      [&](int, std::string&& bytes) {
                        const auto report = BatchReport::unpack(bytes);
                        total.add(report.summary);
                        for (const auto& line : report.lines) core::log_info("{}", line);
                        core::flush_log();
                      }},
                     [&](const std::string& item) {
                       const auto [first, count] = unpack_batch(item);
                       return worker.work(first, count).pack();
                     });
  return total;
}

int exit_status(const report::RunSummary& total, std::int64_t inputs) {
  if (total.accounted() != inputs) return status_unaccounted;
  const auto unread = total.by_state[std::size_t(models::ExitState::PreprocessException)];
  return unread == inputs ? status_nothing_read : status_ok;
}

/// Derives the composites of this rank's shard; returns the files written.
std::vector<std::string> write_results(StillWorker& worker, const OutputOptions& output, int rank) {
  const std::string shard = worker.close_shard();
  if (shard.empty()) return {};
  return io::write_composites(shard, output.directory, rank, composite_names(output));
}

/// Everything after the plan is shared.
int process(const parallel::Communicator& comm, const Plan& plan, const StillsOptions& options,
            Clock::time_point start) {
  if (comm.is_root()) log_start(plan, options, comm.size());
  StepLog steps;
  if (options.output.debug_logs) steps.open_steps(options.output.directory + "/debug", comm.rank());
  if (!options.output.logging_dir.empty())
    steps.open_details(options.output.logging_dir, comm.rank());
  std::optional<io::ReferenceGeometry> reference;
  if (!options.input.reference_geometry.empty())
    reference = io::read_reference_geometry(options.input.reference_geometry);
  StillWorker worker(options, plan.index, std::move(reference), steps,
                     {shard_path(options.output, comm.rank()), run_header(plan.phil)});
  worker.report_details(plan.log_level == "debug");
  const auto total = run_events(comm, plan, worker);
  const auto files = write_results(worker, options.output, comm.rank());
  const auto all_files = comm.gather(fmt::format("{}", fmt::join(files, "\n")));
  int status = status_ok;
  if (comm.is_root()) {
    const auto inputs = static_cast<std::int64_t>(plan.index.events.size());
    for (const auto& names : all_files)
      if (!names.empty()) core::log_info("Wrote\n{}", names);
    const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    core::log_info("{}", report::format_summary(total, inputs, elapsed, comm.size()));
    status = exit_status(total, inputs);
    core::flush_log();
  }
  comm.broadcast_value(status);
  return status;
}

} // namespace

int stills_process(int argc, char** argv) {
  const auto start = Clock::now();
  const parallel::Environment environment(argc, argv);
  const auto comm = parallel::Communicator::world();
  return parallel::run_guarded(comm, [&] {
    StillsOptions options;
    Plan plan;
    if (comm.is_root()) plan = make_plan(argc, argv, options, comm.size());
    share_plan(comm, plan, options);
    return plan.stop >= 0 ? plan.stop : process(comm, plan, options, start);
  });
}

} // namespace kilobragg::programs
