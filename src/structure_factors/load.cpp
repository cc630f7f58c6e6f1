// Amplitudes from whichever kind of file a user gives.
#include "kilobragg/structure_factors/load.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/io/reference_amplitudes.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>

namespace kilobragg::structure_factors {
namespace {

bool has_ending(const std::string& path, std::string_view ending) {
  return path.size() >= ending.size() &&
         std::equal(ending.begin(), ending.end(), path.end() - std::ptrdiff_t(ending.size()),
                    [](char a, unsigned char b) { return a == std::tolower(b); });
}

bool is_mtz(const std::string& path) { return has_ending(path, ".mtz"); }

bool is_cif(const std::string& path) {
  for (const char* ending : {".cif", ".mmcif", ".cif.gz", ".mmcif.gz"})
    if (has_ending(path, ending)) return true;
  return false;
}

/// Energy of the layer of a reflection file: what the user says, else the file.
double energy_of(const io::ReferenceAmplitudes& file, const LoadParams& params) {
  if (!params.energies.empty()) return params.energies.front();
  return file.wavelength > 0 ? core::ev_angstrom / file.wavelength : 0;
}

SpectralAmplitudes from_reflections(const std::string& path, const LoadParams& params) {
  core::require(params.energies.size() <= 1,
                "amplitudes of {} cannot be had at {} photon energies (a file of reflections is of "
                "one) give coordinates, or one energy?",
                path, params.energies.size());
  core::require(params.dispersion.tables.empty(),
                "f' and f'' change nothing in amplitudes of {} (a file of reflections) leave the "
                "table out?",
                path);
  io::ReferenceAmplitudes file = is_mtz(path) ? io::read_amplitudes_mtz(path, params.column)
                                              : io::read_amplitudes_cif(path, params.column);
  core::require(file.apart || !params.anomalous,
                "{} does not tell Bijvoet mates apart ({} was read) choose columns F(+) and F(-), "
                "or leave anomalous out?",
                path, file.column);
  for (std::size_t i = 0; i < file.hkl.size(); ++i) {
    if (std::isnan(file.plus[i])) file.plus[i] = file.minus[i];
    if (std::isnan(file.minus[i])) file.minus[i] = file.plus[i];
  }
  SpectralAmplitudes result{file.cell, file.space_group, std::move(file.hkl), {}};
  result.layers.push_back({energy_of(file, params), std::move(file.plus), std::move(file.minus)});
  if (!params.anomalous) {
    result.layers.front().plus = result.merged().f;
    result.layers.front().minus.clear();
  }
  return result;
}

} // namespace

bool holds_reflections(const std::string& path) {
  return is_mtz(path) || (is_cif(path) && io::cif_holds_reflections(path));
}

SpectralAmplitudes load_amplitudes(const std::string& path, const LoadParams& params) {
  if (is_mtz(path) && !params.anomalous) return with_friedel(from_mtz(path, params.column));
  if (holds_reflections(path)) return from_reflections(path, params);
  if (!params.anomalous) return with_friedel(from_coordinates(path, params.coordinates));
  return amplitudes_at(parts_from_coordinates(path, params.coordinates, params.elements),
                       params.energies, params.dispersion);
}

} // namespace kilobragg::structure_factors
