// The run of simulate_stills: every rank renders its images, the first writes the truth.
#include "kilobragg/programs/simulate.hpp"

#include "simulate_sample.hpp"
#include "simulate_truth.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/log.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/core/version.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/nxmx_writer.hpp"
#include "kilobragg/parallel/together.hpp"
#include "kilobragg/programs/simulate_detectors.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

namespace kilobragg::programs {
namespace {

enum Status : int { status_ok = 0, status_failed = 1, status_usage = 2 };

/// What every rank holds of a run.
struct Run {
  const SimulateParams& params;
  std::shared_ptr<const models::Detector> detector;
  structure_factors::SpectralAmplitudes amplitudes;
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
  Run run{
      params, std::make_shared<const models::Detector>(make_detector(params.detector)), {}, {}, {}};
  run.amplitudes = make_amplitudes(params, *run.detector);
  run.sample = {run.amplitudes.cell, run.amplitudes.space_group};
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
  const auto gaps = make_gap_mask(run.params.detector);
  for (std::size_t i = 0; !gaps.empty() && i < run.detector->panels.size(); ++i)
    layout.mask.insert(layout.mask.end(), gaps.begin(), gaps.end());
  layout.sample = "simulated " + run.sample.space_group.hm();
  return layout;
}

/// Renders images one after another into reused buffers.
class ImageMaker {
public:
  ImageMaker(const Run& run, const std::vector<std::uint8_t>& mask)
      : run_(run)
      , mask_(mask)
      , renderer_(*run.detector, mean_beam(run.params), render_params(run.params))
      , reflections_(diffraction::expand_to_sphere(run.amplitudes,
                                                   run.params.amplitudes.d_min.value_or(0),
                                                   core::ev_angstrom / run.params.beam.wavelength))
      , photons_(renderer_.pixel_count())
      , counts_(renderer_.pixel_count()) {}

  std::span<const std::int32_t> make(const DrawnShot& drawn) {
    const auto shot = to_render(drawn, run_.params);
    std::fill(photons_.begin(), photons_.end(), 0.0F);
    renderer_.add_peaks(shot, reflections_, photons_);
    renderer_.add_background(shot, photons_);
    const auto& params = run_.params;
    diffraction::count_photons(photons_,
                               {.poisson = params.poisson,
                                .gain = params.detector.gain,
                                .seed = static_cast<std::uint64_t>(params.seed)},
                               drawn.image, counts_);
    for (std::size_t i = 0; i < mask_.size(); ++i)
      if (mask_[i] == 0) counts_[i] = -1;
    return counts_;
  }

private:
  static models::Beam mean_beam(const SimulateParams& params) {
    models::Beam beam;
    beam.wavelength = params.beam.wavelength;
    beam.polarization_fraction = params.beam.polarization_fraction;
    return beam;
  }
  static diffraction::RenderParams render_params(const SimulateParams& params) {
    diffraction::RenderParams render;
    render.oversample = params.oversample;
    return render;
  }

  const Run& run_;
  const std::vector<std::uint8_t>& mask_;
  diffraction::Renderer renderer_;
  diffraction::ReflectionSphere reflections_;
  std::vector<float> photons_;
  std::vector<std::int32_t> counts_;
};

/// One rank's images into its own file.
void write_images(const Run& run, int rank, int ranks) {
  const auto [first, end] = image_block(run.params.n_images, rank, ranks);
  if (first == end) return;
  const io::NxmxLayout layout = make_layout(run, end - first);
  io::NxmxWriter writer(image_path(run, rank), layout);
  ImageMaker maker(run, layout.mask);
  const auto start = std::chrono::steady_clock::now();
  for (int image = first; image < end; ++image) {
    const DrawnShot shot = draw_shot(run.params, run.sample, static_cast<std::uint32_t>(image));
    writer.write_frame(image - first, maker.make(shot), shot.beam.wavelength, shot.beam.spectrum);
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
    for (int image = first; image < end; ++image)
      shots.push_back({draw_shot(run.params, run.sample, static_cast<std::uint32_t>(image)),
                       reader->source(image - first)});
  }
  return shots;
}

void log_start(const Run& run, int ranks) {
  const auto& p = run.params;
  core::log_info("{} images, seed {}, {} ranks, into {}", p.n_images, p.seed, ranks,
                 run.directory.string());
  core::log_info("{} {}, {} structure factors{}", run.sample.space_group.hm(),
                 run.sample.cell.to_string(), run.amplitudes.hkl.size(),
                 p.amplitudes.file.empty() ? " (random, Wilson)" : " from " + p.amplitudes.file);
  core::log_info("detector {}: {} panels, {} pixels",
                 detector_presets()[static_cast<std::size_t>(p.detector.preset)],
                 run.detector->panels.size(), run.detector->pixel_count());
}

void write_run_truth(const Run& run, int ranks) {
  SimulateParams bound = run.params;
  core::OptionSet options;
  add_simulate_options(options, bound);
  const std::string stem = (run.directory / run.params.output.prefix).string() + "_truth";
  write_truth(stem, all_shots(run, ranks), run.detector, run.amplitudes, run.params.beam.wavelength,
              options.to_phil());
  core::log_info("truth in {}.expt, .json, .mtz", stem);
}

std::string help_text(const core::OptionSet& options) {
  return "Usage: simulate_stills [options] [file.phil ...] [key=value ...]\n\n"
         "Simulates diffraction stills with known truth: <prefix>_NNNN.h5 (NXmx), and\n"
         "<prefix>_truth.expt (true models), .json (what was drawn), .mtz (true F).\n"
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
    if (communicator.is_root()) write_run_truth(run, communicator.size());
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
