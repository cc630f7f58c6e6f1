// The image reader of NXmx files: geometry once, frames on demand.
#include "nxmx_reader.hpp"

#include "nxmx_beam.hpp"
#include "nxmx_detector.hpp"
#include "nxmx_files.hpp"

#include "kilobragg/core/hash.hpp"

#include <filesystem>

namespace kilobragg::io {
namespace {

using hdf5::Handle;

class NxmxReader final : public ImageReader {
public:
  NxmxReader(const std::string& path, const std::string& dataset)
      : path_(path)
      , file_(hdf5::open_file(path))
      , found_(find_frame_datasets(file_.get(), path, dataset))
      , frames_(file_.get(), path, found_.datasets)
      , beam_(file_.get(), path, found_.entry, frames_.frames()) {
    const NxmxDetector read = read_nxmx_detector(context());
    detector_ = std::make_shared<const models::Detector>(read.detector);
    layout_ = std::make_shared<const models::ImageLayout>(read.layout);
    masks_ = read_nxmx_masks(context(), read.group);
  }

  std::int64_t frame_count() const override { return frames_.frames(); }
  std::shared_ptr<const models::Detector> detector() const override { return detector_; }
  models::Beam beam(std::int64_t frame) const override { return beam_.beam(frame); }

  void read_into(std::int64_t frame, models::Image& image) override {
    frames_.read(frame, image.pixels);
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
    return {file_.get(), path_, found_.entry, &frames_, beam_.beam(0).wavelength};
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
  NxmxBeam beam_;
  std::shared_ptr<const models::Detector> detector_;
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
