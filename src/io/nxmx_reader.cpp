// The image reader of NXmx files: geometry once, frames on demand.
#include "nxmx_reader.hpp"

#include "attempt.hpp"
#include "nxmx_beam.hpp"
#include "nxmx_detector.hpp"
#include "nxmx_files.hpp"

#include "kilobragg/core/hash.hpp"

#include <filesystem>

namespace kilobragg::io {
namespace {

using hdf5::Handle;

/// Each panel of the data a panel of its own, for files without geometry.
models::ImageLayout plain_layout(const FrameShape& shape) {
  models::ImageLayout layout;
  layout.size = pixels_in(shape);
  for (std::size_t p = 0; p < shape[0]; ++p)
    layout.panels.push_back({p * shape[1] * shape[2], shape[2], static_cast<int>(shape[2]),
                             static_cast<int>(shape[1])});
  return layout;
}

class NxmxReader final : public ImageReader {
public:
  NxmxReader(const std::string& path, const std::string& dataset)
      : path_(path)
      , file_(hdf5::open_file(path))
      , found_(find_frame_datasets(file_.get(), path, dataset))
      , frames_(file_.get(), path, found_.datasets)
      , beam_(
            attempt([&] { return NxmxBeam(file_.get(), path, found_.entry, frames_.frames()); })) {
    const auto read = attempt([&] { return read_nxmx_detector(context()); });
    geometry_.why = read.why;
    layout_ = std::make_shared<const models::ImageLayout>(
        read.value ? read.value->layout : plain_layout(frames_.shape()));
    const std::string group =
        read.value ? read.value->group : found_.entry + "/instrument/detector";
    if (read.value)
      geometry_.value = std::make_shared<const models::Detector>(read.value->detector);
    masks_ = read_nxmx_masks(context(), group);
  }

  std::int64_t frame_count() const override { return frames_.frames(); }
  std::shared_ptr<const models::Detector> detector() const override { return geometry_.get(); }
  std::shared_ptr<const models::ImageLayout> layout() const override { return layout_; }
  models::Beam beam(std::int64_t frame) const override { return beam_.get().beam(frame); }

  void read_at(std::int64_t frame, models::Image& image, std::vector<FileRange>& ranges) override {
    frames_.read(frame, image.pixels, ranges);
    image.layout = layout_;
    image.mask = frame_mask(context(), masks_, frame);
  }

  std::string content_id() const override {
    if (content_id_.empty()) content_id_ = make_content_id();
    return content_id_;
  }

  models::ImageSource source(std::int64_t frame) const override {
    return {std::filesystem::absolute(path_).lexically_normal().string(), found_.name, frame,
            content_id()};
  }

private:
  DetectorContext context() const {
    const double wavelength = beam_.value ? beam_.value->beam(0).wavelength : 0;
    return {file_.get(), path_, found_.entry, &frames_, wavelength};
  }

  std::string make_content_id() const {
    std::vector<std::byte> bytes = frames_.stored_bytes(0);
    const FrameShape& shape = frames_.shape();
    const std::string rest =
        fmt::format("|{}x{}x{}|{}|{}", shape[0], shape[1], shape[2], frames_.type_text(),
                    hdf5::read_text(file_.get(), found_.entry + "/start_time").value_or(""));
    const auto* text = reinterpret_cast<const std::byte*>(rest.data());
    bytes.insert(bytes.end(), text, text + rest.size());
    return core::md5_hex(std::span<const std::byte>(bytes));
  }

  std::string path_;
  Handle file_;
  FrameDatasets found_;
  mutable FrameStore frames_; ///< opens files as frames ask for them
  Attempt<NxmxBeam> beam_;
  Attempt<std::shared_ptr<const models::Detector>> geometry_;
  std::shared_ptr<const models::ImageLayout> layout_;
  NxmxMasks masks_;
  mutable std::string content_id_;
};

} // namespace

std::unique_ptr<ImageReader> open_nxmx(const std::string& path, const std::string& dataset) {
  return std::make_unique<NxmxReader>(path, dataset);
}

NxmxFrames count_nxmx_frames(const std::string& path, const std::string& dataset) {
  const Handle file = hdf5::open_file(path);
  const FrameDatasets found = find_frame_datasets(file.get(), path, dataset);
  const FrameStore frames(file.get(), path, found.datasets);
  return {found.name, frames.frames(), found.missing};
}

} // namespace kilobragg::io
