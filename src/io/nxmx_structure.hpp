// What the writers of NXmx files share: everything in them but the frames.
#pragma once

#include "hdf5.hpp"

#include "kilobragg/io/nxmx_writer.hpp"

#include <string>
#include <vector>

namespace kilobragg::io::nxmx {

/// Where the frames are.
inline constexpr const char* frames_path = "/entry/data/data";

/// Throws core::Error for a layout without panels or frames, or with panels of different sizes.
void require_layout(const NxmxLayout& layout);
std::size_t pixels_per_frame(const NxmxLayout& layout);
/// Shape of one frame in the data set.
std::vector<hsize_t> frame_shape(const NxmxLayout& layout);
/// All groups with detector and mask. Throws core::Error.
void write_groups(hid_t file, const NxmxLayout& layout);

/// The beams of all frames, kept until they are written.
class BeamTable {
public:
  explicit BeamTable(const NxmxLayout& layout);
  /// Throws core::Error, naming `path`, if the spectrum has another number of channels.
  void note(std::int64_t frame, double wavelength, const models::Spectrum& spectrum,
            const std::string& path);
  /// The single wavelengths, and where there are spectra these as their variant.
  void write(hid_t file) const;

private:
  std::size_t frames_, channel_count_;
  double flux_;
  std::vector<double> wavelengths_, channels_, weights_;
};

} // namespace kilobragg::io::nxmx
