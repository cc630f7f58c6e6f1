// The beam of each frame of an NXmx file: wavelength, spectrum, flux.
#pragma once

#include "hdf5.hpp"

#include "kilobragg/models/beam.hpp"

#include <string>
#include <vector>

namespace kilobragg::io {

/// Wavelengths are read at once; spectra that differ by frame only when asked for.
class NxmxBeam {
public:
  /// `path` names the file in messages. Throws core::Error where no wavelength can be had.
  NxmxBeam(hid_t file, std::string path, const std::string& entry, std::int64_t frames);
  models::Beam beam(std::int64_t frame) const;

private:
  /// A row of a data set of spectra: itself if 1-D, that of `frame` if 2-D.
  std::vector<double> row(const std::string& dataset, std::int64_t frame) const;
  void find_group(const std::string& entry);
  void read_wavelengths();
  void find_spectrum();
  bool read_energies(const std::string& entry);

  hid_t file_; ///< owned by the reader
  std::string path_, group_;
  std::int64_t frames_ = 0;
  std::vector<double> wavelengths_; ///< angstrom: one, or one per frame; empty = from the spectrum
  std::string spectrum_, weights_;  ///< data sets, empty without spectrum
  double spectrum_factor_ = 1;
  std::vector<double> flux_;
};

} // namespace kilobragg::io
