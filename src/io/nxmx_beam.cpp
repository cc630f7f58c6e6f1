// Reads incident_wavelength in all its forms, with energies where wavelengths are missing.
#include "nxmx_beam.hpp"

#include "nexus_units.hpp"

#include "kilobragg/core/units.hpp"

#include <algorithm>
#include <functional>

namespace kilobragg::io {
namespace {

using hdf5::Handle;
using UnitFactor = std::optional<double> (*)(const std::string&);

/// Factor of the units attribute; `fallback` where it is missing.
double unit_of(hid_t file, const std::string& path, const std::string& dataset, UnitFactor factor,
               const char* fallback) {
  const std::string unit = hdf5::text_attribute(file, dataset, "units").value_or(fallback);
  const auto found = factor(unit);
  core::require(found.has_value(), "{}:{} has an unknown unit ({})", path, dataset, unit);
  return *found;
}

/// Weights beside the wavelengths, under the standard's name or the one that dxtbx uses.
std::string weights_of(hid_t file, const std::string& wavelengths) {
  for (const char* ending : {"_weights", "_weight"})
    if (hdf5::is_dataset(file, wavelengths + ending)) return wavelengths + ending;
  return {};
}

} // namespace

NxmxBeam::NxmxBeam(hid_t file, std::string path, const std::string& entry, std::int64_t frames)
    : file_(file)
    , path_(std::move(path))
    , frames_(frames) {
  find_group(entry);
  if (hdf5::is_dataset(file_, group_ + "/incident_wavelength")) {
    find_spectrum();
    read_wavelengths();
  } else if (!read_energies(entry)) {
    core::fail("{} gives no wavelength (neither incident_wavelength nor incident_energy in {}) was "
               "it written as NXmx?",
               path_, group_);
  }
  if (hdf5::is_dataset(file_, group_ + "/total_flux"))
    flux_ = *hdf5::read_numbers(file_, group_ + "/total_flux");
}

void NxmxBeam::find_group(const std::string& entry) {
  group_ = entry + "/instrument/beam";
  for (const std::string& base : {entry + "/instrument", entry + "/sample"}) {
    const auto beams = hdf5::children_of_class(file_, base, "NXbeam");
    if (beams.empty()) continue;
    group_ = beams.front();
    return;
  }
}

void NxmxBeam::find_spectrum() {
  // The plain wavelength may name a variant, which may name another, until one has weights.
  std::string name = group_ + "/incident_wavelength";
  constexpr int longest_chain = 10;
  for (int i = 0; i < longest_chain; ++i) {
    weights_ = weights_of(file_, name);
    if (!weights_.empty()) {
      spectrum_ = name;
      spectrum_factor_ = unit_of(file_, path_, name, angstroms_per, "angstrom");
      return;
    }
    const auto variant = hdf5::text_attribute(file_, name, "variant");
    if (!variant || variant->empty()) return;
    name = variant->front() == '/' ? *variant : group_ + "/" + *variant;
    core::require(hdf5::is_dataset(file_, name),
                  "{} names the wavelength variant {}, which is not there", path_, name);
  }
}

void NxmxBeam::read_wavelengths() {
  const std::string name = group_ + "/incident_wavelength";
  if (name == spectrum_) return;
  wavelengths_ = *hdf5::read_numbers(file_, name);
  const double factor = unit_of(file_, path_, name, angstroms_per, "angstrom");
  for (double& value : wavelengths_) value *= factor;
  const auto count = static_cast<std::int64_t>(wavelengths_.size());
  if (count != 1 && count < frames_)
    core::fail(
        "{} gives {} wavelengths for {} frames ({}) without weights they are no spectrum; was "
        "the run aborted?",
        path_, count, frames_, name);
}

bool NxmxBeam::read_energies(const std::string& entry) {
  for (const std::string& name : {group_ + "/incident_energy", group_ + "/photon_energy",
                                  entry + "/instrument/detector/detectorSpecific/photon_energy"}) {
    const auto energies = hdf5::read_numbers(file_, name);
    if (!energies || energies->empty()) continue;
    const double factor = unit_of(file_, path_, name, electronvolts_per, "eV");
    for (const double energy : *energies)
      wavelengths_.push_back(core::ev_angstrom / (energy * factor));
    const auto count = static_cast<std::int64_t>(wavelengths_.size());
    if (count != 1 && count < frames_)
      core::fail("{} gives {} photon energies for {} frames ({})", path_, count, frames_, name);
    return true;
  }
  return false;
}

std::vector<double> NxmxBeam::row(const std::string& dataset, std::int64_t frame) const {
  const Handle data(H5Dopen2(file_, dataset.c_str(), H5P_DEFAULT));
  const std::vector<hsize_t> shape = hdf5::dimensions(data.get());
  if (shape.size() < 2) return *hdf5::read_numbers(file_, dataset);
  core::require(shape.size() == 2 && static_cast<hsize_t>(frame) < shape[0],
                "{}:{} has the shape {} (frames x channels is wanted, frame {} at least)", path_,
                dataset, hdf5::shape_text(shape), frame);
  const hsize_t start[2] = {static_cast<hsize_t>(frame), 0}, count[2] = {1, shape[1]};
  const Handle space(H5Dget_space(data.get()));
  H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start, nullptr, count, nullptr);
  const Handle memory(H5Screate_simple(1, &shape[1], nullptr));
  std::vector<double> values(shape[1]);
  if (H5Dread(data.get(), H5T_NATIVE_DOUBLE, memory.get(), space.get(), H5P_DEFAULT,
              values.data()) < 0)
    core::fail("cannot read {} in {} ({})", dataset, path_, hdf5::last_error());
  return values;
}

models::Beam NxmxBeam::beam(std::int64_t frame) const {
  core::require(frame >= 0 && frame < frames_, "{} has no frame {} (it has {})", path_, frame,
                frames_);
  models::Beam beam;
  const auto at = [frame](const std::vector<double>& values) {
    return values.size() == 1 ? values[0] : values[static_cast<std::size_t>(frame)];
  };
  if (!spectrum_.empty()) {
    beam.spectrum.wavelengths = row(spectrum_, frame);
    beam.spectrum.weights = row(weights_, frame);
    for (double& value : beam.spectrum.wavelengths) value *= spectrum_factor_;
    core::require(beam.spectrum.wavelengths.size() == beam.spectrum.weights.size(),
                  "the spectrum of frame {} in {} has {} wavelengths and {} weights", frame, path_,
                  beam.spectrum.wavelengths.size(), beam.spectrum.weights.size());
  }
  beam.wavelength = wavelengths_.empty() ? beam.spectrum.mean_wavelength() : at(wavelengths_);
  core::require(beam.wavelength > 0, "frame {} of {} has the wavelength {} (it must be positive)",
                frame, path_, beam.wavelength);
  if (flux_.size() == 1 || flux_.size() > static_cast<std::size_t>(frame)) beam.flux = at(flux_);
  return beam;
}

} // namespace kilobragg::io
