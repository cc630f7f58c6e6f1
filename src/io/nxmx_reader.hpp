// Reads NXmx files and DECTRIS masters.
#pragma once

#include "kilobragg/io/image_reader.hpp"

#include <memory>
#include <string>
#include <vector>

namespace kilobragg::io {

std::unique_ptr<ImageReader> open_nxmx(const std::string& path, const std::string& dataset);

/// A description of kind "nxmx".
std::unique_ptr<ImageReader> open_described_nxmx(const ImageDescription& description);

/// What the event index needs, without geometry: the number of frames, the data set and links that
/// lead nowhere. Throws core::Error.
struct NxmxFrames {
  std::string dataset;
  std::int64_t frames = 0;
  std::vector<std::string> missing;
};
NxmxFrames count_nxmx_frames(const std::string& path, const std::string& dataset);

} // namespace kilobragg::io
