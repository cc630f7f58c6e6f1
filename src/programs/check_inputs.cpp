// Opens every input, groups by geometry, and collects what is wrong instead of stopping at it.
#include "check_inputs.hpp"

#include "check_geometry.hpp"
#include "event_queue.hpp"
#include "geometry_overrides.hpp"
#include "stopwatch.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/lookup_mask.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <set>

namespace kilobragg::programs {
namespace {

using Clock = std::chrono::steady_clock;

const char* pixel_kind(const models::Image& image) {
  constexpr const char* kinds[] = {"16-bit integers", "32-bit integers", "floats"};
  return kinds[image.pixels.index()];
}

std::string masked_part(const std::vector<std::uint8_t>& mask) {
  const auto masked = std::count(mask.begin(), mask.end(), std::uint8_t{0});
  return fmt::format("{:.2f} %",
                     100.0 * static_cast<double>(masked) / static_cast<double>(mask.size()));
}

/// Looks at one source after the other.
class Surveyor {
public:
  Surveyor(const StillsOptions& options, const io::EventIndex& index,
           const std::optional<io::ReferenceGeometry>& reference, const CheckLimits& limits,
           CheckReport& report)
      : options_(options)
      , index_(index)
      , reference_(reference)
      , limits_(limits)
      , report_(report) {}

  InputSurvey run() {
    const auto start = Clock::now();
    for (const std::size_t i : spread_order(index_.sources.size() - index_.failed.size())) {
      const double header_seconds = seconds_since(start) - pixel_seconds_;
      if (survey_.opened > 0 && header_seconds > limits_.header_seconds) break;
      const auto& source = index_.sources[i];
      ++survey_.opened;
      try {
        look_at(source);
      } catch (const core::Error& error) {
        problem(error.what());
      }
    }
    if (untold_ > 0)
      report_.problem("{} more files have problems like these (the first {} are told) do they come "
                      "from one writer?",
                      untold_, most_told);
    return std::move(survey_);
  }

private:
  static constexpr int most_told = 20;

  /// One bad writer makes as many problems as files.
  void problem(const std::string& text) {
    if (told_ < most_told)
      report_.problem("{}", text);
    else
      ++untold_;
    ++told_;
  }

  void look_at(const io::FrameSource& source) {
    auto reader = io::open_images(source.path, source.dataset, options_.input.image_search());
    if (reference_) reader = io::replace_geometry(std::move(reader), *reference_);
    const auto beam = first_beam(*reader);
    const auto header = reader->detector();
    const auto wrong = geometry_problems(*header, beam);
    for (const auto& text : wrong) problem(fmt::format("{}: {}", source.path, text));
    if (wrong.empty()) {
      GeometryGroup& group =
          group_of(adjusted_detector(header, beam, options_), reader->layout(), beam, source.path);
      ++group.files;
      note_wavelengths(*reader, source, group);
    }
    read_a_frame(*reader, source);
  }

  /// Of the first frame with a wavelength, or of the first frame.
  models::Beam first_beam(const io::ImageReader& reader) const {
    for (std::int64_t frame = 0; frame < reader.frame_count(); ++frame) {
      auto beam = adjusted_beam(reader.beam(frame), options_);
      if (std::isfinite(beam.wavelength) && beam.wavelength > 0) return beam;
    }
    return adjusted_beam(reader.beam(0), options_);
  }

  GeometryGroup& group_of(std::shared_ptr<const models::Detector> detector,
                          std::shared_ptr<const models::ImageLayout> layout,
                          const models::Beam& beam, const std::string& path) {
    const auto [at, is_new] = groups_.emplace(geometry_key(*detector), survey_.geometries.size());
    if (is_new)
      survey_.geometries.push_back({0, path, std::move(detector), std::move(layout), beam,
                                    beam.wavelength, beam.wavelength});
    return survey_.geometries[at->second];
  }

  /// Of the first, the middle and the last frame: wavelengths of XFEL shots differ.
  void note_wavelengths(const io::ImageReader& reader, const io::FrameSource& source,
                        GeometryGroup& group) {
    for (const std::int64_t frame : {std::int64_t{0}, source.frames / 2, source.frames - 1}) {
      if (frame < 0 || frame >= source.frames) continue;
      const double wavelength = adjusted_beam(reader.beam(frame), options_).wavelength;
      if (!std::isfinite(wavelength) || wavelength <= 0) {
        problem(fmt::format("{}: the wavelength of frame {} is {} A (a shot without a value?) give "
                            "geometry.beam.wavelength?",
                            source.path, frame, wavelength));
        continue;
      }
      group.shortest_wavelength = std::min(group.shortest_wavelength, wavelength);
      group.longest_wavelength = std::max(group.longest_wavelength, wavelength);
    }
  }

  void read_a_frame(io::ImageReader& reader, const io::FrameSource& source) {
    if (source.frames < 1) return;
    if (pixel_seconds_ > limits_.pixel_seconds && !survey_.pixel_kinds.empty()) return;
    const auto start = Clock::now();
    reader.read_into(source.frames / 2, image_);
    pixel_seconds_ += seconds_since(start);
    ++survey_.pixel_kinds[pixel_kind(image_)];
    const bool has_mask = image_.mask && !image_.mask->empty();
    ++survey_.masked[has_mask ? masked_part(*image_.mask) : "none"];
    if (has_mask && std::count(image_.mask->begin(), image_.mask->end(), std::uint8_t{0}) ==
                        static_cast<std::ptrdiff_t>(image_.mask->size()))
      problem(fmt::format("{}: the mask of the images leaves no pixel (all are masked) is it meant "
                          "the other way round?",
                          source.path));
  }

  const StillsOptions& options_;
  const io::EventIndex& index_;
  const std::optional<io::ReferenceGeometry>& reference_;
  const CheckLimits& limits_;
  CheckReport& report_;
  InputSurvey survey_;
  std::map<std::string, std::size_t> groups_;
  models::Image image_;
  double pixel_seconds_ = 0;
  int told_ = 0, untold_ = 0;
};

void say_files(const io::EventIndex& index, const InputSurvey& survey, CheckReport& report) {
  const std::size_t sources = index.sources.size() - index.failed.size();
  report.line("{} image{} in {} file{}; {} opened{}", index.events.size(),
              index.events.size() == 1 ? "" : "s", sources, sources == 1 ? "" : "s", survey.opened,
              survey.opened < sources ? ", spread over all, to save time" : "");
  for (const auto& [kind, files] : survey.pixel_kinds)
    report.line("pixels read as {}: {} file{}", kind, files, files == 1 ? "" : "s");
  for (const auto& [part, files] : survey.masked)
    report.line("masked by the files: {} ({} file{})", part, files, files == 1 ? "" : "s");
}

void say_geometries(const InputSurvey& survey, CheckReport& report) {
  constexpr std::size_t most = 5;
  for (std::size_t i = 0; i < std::min(most, survey.geometries.size()); ++i) {
    const auto& group = survey.geometries[i];
    report.line("geometry {} of {}: {} file{}, first {}", i + 1, survey.geometries.size(),
                group.files, group.files == 1 ? "" : "s", group.first_file);
    for (const auto& text : describe_geometry(*group.detector, group.beam))
      report.line("  {}", text);
    if (group.longest_wavelength > group.shortest_wavelength)
      report.line("  wavelengths from {:.5g} to {:.5g} A", group.shortest_wavelength,
                  group.longest_wavelength);
    for (const auto& text : geometry_doubts(*group.detector, group.beam))
      report.doubt("{}: {}", group.first_file, text);
  }
  if (survey.geometries.size() > most)
    report.line("and {} more geometries", survey.geometries.size() - most);
}

void check_mask(const std::string& option, const std::string& mask, const InputSurvey& survey,
                CheckReport& report) {
  if (!std::filesystem::is_regular_file(mask.substr(0, mask.find(":/")))) return;
  std::set<std::size_t> sizes;
  for (const auto& group : survey.geometries) {
    if (!sizes.insert(group.layout->size).second) continue;
    try {
      const auto usable = io::read_lookup_mask(mask, *group.layout);
      report.line("{} = {}: masks {}", option, mask, masked_part(*usable));
      if (std::count(usable->begin(), usable->end(), std::uint8_t{0}) ==
          static_cast<std::ptrdiff_t>(usable->size()))
        report.problem("{} = {} leaves no pixel (all are masked) is it meant the other way round?",
                       option, mask);
    } catch (const core::Error& error) {
      report.problem("{}", error.what());
    }
  }
}

} // namespace

std::vector<std::size_t> spread_order(std::size_t n) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  // Multiples of the golden ratio, modulo 1, fill the unit interval evenly at any moment.
  std::vector<double> place(n);
  constexpr double golden = 0.6180339887498949;
  for (std::size_t i = 0; i < n; ++i) place[i] = std::fmod(static_cast<double>(i) * golden, 1.0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return place[a] < place[b]; });
  std::vector<std::size_t> rank(n);
  for (std::size_t i = 0; i < n; ++i) rank[order[i]] = i;
  return rank;
}

std::optional<io::ReferenceGeometry> check_reference(const StillsOptions& options,
                                                     CheckReport& report) {
  // A file that is not there is said with the options.
  if (!std::filesystem::is_regular_file(options.input.reference_geometry)) return std::nullopt;
  try {
    return io::read_reference_geometry(options.input.reference_geometry);
  } catch (const core::Error& error) {
    report.problem("{}", error.what());
    return std::nullopt;
  }
}

InputSurvey check_inputs(const StillsOptions& options, const io::EventIndex& index,
                         const std::optional<io::ReferenceGeometry>& reference,
                         const CheckLimits& limits, CheckReport& report) {
  report.section("Inputs");
  constexpr std::size_t most = 20;
  for (std::size_t i = 0; i < std::min(most, index.failed.size()); ++i)
    report.problem("cannot open '{}' ({}) its image would be counted as preprocess_exception",
                   index.failed[i].first, index.failed[i].second);
  if (index.failed.size() > most)
    report.problem("{} more files cannot be opened (the first {} are told)",
                   index.failed.size() - most, most);
  if (index.events.empty())
    report.problem("there is no image to process (the inputs hold no frames) are these the right "
                   "files?");
  InputSurvey survey = Surveyor(options, index, reference, limits, report).run();
  say_files(index, survey, report);
  if (reference) report.line("positions of the panels from {}", reference->path);
  say_geometries(survey, report);
  return survey;
}

void check_masks(const StillsOptions& options, const InputSurvey& survey, CheckReport& report) {
  report.section("Masks");
  check_mask("spotfinder.lookup.mask", options.spotfinder_mask, survey, report);
  check_mask("integration.lookup.mask", options.integration_mask, survey, report);
}

} // namespace kilobragg::programs
