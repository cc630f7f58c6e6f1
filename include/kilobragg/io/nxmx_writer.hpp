// Writes images as an NXmx file that our reader, DIALS and CrystFEL open: for simulations and tests.
#pragma once

#include "kilobragg/models/beam.hpp"
#include "kilobragg/models/detector.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace kilobragg::io {

/// What an NXmx file holds besides its frames.
struct NxmxLayout {
  models::Detector detector; ///< all panels of the same image_size
  std::int64_t frames = 0;   ///< frames not written read as zeros
  enum class Pixel { i32, u16 } pixel = Pixel::i32;
  std::size_t spectrum_channels = 0; ///< 0 = one wavelength per frame; else channels of a spectrum
  double flux = 0;                   ///< photons per shot, 0 = not written
  std::vector<std::uint8_t> mask;    ///< 1 = usable, frame layout below; empty = none written
  /// Panels below each other in one tall image, as readers need that know no third axis of data
  /// (DIALS before 3.15). The pixels of a frame are the same.
  bool stacked = false;
  std::string sample = "sample", instrument = "SIM", source = "KiloBragg";
  std::string start_time = "2026-01-01T00:00:00Z";
};

/// Pixels of one frame: panels x slow x fast with several panels (each a module with three-element
/// origin and size), slow x fast with one. One bitshuffle-LZ4 chunk per frame.
class NxmxWriter {
public:
  /// Creates (or replaces) `path`. Throws core::Error.
  NxmxWriter(const std::string& path, NxmxLayout layout);
  /// Closes the file; errors at this point are lost, so call close() where they matter.
  ~NxmxWriter();
  NxmxWriter(NxmxWriter&&) noexcept;
  NxmxWriter& operator=(NxmxWriter&&) = delete;

  /// Number of pixels of a frame: the sum over the panels.
  std::size_t frame_size() const;
  /// Writes one frame, in any order; the pixel type must be that of the layout. With a spectrum,
  /// `spectrum.wavelengths` and weights have spectrum_channels elements and `wavelength` is the
  /// weighted mean. Throws core::Error (disk full, wrong size, frame out of range).
  void write_frame(std::int64_t frame, std::span<const std::int32_t> pixels, double wavelength,
                   const models::Spectrum& spectrum = {});
  void write_frame(std::int64_t frame, std::span<const std::uint16_t> pixels, double wavelength,
                   const models::Spectrum& spectrum = {});
  /// Writes what is left and closes. Throws core::Error. Further calls do nothing.
  void close();

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace kilobragg::io
