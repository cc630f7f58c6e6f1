// Reads incident_wavelength in all its forms, with energies where wavelengths are missing.
#include "nxmx_beam.hpp"

#include "nexus_units.hpp"

#include "kilobragg/core/units.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

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

/// No light, no wavelength.
bool is_dark(const models::Spectrum& spectrum) {
  return !(std::accumulate(spectrum.weights.begin(), spectrum.weights.end(), 0.0) > 0);
}

} // namespace

NxmxBeam::NxmxBeam(hdf5::LazyFile& file, NxmxBeamFacts facts)
    : file_(&file)
    , facts_(std::move(facts)) {}

NxmxBeam::NxmxBeam(hdf5::LazyFile& file, const std::string& entry, std::int64_t frames)
    : file_(&file) {
  facts_.frames = frames;
  find_group(entry);
  if (hdf5::is_dataset(file_->get(), group_ + "/incident_wavelength")) {
    find_spectrum();
    share_spectrum();
    read_wavelengths();
  } else if (!read_energies(entry)) {
    core::fail("{} gives no wavelength (neither incident_wavelength nor incident_energy in {}) was "
               "it written as NXmx?",
               file_->path(), group_);
  }
  if (hdf5::is_dataset(file_->get(), group_ + "/total_flux"))
    facts_.flux = *hdf5::read_numbers(file_->get(), group_ + "/total_flux");
}

void NxmxBeam::find_group(const std::string& entry) {
  group_ = entry + "/instrument/beam";
  for (const std::string& base : {entry + "/instrument", entry + "/sample"}) {
    const auto beams = hdf5::children_of_class(file_->get(), base, "NXbeam");
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
    facts_.weights = weights_of(file_->get(), name);
    if (!facts_.weights.empty()) {
      facts_.spectrum = name;
      facts_.spectrum_factor =
          unit_of(file_->get(), file_->path(), name, angstroms_per, "angstrom");
      return;
    }
    const auto variant = hdf5::text_attribute(file_->get(), name, "variant");
    if (!variant || variant->empty()) return;
    name = variant->front() == '/' ? *variant : group_ + "/" + *variant;
    core::require(hdf5::is_dataset(file_->get(), name),
                  "{} names the wavelength variant {}, which is not there", file_->path(), name);
  }
}

void NxmxBeam::share_spectrum() {
  for (const std::string& name : {facts_.spectrum, facts_.weights}) {
    if (name.empty()) return;
    const Handle data(H5Dopen2(file_->get(), name.c_str(), H5P_DEFAULT));
    if (hdf5::dimensions(data.get()).size() != 1) return;
  }
  facts_.shared = spectrum(0);
}

models::Spectrum NxmxBeam::spectrum(std::int64_t frame) const {
  if (facts_.spectrum.empty() || !facts_.shared.empty()) return facts_.shared;
  models::Spectrum spectrum{row(facts_.spectrum, frame), row(facts_.weights, frame)};
  for (double& value : spectrum.wavelengths) value *= facts_.spectrum_factor;
  core::require(spectrum.wavelengths.size() == spectrum.weights.size(),
                "the spectrum of frame {} in {} has {} wavelengths and {} weights", frame,
                file_->path(), spectrum.wavelengths.size(), spectrum.weights.size());
  return spectrum;
}

void NxmxBeam::read_wavelengths() {
  const std::string name = group_ + "/incident_wavelength";
  if (name == facts_.spectrum) return;
  facts_.wavelengths = *hdf5::read_numbers(file_->get(), name);
  const double factor = unit_of(file_->get(), file_->path(), name, angstroms_per, "angstrom");
  for (double& value : facts_.wavelengths) value *= factor;
  const auto count = static_cast<std::int64_t>(facts_.wavelengths.size());
  if (count != 1 && count < facts_.frames)
    core::fail(
        "{} gives {} wavelengths for {} frames ({}) without weights they are no spectrum; was "
        "the run aborted?",
        file_->path(), count, facts_.frames, name);
}

bool NxmxBeam::read_energies(const std::string& entry) {
  for (const std::string& name : {group_ + "/incident_energy", group_ + "/photon_energy",
                                  entry + "/instrument/detector/detectorSpecific/photon_energy"}) {
    const auto energies = hdf5::read_numbers(file_->get(), name);
    if (!energies || energies->empty()) continue;
    const double factor = unit_of(file_->get(), file_->path(), name, electronvolts_per, "eV");
    for (const double energy : *energies)
      facts_.wavelengths.push_back(core::ev_angstrom / (energy * factor));
    const auto count = static_cast<std::int64_t>(facts_.wavelengths.size());
    if (count != 1 && count < facts_.frames)
      core::fail("{} gives {} photon energies for {} frames ({})", file_->path(), count,
                 facts_.frames, name);
    return true;
  }
  return false;
}

std::vector<double> NxmxBeam::row(const std::string& dataset, std::int64_t frame) const {
  const Handle data(H5Dopen2(file_->get(), dataset.c_str(), H5P_DEFAULT));
  const std::vector<hsize_t> shape = hdf5::dimensions(data.get());
  if (shape.size() < 2) return *hdf5::read_numbers(file_->get(), dataset);
  core::require(shape.size() == 2 && static_cast<hsize_t>(frame) < shape[0],
                "{}:{} has the shape {} (frames x channels is wanted, frame {} at least)",
                file_->path(), dataset, hdf5::shape_text(shape), frame);
  const hsize_t start[2] = {static_cast<hsize_t>(frame), 0}, count[2] = {1, shape[1]};
  const Handle space(H5Dget_space(data.get()));
  H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start, nullptr, count, nullptr);
  const Handle memory(H5Screate_simple(1, &shape[1], nullptr));
  std::vector<double> values(shape[1]);
  if (H5Dread(data.get(), H5T_NATIVE_DOUBLE, memory.get(), space.get(), H5P_DEFAULT,
              values.data()) < 0)
    core::fail("cannot read {} in {} ({})", dataset, file_->path(), hdf5::last_error());
  return values;
}

double NxmxBeam::first_wavelength() const {
  const auto is_one = [](double value) { return std::isfinite(value) && value > 0; };
  const auto& known = facts_.wavelengths;
  if (!known.empty()) {
    const auto first = std::find_if(known.begin(), known.end(), is_one);
    return first == known.end() ? 0 : *first;
  }
  for (std::int64_t frame = 0; frame < facts_.frames; ++frame)
    if (const double wavelength = beam(frame).wavelength; is_one(wavelength)) return wavelength;
  return 0;
}

models::Beam NxmxBeam::beam(std::int64_t frame) const {
  core::require(frame >= 0 && frame < facts_.frames, "{} has no frame {} (it has {})",
                file_->path(), frame, facts_.frames);
  models::Beam beam;
  const auto at = [frame](const std::vector<double>& values) {
    return values.size() == 1 ? values[0] : values[static_cast<std::size_t>(frame)];
  };
  beam.spectrum = spectrum(frame);
  if (!facts_.wavelengths.empty())
    beam.wavelength = at(facts_.wavelengths);
  else
    beam.wavelength = is_dark(beam.spectrum) ? 0 : beam.spectrum.mean_wavelength();
  if (facts_.flux.size() == 1 || facts_.flux.size() > static_cast<std::size_t>(frame))
    beam.flux = at(facts_.flux);
  return beam;
}

} // namespace kilobragg::io
