// Finds entry, data group and frame data sets of NXmx and DECTRIS master files.
#pragma once

#include "hdf5.hpp"

#include <string>
#include <vector>

namespace kilobragg::io {

struct FrameDatasets {
  std::string entry;                 ///< "/entry"
  std::string name;                  ///< what open_images takes to find them again
  std::vector<std::string> datasets; ///< absolute paths, in order of the frames
  /// Links at the end of a data_000001 ... series that lead nowhere: files that an aborted run never
  /// wrote, or that were not copied.
  std::vector<std::string> missing;
};

/// `wanted`: a data set, a group of data_000001 ... data sets, or empty for the signal of the default
/// entry. Throws core::Error naming `path`.
FrameDatasets find_frame_datasets(hid_t file, const std::string& path, const std::string& wanted);

} // namespace kilobragg::io
