// Takes a virtual HDF5 data set apart into the boxes that its sources provide.
#pragma once

#include "frame_store.hpp"

#include <optional>

namespace kilobragg::io {

/// One mapping of a virtual data set; source numbers count the distinct files and data sets.
struct VirtualLayout {
  std::vector<SourceName> sources; ///< file as written, "." = the file itself
  std::vector<Piece> pieces;
};

/// None where a mapping is no regular box of frames (unlimited, printf-style names, strides within a
/// frame): HDF5 itself reads those.
std::optional<VirtualLayout> virtual_layout(hid_t dataset);

} // namespace kilobragg::io
