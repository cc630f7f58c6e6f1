// Frames of an .expt: its distinct images in order, each read from the file that it names.
#include "expt_reader.hpp"

#include "description_codec.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/io/reference_geometry.hpp"

#include <set>
#include <tuple>

namespace kilobragg::io {
namespace {

/// Experiments of distinct images: several lattices of one image are one frame.
PointedExperiments distinct_images(const std::string& text, const std::string& path,
                                   const ImageSearch& search) {
  PointedExperiments list = parse_pointed_experiments(text, path, search);
  std::vector<models::Experiment> images;
  std::set<std::tuple<std::string, std::string, std::int64_t>> seen;
  for (models::Experiment& experiment : list.experiments) {
    const models::ImageSource& source = experiment.source;
    if (source.path.empty()) continue;
    if (seen.emplace(source.path, source.dataset, source.frame).second)
      images.push_back(std::move(experiment));
  }
  core::require(!images.empty(), "{} points at no images (its experiments have no image sets)",
                path);
  return {std::move(images), std::move(list.pointers)};
}

class ExperimentsReader final : public ImageReader {
public:
  ExperimentsReader(std::string text, const std::string& path, const ImageSearch& search)
      : ExperimentsReader(distinct_images(text, path, search), path, search) {
    text_ = std::move(text);
  }
  ExperimentsReader(PointedExperiments experiments, const std::string& path,
                    const ImageSearch& search)
      : path_(path)
      , search_(search)
      , images_(std::move(experiments.experiments))
      , pointers_(std::move(experiments.pointers))
      , geometry_{images_[0].detector, path} {
    core::require(geometry_.detector != nullptr, "{} holds no detector", path);
    for (const models::Experiment& image : images_)
      core::require(image.detector == geometry_.detector,
                    "{} holds several detectors (one reader gives one geometry) give the lists of "
                    "each detector apart?",
                    path);
  }

  std::int64_t frame_count() const override { return static_cast<std::int64_t>(images_.size()); }
  std::shared_ptr<const models::Detector> detector() const override { return geometry_.detector; }
  std::shared_ptr<const models::ImageLayout> layout() const override { return file_of(0).layout(); }
  models::Beam beam(std::int64_t frame) const override {
    models::Beam beam = image(frame).beam;
    // An .expt holds no spectrum; the image may.
    if (beam.spectrum.empty()) beam.spectrum = spectrum_of(frame);
    return beam;
  }
  void read_at(std::int64_t frame, models::Image& into, std::vector<FileRange>& ranges) override {
    file_of(frame).read_at(image(frame).source.frame, into, ranges);
  }
  std::string content_id() const override { return source(0).content_id; }
  ImageDescription describe() const override {
    return {{},
            pack_json({{"kind", "experiments"},
                       {"path", path_},
                       {"text", text_},
                       {"maps", search_.maps},
                       {"folders", search_.folders}})};
  }
  models::ImageSource source(std::int64_t frame) const override {
    models::ImageSource source = image(frame).source;
    ImageReader& file = file_of(frame);
    if (source.content_id.empty()) return file.source(source.frame);
    source.path = found_.at(source.path);
    return source;
  }

private:
  const models::Experiment& image(std::int64_t frame) const {
    core::require(frame >= 0 && frame < frame_count(), "{} has no image {} (it has {})", path_,
                  frame, frame_count());
    return images_[static_cast<std::size_t>(frame)];
  }

  models::Spectrum spectrum_of(std::int64_t frame) const {
    try {
      return file_of(frame).beam(image(frame).source.frame).spectrum;
    } catch (const core::Error&) {
      return {}; // the image needs no beam of its own
    }
  }

  /// The reader of the file that a frame lies in; the last ones stay open.
  ImageReader& file_of(std::int64_t frame) const {
    const models::ImageSource& source = image(frame).source;
    const auto key = std::make_pair(source.path, source.dataset);
    const auto known = open_.find(key);
    if (known != open_.end()) return *known->second;
    constexpr std::size_t most_open = 16;
    if (open_.size() >= most_open) open_.clear();
    ImagePointer pointer = pointers_.at(source.path);
    pointer.content_id = source.content_id;
    std::string& found = found_[source.path];
    auto reader = open_image(pointer, search_, source.dataset, &found);
    return *open_.emplace(key, replace_geometry(std::move(reader), geometry_)).first->second;
  }

  std::string path_, text_; ///< of the .expt
  ImageSearch search_;
  std::vector<models::Experiment> images_;
  std::map<std::string, ImagePointer> pointers_;
  ReferenceGeometry geometry_;
  mutable std::map<std::pair<std::string, std::string>, std::unique_ptr<ImageReader>> open_;
  mutable std::map<std::string, std::string> found_; ///< where the file of a likely path was
};

} // namespace

std::unique_ptr<ImageReader> open_experiments(const std::string& path, const ImageSearch& search) {
  return std::make_unique<ExperimentsReader>(core::read_text_file(path), path, search);
}

std::unique_ptr<ImageReader> open_described_experiments(const ImageDescription& description) {
  const Json source = unpack_json(description.source);
  ImageSearch search;
  for (const Json& map : source.at("maps")) search.maps.emplace_back(map.at(0), map.at(1));
  for (const Json& folder : source.at("folders")) search.folders.push_back(folder);
  return std::make_unique<ExperimentsReader>(source.at("text").get<std::string>(),
                                             source.at("path").get<std::string>(), search);
}

std::int64_t count_experiment_images(const std::string& path) {
  return static_cast<std::int64_t>(
      distinct_images(core::read_text_file(path), path, {}).experiments.size());
}

} // namespace kilobragg::io
