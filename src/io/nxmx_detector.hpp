// The detector of an NXmx or DECTRIS master file: panels, hierarchy, layout in the frame and mask.
#pragma once

#include "frame_store.hpp"

#include "kilobragg/models/detector.hpp"

#include <memory>
#include <optional>

namespace kilobragg::io {

/// What is known before the geometry is read.
struct DetectorContext {
  hid_t file = -1;
  std::string path;  ///< file name for messages
  std::string entry; ///< "/entry"
  const FrameStore* frames = nullptr;
  /// Of the first frame that has one (angstrom), for the attenuation in the sensor; 0 = unknown.
  double wavelength = 0;
};

struct NxmxDetector {
  models::Detector detector;
  models::ImageLayout layout;
  std::string group; ///< the NXdetector read
};

/// Throws core::Error naming what is missing.
NxmxDetector read_nxmx_detector(const DetectorContext& context);

/// Masks of the file: static ones (pixel_mask, pixel_mask_1, ...; 0 = usable) put together, and a
/// data set with one mask per frame where there is such.
struct NxmxMasks {
  std::shared_ptr<const models::PixelMask> common; ///< null = none
  std::string per_frame;                           ///< data set, empty = none
};
NxmxMasks read_nxmx_masks(const DetectorContext& context, const std::string& group);
/// `common` and the mask of one frame.
std::shared_ptr<const models::PixelMask> frame_mask(const DetectorContext& context,
                                                    const NxmxMasks& masks, std::int64_t frame);

} // namespace kilobragg::io
