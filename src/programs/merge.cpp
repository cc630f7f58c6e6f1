// The program merge: options, logs and exit status around the run.
#include "kilobragg/programs/merge.hpp"

#include "merge_run.hpp"
#include "stop_signals.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/log.hpp"
#include "kilobragg/core/version.hpp"
#include "kilobragg/parallel/together.hpp"

#include <filesystem>
#include <iostream>
#include <optional>

namespace kilobragg::programs {

namespace {

using parallel::Communicator;

void start_logs(const Communicator& communicator, const MergeOptions& options,
                const core::CommandLine& line) {
  core::LogSetup setup;
  setup.level = core::log_level_from_name(line.log_level);
  setup.console = communicator.is_root();
  if (communicator.is_root()) {
    std::error_code error;
    std::filesystem::create_directories(options.output_dir, error);
    core::require(!error, "cannot make the folder '{}' ({}; option output.output_dir)",
                  options.output_dir, error.message());
    setup.file = options.output_dir + "/" + options.prefix + "_main.log";
  }
  core::start_log(setup);
}

const std::string usage =
    "merge: integrated stills in, merged structure factors out\n\n"
    "  merge input.path=FOLDER merging.d_min=2.0 [name=value ...] [FILE.phil ...]\n"
    "  mpirun -n 8 merge ... --pixels\n\n"
    "Writes PREFIX_all.mtz, PREFIX_odd.mtz, PREFIX_even.mtz, PREFIX_main.log and PREFIX.json;\n"
    "with --pixels PREFIX_refined_{all,odd,even}.mtz, PREFIX_shots.csv, PREFIX_shot_errors.csv,\n"
    "PREFIX_shots-NNNN.shard, PREFIX_convergence.csv and PREFIX_pixels.{json,html} as well.\n"
    "Without scaling.model every lattice is scaled to the average of the others.\n\n"
    "Exit status: 0 merged, 1 could not (a full disk, ...), 2 wrong options or inputs, 3 nothing "
    "was\n"
    "left to merge or to refine, the message says why; 75 stopped by a signal while pixels were\n"
    "refined: the same command with --resume goes on.\n\n";

// Options of one call and what the command line asks for beside them.
struct Request {
  MergeOptions options;
  core::OptionSet set;
  core::CommandLine line;

  Request(int argc, const char* const* argv) {
    declare(set, options);
    line = core::parse_command_line(argc, argv, set);
    options.paths.insert(options.paths.end(), line.inputs.begin(), line.inputs.end());
    if (!only_shows()) validate(options);
  }
  Request(const Request&) = delete; // the set points into the options
  Request& operator=(const Request&) = delete;
  bool only_shows() const { return line.help || line.version || line.show_config; }
  std::string shown() const {
    if (line.help) return usage + core::flag_help(set) + "\n" + set.help();
    return line.version ? core::version_line("merge") + "\n" : set.to_phil();
  }
};

void run_request(const Communicator& communicator, const Request& request) {
  parallel::together(communicator, merge_usage,
                     [&] { start_logs(communicator, request.options, request.line); });
  core::log_info("{}\n\nOptions that differ from their defaults:\n{}", core::version_line("merge"),
                 request.set.to_phil(true));
  run_merge(communicator, request.options, request.set.to_phil());
}

} // namespace

int merge(int argc, char** argv) {
  const parallel::Environment environment(argc, argv);
  const Communicator world = Communicator::world();
  ignore_file_size_signal();
  std::optional<Request> request;
  try {
    request.emplace(argc, argv);
  } catch (const core::Error& error) {
    if (world.is_root()) std::cerr << "merge: " << error.what() << "\n";
    return merge_usage;
  }
  if (request->only_shows()) {
    if (world.is_root()) std::cout << request->shown();
    return 0;
  }
  return parallel::run_guarded(world, [&] {
    return parallel::end_together(world, "merge", [&] {
      run_request(world, *request);
      return int{merge_ok};
    });
  });
}

void merge_with(const Communicator& communicator, const std::vector<std::string>& arguments) {
  std::vector<const char*> argv{"merge"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  run_request(communicator, Request(static_cast<int>(argv.size()), argv.data()));
}

} // namespace kilobragg::programs
