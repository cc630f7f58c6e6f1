// Masks and noise that users give (lookup.mask): a value for each pixel, from an HDF5 data set.
#pragma once

#include "kilobragg/models/image.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace kilobragg::io {

/// Reads a mask for images of `layout`. `name` is "file.h5" or "file.h5:/path/of/dataset"; without a
/// path the usual ones are tried (the NXmx pixel_mask, /mask, /data/mask, /data/data, or the only
/// data set). Integers mean what NeXus says, 0 = usable; booleans (as h5py writes them) what DIALS
/// says, true = usable. The shape is that of the frames, stacked or panel by panel: the last
/// extents and the number of pixels must agree. Throws core::Error naming the file on another shape,
/// and for DIALS's pickles, which hold Python objects.
std::shared_ptr<const models::PixelMask> read_lookup_mask(const std::string& name,
                                                          const models::ImageLayout& layout);

/// The same before the images are known, and the check of its shape when they are.
struct LookupMask {
  std::string shown, shape; ///< file and data set, extents: for messages
  std::size_t row = 0;      ///< last extent
  models::PixelMask usable;
};
LookupMask read_lookup_mask(const std::string& name);
void require_fits(const LookupMask& mask, const models::ImageLayout& layout);

/// Root mean square noise of each pixel in counts; "file.h5" holds it as /readout_noise, /pixel_rms,
/// /dark_rms, /rms or its only data set. Pixels whose noise is no number or below zero become unusable in
/// `mask`, which is made where it is empty. Throws core::Error as above, and where both have not one shape.
std::vector<float> read_lookup_noise(const std::string& name, LookupMask& mask);

/// A mask as a few bytes to send, and back. unpack_mask throws core::Error on damage.
std::string pack_mask(const models::PixelMask& mask);
models::PixelMask unpack_mask(const std::string& bytes);

/// Pixels usable in both; either may be null (all usable).
std::shared_ptr<const models::PixelMask>
combine_masks(const std::shared_ptr<const models::PixelMask>& a,
              const std::shared_ptr<const models::PixelMask>& b);

} // namespace kilobragg::io
