// Writes a master file over the NXmx files of a run, as if all frames were in one file.
#pragma once

#include "kilobragg/io/nxmx_writer.hpp"

#include <functional>
#include <string>
#include <vector>

namespace kilobragg::io {

/// One file of a run: all its frames, in order.
struct NxmxPart {
  std::string file; ///< as the master names it: relative to the master's folder
  std::int64_t frames = 0;
};

/// Creates (or replaces) `path` with geometry, mask, wavelengths and spectra of all frames and a
/// virtual data set over the frames of `parts`, which NxmxWriter wrote with the same layout.frames
/// aside. A file that is missing reads as pixels below every trusted range. `beam` gives the beam of
/// each frame of the master. Throws core::Error.
void write_nxmx_master(const std::string& path, const NxmxLayout& layout,
                       const std::vector<NxmxPart>& parts,
                       const std::function<models::Beam(std::int64_t)>& beam);

} // namespace kilobragg::io
