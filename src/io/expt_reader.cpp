// Frames of an .expt: its distinct images in order, each read from the file that it names.
#include "expt_reader.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/experiments.hpp"
#include "kilobragg/io/reference_geometry.hpp"

#include <filesystem>
#include <map>
#include <set>
#include <tuple>

namespace kilobragg::io {
namespace {

/// Experiments of distinct images: several lattices of one image are one frame.
std::vector<models::Experiment> distinct_images(const std::string& path) {
  std::vector<models::Experiment> images;
  std::set<std::tuple<std::string, std::string, std::int64_t>> seen;
  for (models::Experiment& experiment : read_experiments(path)) {
    const models::ImageSource& source = experiment.source;
    if (source.path.empty()) continue;
    if (seen.emplace(source.path, source.dataset, source.frame).second)
      images.push_back(std::move(experiment));
  }
  core::require(!images.empty(), "{} points at no images (its experiments have no image sets)",
                path);
  return images;
}

class ExperimentsReader final : public ImageReader {
public:
  explicit ExperimentsReader(const std::string& path)
      : path_(path)
      , images_(distinct_images(path))
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
  ImageDescription describe() const override { return describe_single_image(path_); }
  models::ImageSource source(std::int64_t frame) const override {
    models::ImageSource source = image(frame).source;
    if (source.content_id.empty()) source = file_of(frame).source(source.frame);
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
    core::require(std::filesystem::exists(source.path),
                  "{} points at {}, which is not there (nor beside the .expt) was it moved?", path_,
                  source.path);
    auto reader = replace_geometry(open_images(source.path, source.dataset), geometry_);
    return *open_.emplace(key, std::move(reader)).first->second;
  }

  std::string path_;
  std::vector<models::Experiment> images_;
  ReferenceGeometry geometry_;
  mutable std::map<std::pair<std::string, std::string>, std::unique_ptr<ImageReader>> open_;
};

} // namespace

std::unique_ptr<ImageReader> open_experiments(const std::string& path) {
  return std::make_unique<ExperimentsReader>(path);
}

std::int64_t count_experiment_images(const std::string& path) {
  return static_cast<std::int64_t>(distinct_images(path).size());
}

} // namespace kilobragg::io
