// Pixel masks of NXmx files: one or several for all frames, or one per frame.
#include "nxmx_detector.hpp"

#include <algorithm>
#include <cctype>

namespace kilobragg::io {
namespace {

using hdf5::Handle;

/// Turns "0 = usable" around and puts it into `mask`.
void merge(const std::vector<std::uint32_t>& bits, models::PixelMask& mask) {
  if (mask.empty()) mask.assign(bits.size(), 1);
  for (std::size_t i = 0; i < bits.size(); ++i)
    if (bits[i] != 0) mask[i] = 0;
}

std::vector<std::uint32_t> read_bits(const DetectorContext& c, const std::string& path,
                                     std::int64_t frame) {
  const Handle data(H5Dopen2(c.file, path.c_str(), H5P_DEFAULT));
  std::vector<std::uint32_t> bits(pixels_in(c.frames->shape()));
  const Handle space(H5Dget_space(data.get()));
  std::vector<hsize_t> count = hdf5::dimensions(data.get()), start(count.size(), 0);
  if (frame >= 0) {
    start[0] = static_cast<hsize_t>(frame), count[0] = 1;
    H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
  }
  const Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr));
  if (H5Dread(data.get(), H5T_NATIVE_UINT32, memory.get(), space.get(), H5P_DEFAULT, bits.data()) <
      0)
    core::fail("cannot read the mask {}:{} ({})", c.path, path, hdf5::last_error());
  return bits;
}

/// Does `shape` hold one mask per frame?
bool per_frame_shape(const DetectorContext& c, const std::vector<hsize_t>& shape) {
  return static_cast<int>(shape.size()) == c.frames->frame_rank() + 1 && shape[0] > 1 &&
         static_cast<std::int64_t>(shape[0]) == c.frames->frames();
}

void add_mask(const DetectorContext& c, const std::string& path, models::PixelMask& common,
              std::string& per_frame) {
  const Handle data(H5Dopen2(c.file, path.c_str(), H5P_DEFAULT));
  const std::vector<hsize_t> shape = hdf5::dimensions(data.get());
  std::size_t pixels = 1;
  for (const hsize_t n : shape) pixels *= n;
  const FrameShape& frame = c.frames->shape();
  const bool rows_agree = shape.size() >= 2 && shape.back() == frame[2];
  if (rows_agree && pixels == pixels_in(frame)) {
    merge(read_bits(c, path, -1), common);
  } else if (rows_agree && per_frame_shape(c, shape) &&
             pixels == pixels_in(frame) * static_cast<std::size_t>(c.frames->frames())) {
    per_frame = path;
  } else {
    core::fail("the mask {}:{} has the wrong shape ({}, frames have {} x {} x {}) is it that of "
               "another detector?",
               c.path, path, hdf5::shape_text(shape), frame[0], frame[1], frame[2]);
  }
}

bool is_mask_name(const std::string& name) {
  const std::string base = "pixel_mask";
  if (name == base) return true;
  return name.rfind(base + "_", 0) == 0 && name.size() > base.size() + 1 &&
         std::all_of(name.begin() + static_cast<std::ptrdiff_t>(base.size()) + 1, name.end(),
                     [](unsigned char ch) { return std::isdigit(ch) != 0; });
}

} // namespace

NxmxMasks read_nxmx_masks(const DetectorContext& context, const std::string& group) {
  models::PixelMask common;
  NxmxMasks masks;
  bool any = false;
  for (const std::string& where : {group, group + "/detectorSpecific"}) {
    if (any) break;
    for (const std::string& name : hdf5::children(context.file, where)) {
      if (!is_mask_name(name) || !hdf5::is_dataset(context.file, where + "/" + name)) continue;
      add_mask(context, where + "/" + name, common, masks.per_frame);
      any = true;
    }
  }
  if (!common.empty()) masks.common = std::make_shared<const models::PixelMask>(std::move(common));
  return masks;
}

std::shared_ptr<const models::PixelMask> frame_mask(const DetectorContext& context,
                                                    const NxmxMasks& masks, std::int64_t frame) {
  if (masks.per_frame.empty()) return masks.common;
  models::PixelMask mask = masks.common ? *masks.common : models::PixelMask();
  merge(read_bits(context, masks.per_frame, frame), mask);
  return std::make_shared<const models::PixelMask>(std::move(mask));
}

} // namespace kilobragg::io
