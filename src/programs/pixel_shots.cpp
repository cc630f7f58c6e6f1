// Groups lattices by image, finds images and spectra, and gives shots their first models.
#include "pixel_shots.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/log.hpp"
#include "kilobragg/core/units.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::programs {
namespace {

using pixelrefinement::ShotModel;

diffraction::ShotLattice first_lattice(const models::Crystal& crystal,
                                       const PixelOptions& options) {
  // Peaks that are too wide at first find their spots and become narrower; those narrower than the
  // errors of the orientation find nothing, and fitted domain sizes can be anything above.
  constexpr double least_cells = 5, most_cells = 20, least_spread = 0.01 * core::degree,
                   usual_size = 1000;
  diffraction::ShotLattice lattice;
  lattice.crystal = crystal;
  const double edge = std::cbrt(crystal.unit_cell().volume());
  const models::Mosaicity mosaicity =
      crystal.mosaicity.value_or(models::Mosaicity{.domain_size_angstrom = usual_size});
  const double cells = options.init_cells.value_or(
      std::clamp(mosaicity.domain_size_angstrom / edge, least_cells, most_cells));
  const double spread = options.init_eta_deg
                            ? *options.init_eta_deg * core::degree
                            : std::max(least_spread, mosaicity.half_mosaicity_deg * core::degree);
  lattice.size = cells * Mat3::identity();
  lattice.rotation = (spread * spread) * Mat3::identity();
  return lattice;
}

} // namespace

io::ImageReader& ShotImages::open(const models::ImageSource& source) {
  constexpr std::size_t most_open = 8;
  const std::string key = source.path + '\n' + source.dataset;
  const auto at = readers_.find(key);
  if (at != readers_.end()) return *at->second;
  if (readers_.size() >= most_open) readers_.clear();
  const io::ImagePointer pointer{source.path, source.path, source.path, source.content_id};
  return *readers_.emplace(key, io::open_image(pointer, search_, source.dataset)).first->second;
}

const models::Image& ShotImages::read(const ShotModel& shot) {
  io::ImageReader& reader = open(shot.source);
  core::require(shot.source.frame >= 0 && shot.source.frame < reader.frame_count(),
                "'{}' has no frame {} ({} frames)", shot.source.path, shot.source.frame,
                reader.frame_count());
  reader.read_into(shot.source.frame, image_);
  const auto& panels = image_.layout->panels;
  core::require(panels.size() == shot.detector->panels.size(),
                "the image of '{}' has {} panels but its experiment {} (another geometry?)",
                shot.source.tag(), panels.size(), shot.detector->panels.size());
  for (std::size_t p = 0; p < panels.size(); ++p) {
    const auto& size = shot.detector->panels[p].image_size;
    core::require(panels[p].width == size[0] && panels[p].height == size[1],
                  "panel {} of '{}' has {} x {} pixels but {} x {} in its experiment", p,
                  shot.source.tag(), panels[p].width, panels[p].height, size[0], size[1]);
  }
  return image_;
}

models::Beam ShotImages::beam(const models::ImageSource& source) {
  return open(source).beam(source.frame);
}

std::vector<ShotModel> make_shots(const std::vector<LoadedExperiments>& loaded,
                                  const std::set<std::string>& accepted,
                                  const PixelOptions& options, ShotImages& images) {
  std::map<std::string, ShotModel> by_image;
  for (const LoadedExperiments& file : loaded)
    for (std::size_t e = 0; e < file.experiments.size(); ++e) {
      const models::Experiment& experiment = file.experiments[e];
      if (!accepted.contains(experiment.identifier)) continue;
      const std::string key = experiment.source.path + '\n' + experiment.source.dataset + '\n' +
                              std::to_string(experiment.source.frame);
      ShotModel& shot = by_image[key];
      if (shot.lattices.empty()) {
        shot.identifier = experiment.identifier;
        shot.source = experiment.source;
        shot.detector = experiment.detector;
        shot.beam = experiment.beam;
        if (const auto& spectrum = file.spectra.at(e); !spectrum.empty())
          shot.beam.spectrum = spectrum;
      }
      shot.identifier = std::min(shot.identifier, experiment.identifier);
      shot.lattice_identifiers.push_back(experiment.identifier);
      shot.lattices.push_back(first_lattice(*experiment.crystal, options));
    }
  std::vector<ShotModel> shots;
  for (auto& [key, shot] : by_image) {
    if (shot.beam.spectrum.empty()) {
      try {
        shot.beam.spectrum = images.beam(shot.source).spectrum;
      } catch (const core::Error&) { // said when its pixels are read
        shot.state = pixelrefinement::ShotState::NoPixels;
      }
    }
    shots.push_back(std::move(shot));
  }
  std::sort(shots.begin(), shots.end(),
            [](const ShotModel& a, const ShotModel& b) { return a.identifier < b.identifier; });
  return shots;
}

} // namespace kilobragg::programs
