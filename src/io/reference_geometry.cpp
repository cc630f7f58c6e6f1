// Puts the geometry of an .expt in place of that of image files.
#include "kilobragg/io/reference_geometry.hpp"

#include "description_codec.hpp"
#include "replaced_geometry.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/experiments.hpp"

#include <cmath>

namespace kilobragg::io {
namespace {

bool same_frame(const models::Frame& a, const models::Frame& b) {
  return a.origin == b.origin && a.fast == b.fast && a.slow == b.slow;
}

bool same_geometry(const models::Detector& a, const models::Detector& b) {
  if (a.panels.size() != b.panels.size()) return false;
  for (std::size_t i = 0; i < a.panels.size(); ++i)
    if (!same_frame(a.panels[i].frame, b.panels[i].frame)) return false;
  return true;
}

/// Pixel sizes in float32 headers and in .expt text differ in the eighth digit.
bool same_pixel_size(const models::Panel& a, const models::Panel& b) {
  return std::abs(a.pixel_size[0] - b.pixel_size[0]) < 1e-5 * a.pixel_size[0] &&
         std::abs(a.pixel_size[1] - b.pixel_size[1]) < 1e-5 * a.pixel_size[1];
}

/// Windows of the reference's panels in a file without geometry of its own.
std::shared_ptr<const models::ImageLayout> fit_layout(const models::ImageLayout& file,
                                                      const ReferenceGeometry& reference,
                                                      const std::string& path) {
  const auto& panels = reference.detector->panels;
  auto layout = std::make_shared<models::ImageLayout>(file);
  if (file.panels.size() == 1 && panels.size() > 1) {
    const models::PanelWindow whole = file.panels[0];
    layout->panels.clear();
    for (const models::Panel& panel : panels) {
      const int x = panel.raw_image_offset[0], y = panel.raw_image_offset[1];
      if (x < 0 || y < 0 || x + panel.image_size[0] > whole.width ||
          y + panel.image_size[1] > whole.height)
        core::fail(
            "panel {} of {} does not lie within the images of {} ({} x {} pixels at {}, {} in "
            "images of {} x {}) is it the geometry of another detector?",
            panel.name, reference.path, path, panel.image_size[0], panel.image_size[1], x, y,
            whole.width, whole.height);
      layout->panels.push_back(
          {whole.offset + static_cast<std::size_t>(y) * whole.stride + static_cast<std::size_t>(x),
           whole.stride, panel.image_size[0], panel.image_size[1]});
    }
  }
  core::require(
      layout->panels.size() == panels.size(),
      "{} has {} panels, the images of {} have {} is it the geometry of another detector?",
      reference.path, panels.size(), path, layout->panels.size());
  for (std::size_t i = 0; i < panels.size(); ++i)
    core::require(panels[i].image_size[0] == layout->panels[i].width &&
                      panels[i].image_size[1] == layout->panels[i].height,
                  "panel {} of {} has {} x {} pixels, that in {} has {} x {} is it the geometry of "
                  "another detector?",
                  i, reference.path, panels[i].image_size[0], panels[i].image_size[1], path,
                  layout->panels[i].width, layout->panels[i].height);
  return layout;
}

/// For messages. The first image of an .expt may be missing.
std::string shown_path(const ImageReader& reader) {
  try {
    return reader.source(0).path;
  } catch (const core::Error&) {
    return "a list";
  }
}

/// Null where the file has no geometry.
std::shared_ptr<const models::Detector> own_detector(const ImageReader& reader) {
  try {
    return reader.detector();
  } catch (const core::Error&) {
    return nullptr;
  }
}

class ReplacedReader final : public ImageReader {
public:
  ReplacedReader(std::unique_ptr<ImageReader> reader,
                 std::shared_ptr<const models::Detector> detector,
                 std::shared_ptr<const models::ImageLayout> layout)
      : reader_(std::move(reader))
      , detector_(std::move(detector))
      , layout_(std::move(layout)) {}
  std::int64_t frame_count() const override { return reader_->frame_count(); }
  std::shared_ptr<const models::Detector> detector() const override { return detector_; }
  std::shared_ptr<const models::ImageLayout> layout() const override { return layout_; }
  models::Beam beam(std::int64_t frame) const override { return reader_->beam(frame); }
  void read_at(std::int64_t frame, models::Image& image, std::vector<FileRange>& ranges) override {
    reader_->read_at(frame, image, ranges);
    core::require(image.layout->size == layout_->size,
                  "image {} of {} has {} pixels, the geometry to use has {} is it the image of "
                  "another detector?",
                  frame, shown_path(*reader_), image.layout->size, layout_->size);
    image.layout = layout_;
  }
  std::string content_id() const override { return reader_->content_id(); }
  models::ImageSource source(std::int64_t frame) const override { return reader_->source(frame); }
  Shot shot(std::int64_t frame) const override { return reader_->shot(frame); }
  ImageDescription describe() const override {
    ImageDescription described = reader_->describe();
    const bool shared = !described.geometry.empty();
    DescribedGeometry geometry;
    if (shared) geometry = unpack_geometry(described.geometry);
    geometry.detector.value = detector_;
    geometry.layout = layout_;
    if (shared) return pack_description(std::move(geometry), unpack_json(described.source));
    described.geometry = pack_geometry(geometry);
    return described;
  }

private:
  std::unique_ptr<ImageReader> reader_;
  std::shared_ptr<const models::Detector> detector_;
  std::shared_ptr<const models::ImageLayout> layout_;
};

} // namespace

ReferenceGeometry read_reference_geometry(const std::string& path) {
  ReferenceGeometry reference{nullptr, path};
  for (const models::Experiment& experiment : read_experiments(path)) {
    if (!experiment.detector) continue;
    if (!reference.detector) reference.detector = experiment.detector;
    core::require(experiment.detector == reference.detector ||
                      same_geometry(*experiment.detector, *reference.detector),
                  "{} holds several detectors that differ (input.reference_geometry wants one)",
                  path);
  }
  core::require(reference.detector != nullptr,
                "{} holds no detector (input.reference_geometry wants an .expt with one)", path);
  return reference;
}

std::shared_ptr<const models::Detector> apply_reference_geometry(const models::Detector& images,
                                                                 const ReferenceGeometry& reference,
                                                                 const std::string& image_path) {
  const auto& panels = reference.detector->panels;
  core::require(
      panels.size() == images.panels.size(),
      "{} has {} panels, the images of {} have {} is it the geometry of another detector?",
      reference.path, panels.size(), image_path, images.panels.size());
  auto detector = std::make_shared<models::Detector>(images);
  for (std::size_t i = 0; i < panels.size(); ++i) {
    models::Panel& panel = detector->panels[i];
    core::require(
        panel.image_size == panels[i].image_size && same_pixel_size(panel, panels[i]),
        "panel {} of {} has {} x {} pixels of {} mm, that in {} has {} x {} of {} mm is it "
        "the geometry of another detector?",
        i, reference.path, panels[i].image_size[0], panels[i].image_size[1],
        panels[i].pixel_size[0], image_path, panel.image_size[0], panel.image_size[1],
        panel.pixel_size[0]);
    panel.frame = panels[i].frame;
  }
  detector->root = reference.detector->root;
  return detector;
}

std::unique_ptr<ImageReader> with_geometry(std::unique_ptr<ImageReader> reader,
                                           std::shared_ptr<const models::Detector> detector,
                                           std::shared_ptr<const models::ImageLayout> layout) {
  return std::make_unique<ReplacedReader>(std::move(reader), std::move(detector),
                                          std::move(layout));
}

std::shared_ptr<const models::ImageLayout> layout_with(const ImageReader& reader,
                                                       const ReferenceGeometry& reference) {
  const std::string path = shown_path(reader);
  const auto own = own_detector(reader);
  if (!own) return fit_layout(*reader.layout(), reference, path);
  apply_reference_geometry(*own, reference, path);
  return reader.layout();
}

std::unique_ptr<ImageReader> replace_geometry(std::unique_ptr<ImageReader> reader,
                                              const ReferenceGeometry& reference) {
  // Where the file has no geometry the reference stands for all of it.
  const auto own = own_detector(*reader);
  auto detector =
      own ? apply_reference_geometry(*own, reference, shown_path(*reader)) : reference.detector;
  auto layout = layout_with(*reader, reference);
  return with_geometry(std::move(reader), std::move(detector), std::move(layout));
}

} // namespace kilobragg::io
