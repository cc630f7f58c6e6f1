// What one process finds out about a file of images so that others can read its frames at once.
#pragma once

#include <limits>
#include <string>

namespace kilobragg::io {

/// Metadata of one source as bytes to send. With it a reader opens no file but those that hold pixels
/// (and those with a spectrum or a mask of their own for every frame).
struct ImageDescription {
  std::string geometry; ///< detector, layout and mask: the same bytes for sources that share them
  std::string source;   ///< what the source has of its own
};

/// What differs from frame to frame and is known without reading it; NaN = as the description says.
struct Shot {
  double wavelength = std::numeric_limits<double>::quiet_NaN(); ///< angstrom
  double flux = std::numeric_limits<double>::quiet_NaN();
};

} // namespace kilobragg::io
