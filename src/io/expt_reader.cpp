// Frames of an .expt: its distinct images in order, each read from the file that it names.
#include "expt_reader.hpp"

#include "description_codec.hpp"
#include "replaced_geometry.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"

#include <exception>
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
      , pointers_(std::move(experiments.pointers)) {
    for (const models::Experiment& image : images_)
      core::require(image.detector != nullptr, "{} holds images without a detector", path);
  }

  std::int64_t frame_count() const override { return static_cast<std::int64_t>(images_.size()); }
  std::shared_ptr<const models::Detector> detector() const override { return images_[0].detector; }
  std::shared_ptr<const models::Detector> detector_of(std::int64_t frame) const override {
    return image(frame).detector;
  }
  std::shared_ptr<const models::ImageLayout> layout() const override {
    std::exception_ptr first;
    std::set<FileName> tried;
    for (std::int64_t frame = 0; frame < frame_count(); ++frame) {
      if (!tried.insert(file_name(frame)).second) continue;
      try {
        return layout_of(frame);
      } catch (const core::Error&) {
        if (!first) first = std::current_exception();
      }
    }
    std::rethrow_exception(first);
  }
  models::Beam beam(std::int64_t frame) const override {
    models::Beam beam = image(frame).beam;
    // An .expt holds no spectrum; the image may.
    if (beam.spectrum.empty()) beam.spectrum = spectrum_of(frame);
    return beam;
  }
  void read_at(std::int64_t frame, models::Image& into, std::vector<FileRange>& ranges) override {
    const auto layout = layout_of(frame);
    file_of(frame).reader->read_at(image(frame).source.frame, into, ranges);
    into.layout = layout;
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
    const ImageReader& file = *file_of(frame).reader;
    if (source.content_id.empty()) return file.source(source.frame);
    source.path = found_.at(source.path);
    return source;
  }

private:
  using FileName = std::pair<std::string, std::string>; ///< path and data set
  struct File {
    std::unique_ptr<ImageReader> reader;
    /// Where the panels of each detector lie that images of the file have.
    std::map<const models::Detector*, std::shared_ptr<const models::ImageLayout>> layouts;
  };

  const models::Experiment& image(std::int64_t frame) const {
    core::require(frame >= 0 && frame < frame_count(), "{} has no image {} (it has {})", path_,
                  frame, frame_count());
    return images_[static_cast<std::size_t>(frame)];
  }

  models::Spectrum spectrum_of(std::int64_t frame) const {
    try {
      return file_of(frame).reader->beam(image(frame).source.frame).spectrum;
    } catch (const core::Error&) {
      return {}; // the image needs no beam of its own
    }
  }

  FileName file_name(std::int64_t frame) const {
    const models::ImageSource& source = image(frame).source;
    return {source.path, source.dataset};
  }

  std::shared_ptr<const models::ImageLayout> layout_of(std::int64_t frame) const {
    File& file = file_of(frame);
    const auto& detector = image(frame).detector;
    auto& layout = file.layouts[detector.get()];
    if (!layout) layout = layout_with(*file.reader, {detector, path_});
    return layout;
  }

  /// The file that a frame lies in; the last ones stay open.
  File& file_of(std::int64_t frame) const {
    const models::ImageSource& source = image(frame).source;
    const FileName name = file_name(frame);
    const auto known = open_.find(name);
    if (known != open_.end()) return known->second;
    constexpr std::size_t most_open = 16;
    if (open_.size() >= most_open) open_.clear();
    ImagePointer pointer = pointers_.at(source.path);
    pointer.content_id = source.content_id;
    std::string& found = found_[source.path];
    auto reader = open_image(pointer, search_, source.dataset, &found);
    return open_.emplace(name, File{std::move(reader), {}}).first->second;
  }

  std::string path_, text_; ///< of the .expt
  ImageSearch search_;
  std::vector<models::Experiment> images_;
  std::map<std::string, ImagePointer> pointers_;
  mutable std::map<FileName, File> open_;
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
