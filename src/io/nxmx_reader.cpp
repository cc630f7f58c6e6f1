// The image reader of NXmx files: geometry once, frames on demand.
#include "nxmx_reader.hpp"

#include "description_codec.hpp"
#include "nxmx_files.hpp"

#include "kilobragg/core/hash.hpp"

#include <cmath>
#include <filesystem>

namespace kilobragg::io {
namespace {

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
      : file_(path)
      , found_(find_frame_datasets(file_.get(), path, dataset))
      , frames_(file_, found_.datasets)
      , beam_(attempt([&] { return NxmxBeam(file_, found_.entry, frames_.frames()); })) {
    DetectorContext with_wavelength = context();
    if (beam_.value) with_wavelength.wavelength = beam_.value->first_wavelength();
    const auto read = attempt([&] { return read_nxmx_detector(with_wavelength); });
    geometry_.detector.why = read.why;
    geometry_.layout = std::make_shared<const models::ImageLayout>(
        read.value ? read.value->layout : plain_layout(frames_.shape()));
    const std::string group =
        read.value ? read.value->group : found_.entry + "/instrument/detector";
    if (read.value)
      geometry_.detector.value = std::make_shared<const models::Detector>(read.value->detector);
    geometry_.masks = read_nxmx_masks(context(), group);
  }

  NxmxReader(const Json& source, DescribedGeometry geometry)
      : file_(source.at("path").get<std::string>())
      , found_{source.at("entry"), source.at("name"), {}, {}}
      , frames_(file_, frame_map_from_json(source.at("frames")))
      , geometry_(std::move(geometry))
      , content_id_(source.at("content_id").get<std::string>()) {
    if (source.contains("beam"))
      beam_.value.emplace(file_, beam_facts_from_json(source.at("beam")));
    else
      beam_.why = source.at("no_beam");
  }

  std::int64_t frame_count() const override { return frames_.frames(); }
  std::shared_ptr<const models::Detector> detector() const override {
    return geometry_.detector.get();
  }
  std::shared_ptr<const models::ImageLayout> layout() const override { return geometry_.layout; }
  models::Beam beam(std::int64_t frame) const override { return beam_.get().beam(frame); }

  Shot shot(std::int64_t frame) const override {
    Shot shot;
    if (!beam_.value) return shot;
    const NxmxBeamFacts& facts = beam_.value->facts();
    const auto i = static_cast<std::size_t>(frame);
    if (facts.wavelengths.size() > 1) {
      const double wavelength = facts.wavelengths.at(i);
      // NaN would be taken for "as described".
      shot.wavelength = std::isnan(wavelength) ? 0 : wavelength;
    }
    if (facts.flux.size() > 1 && i < facts.flux.size()) shot.flux = facts.flux[i];
    return shot;
  }

  void read_at(std::int64_t frame, models::Image& image, std::vector<FileRange>& ranges) override {
    frames_.read(frame, image.pixels, ranges);
    image.layout = geometry_.layout;
    const NxmxMasks& masks = geometry_.masks;
    image.mask = masks.per_frame.empty() ? masks.common : frame_mask(context(), masks, frame);
  }

  std::string content_id() const override {
    if (content_id_.empty()) content_id_ = make_content_id();
    return content_id_;
  }

  models::ImageSource source(std::int64_t frame) const override {
    return {std::filesystem::absolute(file_.path()).lexically_normal().string(), found_.name, frame,
            content_id()};
  }

  ImageDescription describe() const override {
    Json source = {{"kind", "nxmx"},
                   {"path", file_.path()},
                   {"entry", found_.entry},
                   {"name", found_.name},
                   {"frames", to_json(frames_.map())},
                   {"content_id", content_id()}};
    if (beam_.value)
      source["beam"] = to_json(beam_.value->facts());
    else
      source["no_beam"] = beam_.why;
    return pack_description(geometry_, std::move(source));
  }

private:
  DetectorContext context() const { return {file_.get(), file_.path(), found_.entry, &frames_, 0}; }

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

  mutable hdf5::LazyFile file_;
  FrameDatasets found_;
  mutable FrameStore frames_; ///< opens files as frames ask for them
  Attempt<NxmxBeam> beam_;
  DescribedGeometry geometry_;
  mutable std::string content_id_;
};

} // namespace

std::unique_ptr<ImageReader> open_nxmx(const std::string& path, const std::string& dataset) {
  return std::make_unique<NxmxReader>(path, dataset);
}

std::unique_ptr<ImageReader> open_described_nxmx(const ImageDescription& description) {
  const Json source = unpack_json(description.source);
  return std::make_unique<NxmxReader>(source, unpack_geometry(description.geometry, source));
}

NxmxFrames count_nxmx_frames(const std::string& path, const std::string& dataset) {
  hdf5::LazyFile file(path);
  const FrameDatasets found = find_frame_datasets(file.get(), path, dataset);
  const FrameStore frames(file, found.datasets);
  return {found.name, frames.frames(), found.missing};
}

} // namespace kilobragg::io
