// Geometry from an .expt in place of the one in the images' headers (input.reference_geometry).
#pragma once

#include "kilobragg/io/image_reader.hpp"

#include <memory>
#include <string>

namespace kilobragg::io {

/// A detector and the file that it came from, for messages.
struct ReferenceGeometry {
  std::shared_ptr<const models::Detector> detector;
  std::string path;
};

/// Reads the detector of an .expt. Throws core::Error if there is none, or several that differ.
ReferenceGeometry read_reference_geometry(const std::string& path);

/// The detector of the images with the frames (positions and directions) and hierarchy of the
/// reference; trusted ranges, gains and sensors stay those of the images, as in
/// dials.stills_process. Throws core::Error naming both files if the number of panels, their sizes
/// in pixels or their pixel sizes differ.
std::shared_ptr<const models::Detector> apply_reference_geometry(const models::Detector& images,
                                                                 const ReferenceGeometry& reference,
                                                                 const std::string& image_path);

/// A reader that gives the reference geometry instead of its own; where the file itself has none, all
/// of the reference's detector. Panels of the reference that share one image are found by their
/// raw_image_offset. Throws core::Error as apply_reference_geometry does.
std::unique_ptr<ImageReader> replace_geometry(std::unique_ptr<ImageReader> reader,
                                              const ReferenceGeometry& reference);

} // namespace kilobragg::io
