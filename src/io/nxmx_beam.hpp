// The beam of each frame of an NXmx file: wavelength, spectrum, flux.
#pragma once

#include "hdf5.hpp"

#include "kilobragg/models/beam.hpp"

#include <string>
#include <vector>

namespace kilobragg::io {

/// What is read once of the beams of all frames.
struct NxmxBeamFacts {
  std::int64_t frames = 0;
  std::vector<double> wavelengths; ///< angstrom: one, or one per frame; empty = from the spectrum
  std::vector<double> flux;        ///< one, or one per frame; empty = unknown
  std::string spectrum, weights;   ///< data sets, empty without spectrum
  double spectrum_factor = 1;      ///< to angstrom
  models::Spectrum shared;         ///< the spectrum, where all frames have the same
};

/// Wavelengths are read at once; spectra that differ by frame only when asked for.
class NxmxBeam {
public:
  /// `file` must outlive it. Throws core::Error where no wavelength can be had.
  NxmxBeam(hdf5::LazyFile& file, const std::string& entry, std::int64_t frames);
  /// From what was read before.
  NxmxBeam(hdf5::LazyFile& file, NxmxBeamFacts facts);
  /// The wavelength is as the file has it: of a shot without a value it is 0, NaN or infinite.
  models::Beam beam(std::int64_t frame) const;
  /// Of the first frame that has one (angstrom); 0 = no frame has.
  double first_wavelength() const;
  const NxmxBeamFacts& facts() const { return facts_; }

private:
  models::Spectrum spectrum(std::int64_t frame) const;
  /// A row of a data set of spectra: itself if 1-D, that of `frame` if 2-D.
  std::vector<double> row(const std::string& dataset, std::int64_t frame) const;
  void find_group(const std::string& entry);
  void read_wavelengths();
  void find_spectrum();
  void share_spectrum();
  bool read_energies(const std::string& entry);

  hdf5::LazyFile* file_;
  std::string group_;
  NxmxBeamFacts facts_;
};

} // namespace kilobragg::io
