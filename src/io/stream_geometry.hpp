// The geometry part of a CrystFEL stream, and the frame in which CrystFEL sees the laboratory.
#pragma once

#include "kilobragg/models/beam.hpp"
#include "kilobragg/models/detector.hpp"

#include <string>

namespace kilobragg::io {

/// Rotation from our laboratory to CrystFEL's: z along the beam, y as far up as z allows, x to complete
/// a right-handed frame. For a beam along -z (NXmx, DIALS) it is diag(-1, 1, -1).
Mat3 crystfel_rotation(const Vec3& beam_direction);

/// Name of a panel in a stream: letters of panel names are free in .expt files but not there.
std::string stream_panel_name(int panel);

/// The text between the markers of a stream's geometry. `dataset` is the HDF5 path of the images, empty
/// for other formats. CrystFEL knows no parallax: panels are flat sheets of pixels.
std::string stream_geometry(const models::Detector& detector, const models::Beam& beam,
                            const std::string& dataset);

} // namespace kilobragg::io
