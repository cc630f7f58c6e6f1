// Groups lattices by image, finds images and spectra, and gives shots their first models.
#include "pixel_shots.hpp"

#include "kilobragg/core/byte_stream.hpp"
#include "kilobragg/core/error.hpp"
#include "kilobragg/core/hash.hpp"
#include "kilobragg/core/log.hpp"
#include "kilobragg/parallel/together.hpp"
#include "kilobragg/pixelrefinement/first_model.hpp"
#include "kilobragg/pixelrefinement/placement.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

namespace kilobragg::programs {
namespace {

using pixelrefinement::ShotModel;
using pixelrefinement::ShotRecord;
using pixelrefinement::ShotState;

using ImageKey = std::tuple<std::string, std::string, std::int64_t>; ///< file, dataset, frame

ImageKey image_of(const ShotModel& shot) {
  return {shot.source.path, shot.source.dataset, shot.source.frame};
}

/// Every lattice of this rank as a shot of its own.
std::vector<ShotRecord> list_lattices(const std::vector<LoadedExperiments>& loaded,
                                      const std::set<std::string>& accepted,
                                      const PixelOptions& options) {
  std::vector<ShotRecord> lattices;
  for (const LoadedExperiments& file : loaded)
    for (std::size_t e = 0; e < file.experiments.size(); ++e) {
      if (!file.takes(e)) continue;
      const models::Experiment& experiment = file.experiments[e];
      ShotModel shot;
      shot.identifier = experiment.identifier;
      shot.source = experiment.source;
      shot.detector = experiment.detector;
      shot.beam = experiment.beam;
      if (const auto& spectrum = file.spectra.at(e); !spectrum.empty())
        shot.beam.spectrum = spectrum;
      shot.lattice_identifiers = {experiment.identifier};
      shot.lattices = {pixelrefinement::first_lattice(*experiment.crystal,
                                                      {options.init_cells, options.init_eta_deg})};
      if (!accepted.contains(experiment.identifier)) shot.state = ShotState::Contradiction;
      lattices.push_back({std::move(shot), {}});
    }
  return lattices;
}

/// The rank that each image goes to: images sorted by file and frame, cut into even parts. Files are told
/// by a hash, as their names would fill the memory of ranks that hold none of them.
std::vector<int> owners_of_images(const parallel::Communicator& communicator,
                                  const std::vector<ShotRecord>& shots) {
  using Place = std::pair<std::uint64_t, std::int64_t>;
  std::vector<Place> mine;
  for (const ShotRecord& shot : shots) {
    const std::string file = shot.model.source.path + '\n' + shot.model.source.dataset;
    mine.emplace_back(std::stoull(core::md5_hex(file).substr(0, 16), nullptr, 16),
                      shot.model.source.frame);
  }
  core::ByteWriter bytes;
  for (const Place& place : mine) bytes.put(place.first), bytes.put(place.second);
  std::vector<Place> all;
  for (const std::string& part : communicator.all_gather(bytes.take()))
    for (core::ByteReader in(part); !in.at_end();) {
      const auto file = in.get<std::uint64_t>();
      all.emplace_back(file, in.get<std::int64_t>());
    }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  std::vector<int> owners;
  for (const Place& place : mine) {
    const auto at = std::lower_bound(all.begin(), all.end(), place) - all.begin();
    owners.push_back(
        static_cast<int>(std::size_t(at) * std::size_t(communicator.size()) / all.size()));
  }
  return owners;
}

std::map<ImageKey, std::vector<ShotModel>> by_image(std::vector<ShotRecord> lattices) {
  std::map<ImageKey, std::vector<ShotModel>> images;
  for (ShotRecord& lattice : lattices)
    images[image_of(lattice.model)].push_back(std::move(lattice.model));
  return images;
}

/// The lattices of one image that the merge accepted, else all.
ShotModel join_lattices(std::vector<ShotModel> lattices) {
  const auto contradicts = [](const ShotModel& m) { return m.state == ShotState::Contradiction; };
  if (!std::all_of(lattices.begin(), lattices.end(), contradicts))
    std::erase_if(lattices, contradicts);
  std::sort(lattices.begin(), lattices.end(),
            [](const ShotModel& a, const ShotModel& b) { return a.identifier < b.identifier; });
  ShotModel shot = std::move(lattices.front());
  for (std::size_t l = 1; l < lattices.size(); ++l) {
    shot.lattice_identifiers.push_back(lattices[l].identifier);
    shot.lattices.push_back(std::move(lattices[l].lattices.front()));
    if (shot.beam.spectrum.empty()) shot.beam.spectrum = lattices[l].beam.spectrum;
  }
  return shot;
}

void find_spectrum(ShotModel& shot, ShotImages& images, std::vector<std::string>& problems) {
  if (!shot.beam.spectrum.empty()) return;
  try {
    shot.beam.spectrum = images.beam(shot.source).spectrum;
  } catch (const core::Error& error) {
    problems.push_back(no_pixels_text(shot, error.what()));
    shot.state = ShotState::NoPixels;
  }
}

} // namespace

PixelLookups load_lookups(const parallel::Communicator& communicator, const PixelOptions& options) {
  PixelLookups lookups;
  parallel::together(communicator, merge_usage, [&] {
    if (!communicator.is_root()) return;
    if (!options.mask.empty()) lookups.mask = io::read_lookup_mask(options.mask);
    if (!options.noise_map.empty())
      lookups.noise = io::read_lookup_noise(options.noise_map, lookups.mask);
  });
  communicator.broadcast(lookups.mask.shown);
  communicator.broadcast(lookups.mask.shape);
  communicator.broadcast_value(lookups.mask.row);
  communicator.broadcast(lookups.mask.usable);
  communicator.broadcast(lookups.noise);
  return lookups;
}

std::string no_pixels_text(const ShotModel& shot, const std::string& why) {
  return fmt::format("no pixels of {}: {}", shot.source.tag(), why);
}

void warn_of(const parallel::Communicator& communicator, const std::vector<std::string>& problems) {
  constexpr std::size_t most_shown = 20;
  core::ByteWriter bytes;
  for (const std::string& problem : problems) bytes.put_text(problem);
  std::vector<std::string> all;
  for (const std::string& part : communicator.gather(bytes.take()))
    for (core::ByteReader in(part); !in.at_end();) all.push_back(in.get_text());
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i < std::min(all.size(), most_shown); ++i)
    core::log_warning("{}", all[i]);
  if (all.size() > most_shown)
    core::log_warning("... and {} more like these", all.size() - most_shown);
}

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
  take_mask();
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

void ShotImages::take_mask() {
  if (lookup_ == nullptr || lookup_->usable.empty()) return;
  io::require_fits(*lookup_, *image_.layout);
  if (joined_ == nullptr || own_ != image_.mask) {
    own_ = image_.mask;
    joined_ = io::combine_masks(own_, std::make_shared<const models::PixelMask>(lookup_->usable));
  }
  image_.mask = joined_;
}

models::Beam ShotImages::beam(const models::ImageSource& source) {
  return open(source).beam(source.frame);
}

std::vector<ShotModel> make_shots(const parallel::Communicator& communicator,
                                  const std::vector<LoadedExperiments>& loaded,
                                  const std::set<std::string>& accepted,
                                  const PixelOptions& options, ShotImages& images) {
  std::vector<ShotRecord> lattices = list_lattices(loaded, accepted, options);
  const std::vector<int> owners = owners_of_images(communicator, lattices);
  lattices = pixelrefinement::send_shots(communicator, std::move(lattices), owners);
  std::int64_t taken = 0, rejected = 0;
  std::vector<std::string> problems;
  std::vector<ShotModel> shots;
  for (auto& [image, models] : by_image(std::move(lattices))) {
    const auto all = static_cast<std::int64_t>(models.size());
    shots.push_back(join_lattices(std::move(models)));
    const bool contradicts = shots.back().state == ShotState::Contradiction;
    const auto used = contradicts ? 0 : static_cast<std::int64_t>(shots.back().lattices.size());
    taken += used;
    rejected += all - used;
    if (!contradicts) find_spectrum(shots.back(), images, problems);
  }
  taken = communicator.all_sum(taken);
  rejected = communicator.all_sum(rejected);
  warn_of(communicator, problems);
  core::log_info("Lattices: {}, {} of them rejected by the merge", taken + rejected, rejected);
  std::sort(shots.begin(), shots.end(),
            [](const ShotModel& a, const ShotModel& b) { return a.identifier < b.identifier; });
  return shots;
}

std::vector<std::size_t> in_order_of_images(const std::vector<ShotRecord>& shots) {
  std::vector<std::size_t> order(shots.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return image_of(shots[a].model) < image_of(shots[b].model);
  });
  return order;
}

} // namespace kilobragg::programs
