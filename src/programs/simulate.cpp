// The run of simulate_stills: every rank renders its images, the first writes the truth.
#include "kilobragg/programs/simulate.hpp"

#include "simulate_image.hpp"
#include "simulate_sample.hpp"
#include "simulate_truth.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/log.hpp"
#include "kilobragg/core/version.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/nxmx_master.hpp"
#include "kilobragg/io/nxmx_writer.hpp"
#include "kilobragg/parallel/together.hpp"

#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

namespace kilobragg::programs {
namespace {

enum Status : int { status_ok = 0, status_failed = 1, status_usage = 2 };

/// A run as every rank knows it.
struct Run {
  const SimulateParams& params;
  SimulatedScene scene;
  std::shared_ptr<const models::Detector> detector; ///< of the scene
  Sample sample;
  std::filesystem::path directory;
};

/// Makes the output folder and proves that files can be written there, before any work.
std::filesystem::path prepare_directory(const SimulateOutput& output) {
  const std::filesystem::path directory = output.directory.empty() ? "." : output.directory;
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  core::require(std::filesystem::is_directory(directory),
                "cannot make output.output_dir={} ({}) choose another?", directory.string(),
                error ? error.message() : "something else has that name");
  const auto probe = directory / (output.prefix + "_writable.tmp");
  {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(probe.c_str(), "wb"),
                                                         &std::fclose);
    core::require(file != nullptr, "cannot write into output.output_dir={} ({}) choose another?",
                  directory.string(), std::generic_category().message(errno));
  }
  std::filesystem::remove(probe, error);
  return std::filesystem::absolute(directory);
}

Run make_run(const SimulateParams& params) {
  check_simulate_params(params);
  Run run{params, {}, nullptr, {}, {}};
  SimulatedScene& scene = run.scene;
  scene.detector = make_simulated_detector(params.detector, params.beam.wavelength);
  describe_counts(params, scene.detector.detector);
  layer_planes(scene.detector.detector, params.layers); // says now if there are no sensors
  scene.bad = draw_bad_pixels(params, scene.detector);
  scene.media = make_media(params.background);
  scene.amplitudes = make_amplitudes(params, scene.detector.detector);
  run.detector = std::make_shared<const models::Detector>(scene.detector.detector);
  run.sample = {scene.amplitudes.cell, scene.amplitudes.space_group};
  return run;
}

std::string image_path(const Run& run, int rank) {
  return (run.directory / image_file_name(run.params, rank)).string();
}

io::NxmxLayout make_layout(const Run& run, int frames) {
  io::NxmxLayout layout;
  layout.detector = *run.detector;
  layout.frames = frames;
  const auto& beam = run.params.beam;
  layout.spectrum_channels =
      beam.channels > 1 && beam.bandwidth > 0 ? static_cast<std::size_t>(beam.channels) : 0;
  layout.stacked = run.params.output.stacked;
  layout.mask = file_mask(run.params.challenges, run.scene.detector, run.scene.bad);
  layout.sample = "simulated " + run.sample.space_group.hm();
  return layout;
}

DrawnArtefacts artefacts_of(const Run& run, const DrawnShot& shot) {
  return draw_artefacts(run.params, *run.detector, shot.beam, shot.image);
}

/// One rank's images into its own file.
void write_images(const Run& run, int rank, int ranks) {
  const auto [first, end] = image_block(run.params.n_images, rank, ranks);
  if (first == end) return;
  const io::NxmxLayout layout = make_layout(run, end - first);
  io::NxmxWriter writer(image_path(run, rank), layout);
  ImageMaker maker(run.params, run.scene);
  const auto start = std::chrono::steady_clock::now();
  for (int image = first; image < end; ++image) {
    const DrawnShot shot = draw_shot(run.params, run.sample, static_cast<std::uint32_t>(image));
    writer.write_frame(image - first, maker.make(shot, artefacts_of(run, shot)),
                       shot.beam.wavelength, shot.beam.spectrum);
    if (rank == 0 && (image - first + 1) % 50 == 0)
      core::log_info("  {} of {} images on this rank", image - first + 1, end - first);
  }
  writer.close();
  const double elapsed =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (rank == 0)
    core::log_info("{} images in {:.1f} s, {:.3f} s each", end - first, elapsed,
                   elapsed / (end - first));
}

/// Every image of the run and where it lies, as the reader of the files names it.
std::vector<PlacedShot> all_shots(const Run& run, int ranks) {
  std::vector<PlacedShot> shots;
  for (int rank = 0; rank < ranks; ++rank) {
    const auto [first, end] = image_block(run.params.n_images, rank, ranks);
    if (first == end) continue;
    const auto reader = io::open_images(image_path(run, rank));
    for (int image = first; image < end; ++image) {
      DrawnShot shot = draw_shot(run.params, run.sample, static_cast<std::uint32_t>(image));
      DrawnArtefacts artefacts = artefacts_of(run, shot);
      shots.push_back({std::move(shot), std::move(artefacts), reader->source(image - first)});
    }
  }
  return shots;
}

void log_start(const Run& run, int ranks) {
  const auto& p = run.params;
  core::log_info("{} images, seed {}, {} ranks, into {}", p.n_images, p.seed, ranks,
                 run.directory.string());
  core::log_info("{} {}, {} structure factors{}", run.sample.space_group.hm(),
                 run.sample.cell.to_string(), run.scene.amplitudes.hkl.size(),
                 p.amplitudes.file.empty() ? " (random, Wilson)" : " from " + p.amplitudes.file);
  core::log_info("detector {}: {} panels, {} pixels",
                 p.detector.from.empty()
                     ? detector_presets()[static_cast<std::size_t>(p.detector.preset)]
                     : "of " + p.detector.from,
                 run.detector->panels.size(), run.detector->pixel_count());
}

/// The master over the files of all ranks.
void write_master(const Run& run, int ranks, const std::vector<PlacedShot>& shots) {
  std::vector<io::NxmxPart> parts;
  for (int rank = 0; rank < ranks; ++rank) {
    const auto [first, end] = image_block(run.params.n_images, rank, ranks);
    if (first < end) parts.push_back({image_file_name(run.params, rank), end - first});
  }
  const std::string path = (run.directory / master_file_name(run.params)).string();
  io::write_nxmx_master(
      path, make_layout(run, run.params.n_images), parts,
      [&shots](std::int64_t frame) { return shots[static_cast<std::size_t>(frame)].shot.beam; });
  core::log_info("all images in {}", path);
}

void write_run_truth(const Run& run, std::vector<PlacedShot> shots) {
  SimulateParams bound = run.params;
  core::OptionSet options;
  add_simulate_options(options, bound);
  const std::string stem = (run.directory / run.params.output.prefix).string() + "_truth";
  write_truth(stem, {std::move(shots), run.detector, run.scene.amplitudes, run.scene.bad,
                     run.params, options.to_phil()});
  core::log_info("truth in {}.expt, .json, .mtz", stem);
}

std::string help_text(const core::OptionSet& options) {
  return "Usage: simulate_stills [options] [file.phil ...] [key=value ...]\n\n"
         "Simulates diffraction stills with known truth: <prefix>_master.h5 (NXmx) over the\n"
         "images in <prefix>_NNNN.h5, and <prefix>_truth.expt (true models), .json (what was\n"
         "drawn), .mtz (true F). The files may be moved together.\n"
         "Under mpirun or srun each rank makes a part of the images.\n\n"
         "Exit status: 0 done, 1 could not run (a full disk, ...), 2 wrong options or inputs.\n\n" +
         core::flag_help(options) + "\n" + options.help();
}

} // namespace

std::pair<int, int> image_block(int n_images, int rank, int ranks) {
  const auto bound = [&](int r) {
    return static_cast<int>(static_cast<std::int64_t>(n_images) * r / ranks);
  };
  return {bound(rank), bound(rank + 1)};
}

std::string image_file_name(const SimulateParams& params, int rank) {
  return fmt::format("{}_{:04d}.h5", params.output.prefix, rank);
}

std::string master_file_name(const SimulateParams& params) {
  return params.output.prefix + "_master.h5";
}

void simulate_run(const SimulateParams& params, const parallel::Communicator& communicator) {
  std::optional<Run> made;
  parallel::together(communicator, status_usage, [&] {
    made.emplace(make_run(params));
    if (communicator.is_root()) made->directory = prepare_directory(params.output);
  });
  Run& run = *made;
  std::string directory = run.directory.string();
  communicator.broadcast(directory);
  run.directory = directory;
  if (communicator.is_root()) log_start(run, communicator.size());
  parallel::together(communicator, status_failed,
                     [&] { write_images(run, communicator.rank(), communicator.size()); });
  parallel::together(communicator, status_failed, [&] {
    if (!communicator.is_root()) return;
    std::vector<PlacedShot> shots = all_shots(run, communicator.size());
    if (params.output.master) write_master(run, communicator.size(), shots);
    write_run_truth(run, std::move(shots));
  });
}

int simulate_stills(int argc, char** argv) {
  parallel::Environment environment(argc, argv);
  const auto communicator = parallel::Communicator::world();
  SimulateParams params;
  core::OptionSet options;
  add_simulate_options(options, params);
  core::CommandLine command;
  try {
    command = core::parse_command_line(argc, argv, options);
    core::require(command.inputs.empty(),
                  "'{}' is neither an option nor a .phil file (simulate_stills reads no images) "
                  "amplitudes.file={}?",
                  command.inputs.empty() ? "" : command.inputs.front(),
                  command.inputs.empty() ? "" : command.inputs.front());
  } catch (const core::Error& error) {
    if (communicator.is_root()) std::cerr << "simulate_stills: " << error.what() << '\n';
    return status_usage;
  }
  if (command.help || command.version || command.show_config) {
    if (!communicator.is_root()) return 0;
    if (command.help)
      std::cout << help_text(options);
    else if (command.version)
      std::cout << core::version_line("simulate_stills") << '\n';
    else
      std::cout << options.to_phil();
    return 0;
  }
  return parallel::run_guarded(communicator, [&] {
    return parallel::end_together(communicator, "simulate_stills", [&] {
      core::LogSetup log;
      log.level = core::log_level_from_name(command.log_level);
      log.console = communicator.is_root();
      core::start_log(log);
      if (communicator.is_root()) core::log_info("{}", core::version_line("simulate_stills"));
      simulate_run(params, communicator);
      return int{status_ok};
    });
  });
}

} // namespace kilobragg::programs
