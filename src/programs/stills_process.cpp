// The main job: rank 0 reads options and hands out events, every working rank processes them.
#include "kilobragg/programs/stills_process.hpp"

#include "check_run.hpp"
#include "distribution.hpp"
#include "event_queue.hpp"
#include "pixel_model.hpp"
#include "resume.hpp"
#include "run_files.hpp"
#include "run_monitor.hpp"
#include "run_products.hpp"
#include "still_worker.hpp"
#include "stop_signals.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/core/log.hpp"
#include "kilobragg/core/version.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/lookup_mask.hpp"
#include "kilobragg/io/reference_geometry.hpp"
#include "kilobragg/parallel/dispatcher.hpp"
#include "kilobragg/programs/stills_options.hpp"

#include <fmt/ranges.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace kilobragg::programs {
namespace {

using Clock = std::chrono::steady_clock;

/// As --help explains; 1, could not run, comes from run_guarded.
enum Status : int {
  status_ok = 0,
  status_usage = 2,
  status_nothing_read = 3,
  status_unaccounted = 4,
  status_stopped = 75 // EX_TEMPFAIL: run again with --resume
};

const char* const usage = R"(stills_process: diffraction stills to integrated intensities

  stills_process [options.phil ...] [name=value ...] images ...
  mpirun -n 8 stills_process options.phil run_12.h5 'run_13_*.cbf' output.output_dir=out
  stills_process ... --check            say what is wrong and what would be done
  stills_process ... --resume           go on with a run that was stopped or killed
  stills_process --collect out          make the files of a run that was killed

Images are NXmx or DECTRIS HDF5, CBF, .expt lists, saved indices (*.kbi), or patterns of these.
Options have the names that dials.stills_process gives them; an unambiguous ending of a name is
enough. Files of options are read first, in order; name=value arguments come after and win.

Results are in out/idx-NNNN.shard as soon as they are found; the .expt and .refl files, report.html
and the images in ledger.sqlite are made from them at the end, or by --collect (or by naming shards).

integration.integrator=pixel_model pixel_model.mtz_file=factors.mtz refines each indexed still against
its pixels with known structure factors and integrates all that the refined model lights; a still for
which that fails is integrated as usual, and its line says why.

With --check nothing is processed: files, geometry, masks, options, symmetry and disk room are looked
at, a few images are tried, and all problems are listed (exit status 2; 0 if there are none).

Every image ends in one exit state, counted at the end and printed with -v (those that could not be
read are always named): integrate_ok, index_ok, spotfinding_ok, not_enough_spots, too_many_spots,
indexing_failed, refine_failed, integrate_failed, spotfinding_exception, preprocess_exception,
timeout. Tags are <file> or, for files of several frames, <file>_<frame from 0, five digits>.

Exit status: 0 ran to the end (images that failed are counted, not fatal), 1 could not run,
2 wrong options or inputs, 3 no image could be read, 4 images were lost on the way, 75 stopped by
SIGUSR1, SIGUSR2, SIGTERM or SIGINT (on any rank) before all images were processed: the same command
with --resume goes on.
)";

/// What the first rank makes of the command line and tells the others.
struct Plan {
  int stop = -1; ///< exit status if there is nothing more to do, else -1
  std::string phil, log_level;
};

void print_tags(const StillsOptions& options) {
  const io::EventIndex index = select_events(options);
  for (const auto& event : index.events) {
    const auto& source = index.sources[event.source];
    std::printf("%s\n", event_tag(source.path, source.frames > 1, event.frame).c_str());
  }
}

/// The first file that opens; null if none does. The others are counted image by image.
std::unique_ptr<io::ImageReader> first_readable(const InputOptions& input) {
  io::EventIndex index;
  for (io::EventIndexBuilder builder(input_paths(input), input.image_search());
       builder.step(index);) {
    if (index.sources.empty()) continue;
    try {
      return io::open_images(index.sources.back().path, index.sources.back().dataset,
                             input.image_search());
    } catch (const core::Error&) {
      // Its images say so, each in its exit state.
    }
  }
  return nullptr;
}

/// Patterns that match nothing, tags of no image, and masks and a reference geometry that do not fit
/// the images are said before work starts.
void check_inputs_early(const StillsOptions& options) {
  if (options.input.image_tags.empty())
    io::EventIndexBuilder(input_paths(options.input));
  else
    select_events(options);
  const bool reference = !options.input.reference_geometry.empty();
  if (!reference && options.spotfinder_mask.empty() && options.integration_mask.empty()) return;
  auto reader = first_readable(options.input);
  if (!reader) return;
  if (reference)
    reader = io::replace_geometry(std::move(reader),
                                  io::read_reference_geometry(options.input.reference_geometry));
  const auto layout = reader->layout();
  for (const std::string& mask : {options.spotfinder_mask, options.integration_mask})
    if (!mask.empty()) io::read_lookup_mask(mask, *layout);
}

void start_main_log(const Plan& plan, const StillsOptions& options, const core::OptionSet& set) {
  core::start_log({.level = core::log_level_from_name(plan.log_level),
                   .console = true,
                   .file = log_path(options.output),
                   .prefix = "",
                   .append = options.resume});
  core::log_info("{}", core::version_line("stills_process"));
  core::log_info("The following parameters have been modified:\n{}", set.to_phil(true));
  for (const auto& [path, value] : options.without_effect)
    core::log_info("Option {} = {} is accepted but has no effect here.", path, value);
  if (const std::string doubt = pixel_model_doubt(options); !doubt.empty())
    core::log_warning("{}", doubt);
}

/// On the first rank: reads the options; what can be seen to be wrong is said before work starts.
Plan make_plan(int argc, char** argv, StillsOptions& options, int ranks) {
  core::OptionSet set;
  options.declare(set);
  Plan plan;
  try {
    const auto line = core::parse_command_line(argc, argv, set);
    if (line.help) std::printf("%s\n%s%s", usage, core::flag_help(set).c_str(), set.help().c_str());
    if (line.version) std::printf("%s\n", core::version_line("stills_process").c_str());
    if (line.show_config) std::printf("%s", set.to_phil().c_str());
    plan.stop = status_ok;
    if (line.help || line.version || line.show_config) return plan;
    core::log_level_from_name(line.log_level);
    options.input.paths = line.inputs;
    if (!line.inputs.empty() && line.inputs.front().ends_with(".shard")) {
      collect_results(options, line.inputs);
      return plan;
    }
    if (!options.collect.empty()) {
      const auto shards = io::shards_in(options.collect);
      core::require(
          !shards.empty(),
          "'{}' holds no results (there is no idx-NNNN.shard) is it the output folder of a "
          "run?",
          options.collect);
      collect_results(options, shards);
      return plan;
    }
    if (options.check) {
      plan.stop = check_run(options, set,
                            {.ranks = ranks, .hosts = hosts_of_job(), .resume = options.resume});
      return plan;
    }
    options.validate();
    if (options.input.show_image_tags) {
      print_tags(options);
      return plan;
    }
    load_pixel_model(options);
    check_inputs_early(options);
    if (options.resume)
      make_output_folder(options.output);
    else
      prepare_output(options.output);
    plan = {-1, set.to_phil(), line.log_level};
    start_main_log(plan, options, set);
  } catch (const core::Error& error) {
    std::fprintf(stderr, "stills_process: %s\n", error.what());
    plan.stop = status_usage;
  }
  return plan;
}

/// The plan of the first rank on every rank, and the options bound to it.
void share_plan(const parallel::Communicator& comm, Plan& plan, StillsOptions& options) {
  comm.broadcast_value(plan.stop);
  if (plan.stop >= 0) return;
  comm.broadcast(plan.phil);
  comm.broadcast(plan.log_level);
  if (comm.is_root()) return;
  core::OptionSet set;
  options.declare(set);
  set.parse_phil(plan.phil, "options of rank 0");
  load_pixel_model(
      options); // read once more: a table holds symmetry, which does not travel as bytes
  core::start_log({.level = core::LogLevel::Warning,
                   .console = true,
                   .file = "",
                   .prefix = fmt::format("rank {}: ", comm.rank())});
}

/// The same list on every rank.
std::vector<std::string> share_list(const parallel::Communicator& comm,
                                    const std::vector<std::string>& list) {
  std::string text = fmt::format("{}", fmt::join(list, "\n"));
  comm.broadcast(text);
  std::vector<std::string> shared;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) shared.push_back(line);
  return shared;
}

/// The shards in the output folder, on every rank.
std::vector<std::string> share_shards(const parallel::Communicator& comm,
                                      const OutputOptions& output) {
  return share_list(comm,
                    comm.is_root() ? io::shards_in(output.directory) : std::vector<std::string>());
}

int exit_status(const report::RunSummary& total, const Distribution& events) {
  if (!events.complete())
    return events.why_incomplete().empty() ? status_unaccounted : status_stopped;
  const auto unread = total.by_state[std::size_t(models::ExitState::PreprocessException)];
  const bool none = unread == total.accounted() && events.queue().already_done() == 0;
  return unread > 0 && none ? status_nothing_read : status_ok;
}

void say_stopped(const Distribution& events, const report::RunSummary& total) {
  if (events.complete()) {
    core::log_warning("All images were processed, but not all files are derived (stopped by {}). "
                      "Give the same command with --resume to go on.",
                      signal_name(stop_signal()));
    return;
  }
  core::log_warning("The run has not ended ({}): {} of {}{} images were processed. Give the same "
                    "command with --resume to go on.",
                    events.why_incomplete(), total.accounted(), events.queue().known(),
                    events.queue().growing() ? "+" : "");
}

/// Everything that the first rank does besides processing.
struct FirstRank {
  RunMonitor monitor;
  Distribution events;
  FirstRank(const StillsOptions& options, const Plan& plan, DoneImages done, int ranks)
      : monitor(options.output.directory, options.output.ledger, plan.log_level == "debug",
                plan.phil, ranks, done.unopened_until())
      , events(options, std::move(done), monitor, ranks) {}
};

void log_start(const Distribution& events, int ranks) {
  const EventQueue& queue = events.queue();
  if (queue.known() == 0 && queue.already_done() > 0) {
    core::log_info("All {} images have results: there is nothing to do.", queue.already_done());
    return;
  }
  core::log_info("{}{} images in {} files on {} rank{}", queue.known() + queue.already_done(),
                 queue.growing() ? " and more" : "", queue.index().sources.size(), ranks,
                 ranks == 1 ? "" : "s");
  if (queue.already_done() > 0)
    core::log_info("{} of them have results already", queue.already_done());
  core::flush_log();
}

/// Hands out all events; the reports go to the monitor.
void run_events(const parallel::Communicator& comm, std::unique_ptr<FirstRank>& first,
                StillWorker& worker) {
  parallel::WorkSource source;
  if (first) {
    source.next = [&](int rank) { return first->events.next(rank); };
    source.finished = [&](int rank, std::string&& report) { first->events.finished(rank, report); };
    source.idle = [&] { return first->events.idle(); };
  }
  parallel::dispatch(comm, source, [&](const std::string& batch) -> parallel::Worked {
    const BatchReport report = worker.work(batch);
    return {report.pack(), report.leaves};
  });
  worker.close_shard();
}

/// Files that one rank makes while all others wait: of long runs they are for a job of its own.
bool makes_long_files(const EventQueue& queue, const OutputOptions& output) {
  constexpr std::int64_t most_images = 100'000;
  if (queue.known() + queue.already_done() <= most_images) return true;
  core::log_info("The ledger has the batches of this run; 'stills_process --collect {}' adds its "
                 "images{}.",
                 output.directory, output.stream.empty() ? "" : " and writes the stream");
  return false;
}

/// Saves where the frames lie, with what an earlier run learnt of them. Whatever is wrong with the
/// file costs no more than the file.
void save_index(const EventQueue& queue, const std::string& path) {
  if (path.empty() || queue.growing()) return;
  io::EventIndex index = queue.index_to_save();
  try {
    if (std::filesystem::exists(path)) io::adopt_ranges(index, io::load_event_index(path));
  } catch (const core::Error& error) {
    core::log_warning("places that were learnt before are lost ({})", error.what());
  }
  try {
    io::save_event_index(index, path);
  } catch (const core::Error& error) {
    core::log_warning("there is no saved index ({})", error.what());
  }
}

void log_failed_inputs(const io::EventIndex& index) {
  constexpr std::size_t most_lines = 200;
  for (std::size_t i = 0; i < std::min(most_lines, index.failed.size()); ++i)
    core::log_warning("cannot open '{}' ({})", index.failed[i].first, index.failed[i].second);
  if (index.failed.size() > most_lines)
    core::log_warning("... and {} more", index.failed.size() - most_lines);
}

/// What is made of complete results: stream, rows of the ledger, report. Returns whether a signal
/// left some for later.
bool write_products(FirstRank& first, const StillsOptions& options) {
  const bool all = makes_long_files(first.events.queue(), options.output);
  if (all && stop_signal() == 0) write_stream(options, io::shards_in(options.output.directory));
  const bool collects = all && stop_signal() == 0;
  first.monitor.finish(report::SessionState::Finished, collects
                                                           ? io::shards_in(options.output.directory)
                                                           : std::vector<std::string>());
  if (stop_signal() != 0) return true;
  const bool hangs = WatchedProcessor::has_abandoned_threads();
  if (hangs)
    core::log_warning("the report has no pictures (a read hangs in this process, and others would "
                      "wait for it) 'stills_process --collect {}' writes it anew",
                      options.output.directory);
  write_report(options.output, options.output.directory, !hangs);
  return all && !collects;
}

/// The first rank's last words; returns the exit status.
int conclude(FirstRank& first, const StillsOptions& options, int ranks, Clock::time_point start,
             int status) {
  const auto& total = first.monitor.total();
  const EventQueue& queue = first.events.queue();
  log_failed_inputs(queue.index());
  const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
  // What a stopped run left is no image lost.
  const std::int64_t inputs = status == status_stopped ? total.accounted() : queue.known();
  if (inputs > 0) core::log_info("{}", report::format_summary(total, inputs, elapsed, ranks));
  save_index(queue, options.output.write_index);
  first.monitor.note_inputs(queue); // a run that finds nothing to do has no other occasion
  if (status == status_stopped)
    first.monitor.finish(report::SessionState::Stopped, {});
  else if (write_products(first, options))
    status = status_stopped;
  if (status == status_stopped) say_stopped(first.events, total);
  core::flush_log();
  return status;
}

/// Makes the first rank's part; what is wrong ends the run on every rank. Returns the exit status to
/// end with, -1 to go on. Collective.
int start_first_rank(const parallel::Communicator& comm, const Plan& plan,
                     const StillsOptions& options, std::unique_ptr<FirstRank>& first) {
  int stop = -1;
  std::vector<std::string> shards;
  if (options.resume) shards = share_shards(comm, options.output);
  const auto shares = comm.gather(read_done_share(shards, comm.rank(), comm.size()));
  if (comm.is_root()) {
    try {
      first = std::make_unique<FirstRank>(options, plan, join_done_shares(shares, plan.phil),
                                          comm.size());
      core::write_file(phil_path(options.output), plan.phil);
      log_start(first->events, comm.size());
    } catch (const core::Error& error) {
      core::log_error("{}", error.what());
      stop = status_usage;
    }
  }
  comm.broadcast_value(stop);
  return stop;
}

/// Files of results of all shards, in shares; false if a signal came first. Collective.
bool derive_all(const parallel::Communicator& comm, const StillsOptions& options) {
  // One rank looks: another would see what the others have derived meanwhile.
  std::vector<std::string> shards;
  if (comm.is_root()) shards = io::shards_in(options.output.directory);
  if (comm.is_root() && options.resume) shards = underived(shards, options.output);
  shards = share_list(comm, shards);
  const auto files = comm.all_sum(derive_share(comm, shards, options.output, stop_signal));
  if (files > 0)
    core::log_info("Wrote {} files of results from {} shards to {}", files, shards.size(),
                   options.output.directory);
  return comm.all_sum(std::int64_t{stop_signal()}) == 0;
}

/// Everything after the plan is shared.
int process(const parallel::Communicator& comm, const Plan& plan, const StillsOptions& options,
            Clock::time_point start) {
  catch_stop_signals();
  std::unique_ptr<FirstRank> first;
  if (const int stop = start_first_rank(comm, plan, options, first); stop >= 0) return stop;
  StepLog steps;
  if (options.output.debug_logs)
    steps.open_steps(options.output.directory + "/debug", comm.rank(), options.resume);
  if (!options.output.logging_dir.empty())
    steps.open_details(options.output.logging_dir, comm.rank(), options.resume);
  StillWorker worker(options, steps,
                     {.rank = comm.rank(),
                      .shard = shard_path(options.output, comm.rank()),
                      .run = run_header(plan.phil),
                      .report_lines = plan.log_level == "debug",
                      .report_ranges = !options.output.write_index.empty(),
                      .stop_signal = stop_signal});
  run_events(comm, first, worker);

  int status = first ? exit_status(first->monitor.total(), first->events) : status_ok;
  comm.broadcast_value(status);
  if (status != status_stopped && !derive_all(comm, options)) status = status_stopped;
  if (first) status = conclude(*first, options, comm.size(), start, status);
  comm.broadcast_value(status);
  // The reader of a file waits for the library that a hung read has locked: it is left as it is.
  if (WatchedProcessor::has_abandoned_threads()) static_cast<void>(first.release());
  return status;
}

} // namespace

int stills_process(int argc, char** argv) {
  const auto start = Clock::now();
  int status = status_ok;
  {
    const parallel::Environment environment(argc, argv);
    ignore_file_size_signal();
    const auto comm = parallel::Communicator::world();
    status = parallel::run_guarded(comm, [&] {
      // Threads that were given up may use them until the process ends.
      auto& options = *new StillsOptions;
      Plan plan;
      if (comm.is_root()) plan = make_plan(argc, argv, options, comm.size());
      share_plan(comm, plan, options);
      return plan.stop >= 0 ? plan.stop : process(comm, plan, options, start);
    });
  }
  core::flush_log();
  if (WatchedProcessor::has_abandoned_threads()) std::_Exit(status);
  return status;
}

} // namespace kilobragg::programs
