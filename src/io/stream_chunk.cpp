// Writes images as chunks of a CrystFEL stream (format 2.3).
#include "stream_chunk.hpp"

#include "stream_geometry.hpp"
#include "stream_lattice.hpp"

#include "kilobragg/core/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>

namespace kilobragg::io {
namespace {

using models::ExitState;
using models::IntegratedLattice;
using models::IntegratedReflection;
using models::StillResult;

/// 1/angstrom in 1/nm.
constexpr double per_nm = 10;

template <typename... Args>
void put(std::string& text, fmt::format_string<Args...> pattern, Args&&... args) {
  fmt::format_to(std::back_inserter(text), pattern, std::forward<Args>(args)...);
}

/// Position in the frame: the panel's pixels begin at its offset.
models::PanelPoint in_frame(const models::Detector& detector, int panel, models::PanelPoint px) {
  const auto& offset = detector.panels.at(static_cast<std::size_t>(panel)).raw_image_offset;
  return {px.x + offset[0], px.y + offset[1]};
}

/// Did the image go on to indexing, or would it have?
bool is_hit(const StillResult& image) {
  switch (image.state) {
  case ExitState::SpotfindingOk:
    return !image.spots.spots.empty();
  case ExitState::IndexingFailed:
  case ExitState::IndexOk:
  case ExitState::RefineFailed:
  case ExitState::IntegrateFailed:
  case ExitState::IntegrateOk:
    return true;
  default:
    return false;
  }
}

/// Standard deviation of the wavelength over its mean: of the spectrum, or as a lattice shows it.
double bandwidth_of(const StillResult& image) {
  double bandwidth = 1e-8; // CrystFEL's number for a beam that is taken as monochromatic
  const models::Spectrum& spectrum = image.beam.spectrum;
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < spectrum.wavelengths.size(); ++i) {
    const double deviation = spectrum.wavelengths[i] / image.beam.wavelength - 1;
    sum += spectrum.weights[i], squares += spectrum.weights[i] * deviation * deviation;
  }
  if (sum > 0) return std::max(bandwidth, std::sqrt(squares / sum));
  for (const IntegratedLattice& lattice : image.lattices)
    bandwidth = std::max(bandwidth, lattice.lattice.psi_spread.bandwidth);
  return bandwidth;
}

double average_camera_length(const models::Detector& detector, const Mat3& rotation) {
  double sum = 0;
  for (const auto& panel : detector.panels) sum += (rotation * panel.frame.origin).z / 1000;
  return sum / static_cast<double>(detector.panels.size());
}

void append_head(std::string& text, const StillResult& image, std::int64_t serial) {
  put(text, "----- Begin chunk -----\nImage filename: {}\n", image.source.path);
  if (image.source.dataset.empty())
    text += "Event: //\n";
  else
    put(text, "Event: //{}\n", image.source.frame);
  const Mat3 rotation = crystfel_rotation(image.beam.direction);
  put(text, "Image serial number: {}\nhit = {}\nindexed_by = {}\n", serial, is_hit(image) ? 1 : 0,
      image.lattices.empty() ? "none" : "file");
  if (!image.lattices.empty()) text += "n_indexing_tries = 1\n";
  put(text,
      "photon_energy_eV = {:.6f}\nbeam_divergence = {:.2e} rad\n"
      "beam_bandwidth = {:.2e} (fraction)\naverage_camera_length = {:.6f} m\n",
      core::ev_angstrom / image.beam.wavelength, image.beam.divergence * core::degree,
      bandwidth_of(image), average_camera_length(*image.detector, rotation));
}

void append_peaks(std::string& text, const StillResult& image) {
  double finest = 0;
  for (const models::Spot& spot : image.spots.spots) finest = std::max(finest, norm(spot.rlp));
  put(text, "num_peaks = {}\n", image.spots.size());
  if (finest > 0)
    put(text, "peak_resolution = {:.6f} nm^-1 or {:.6f} A\n", finest * per_nm, 1 / finest);
  text += "Peaks from peak search\n  fs/px   ss/px (1/d)/nm^-1   Intensity  Panel\n";
  for (const models::Spot& spot : image.spots.spots) {
    const auto px = in_frame(*image.detector, spot.panel, spot.px);
    put(text, "{:7.2f} {:7.2f} {:10.2f}  {:10.2f}   {}\n", px.x, px.y, norm(spot.rlp) * per_nm,
        spot.intensity, stream_panel_name(spot.panel));
  }
  text += "End of peak list\n";
}

/// How far from the Ewald sphere the spots used in refinement lie (1/nm): 98 of 100 lie nearer.
double profile_radius(const IntegratedLattice& lattice) {
  std::vector<double> distances;
  for (const models::IndexedSpot& spot : lattice.lattice.spots)
    if ((spot.flags & models::flag_used_in_refinement) != 0)
      distances.push_back(std::abs(spot.delta_psi) * norm(lattice.lattice.crystal.q(spot.hkl)));
  if (distances.empty()) return 0;
  const auto nth = distances.begin() + static_cast<std::ptrdiff_t>(0.98 * double(distances.size()));
  std::nth_element(distances.begin(), nth, distances.end());
  return *nth * per_nm;
}

bool is_measured(const IntegratedReflection& r) {
  return (r.flags & models::flag_integrated_sum) != 0 && r.variance >= 0 &&
         std::isfinite(r.intensity) && std::isfinite(r.variance) && std::isfinite(r.px_cal.x) &&
         std::isfinite(r.px_cal.y) && std::isfinite(r.background_mean);
}

/// The strong spots of a lattice by index. Only they say which pixels were bright or overloaded.
using StrongSpots = std::map<models::Miller, const models::Spot*>;

StrongSpots strong_spots(const StillResult& image, const IntegratedLattice& lattice) {
  StrongSpots spots;
  for (const models::IndexedSpot& indexed : lattice.lattice.spots)
    spots[indexed.hkl] = &image.spots.spots.at(indexed.spot);
  return spots;
}

bool is_saturated(const StrongSpots& spots, const models::Miller& hkl) {
  const auto found = spots.find(hkl);
  return found != spots.end() && (found->second->flags & models::flag_overloaded) != 0;
}

double brightest_pixel(const StillResult& image, const StrongSpots& spots,
                       const models::Miller& hkl) {
  float brightest = 0;
  if (const auto found = spots.find(hkl); found != spots.end())
    for (std::uint32_t i = 0; i < found->second->pixel_count; ++i)
      brightest = std::max(brightest, image.spots.pixels.at(found->second->first_pixel + i).value);
  return brightest;
}

void append_reflections(std::string& text, const StillResult& image,
                        const IntegratedLattice& lattice) {
  const StrongSpots spots = strong_spots(image, lattice);
  std::size_t count = 0, saturated = 0;
  double finest = 0;
  for (const IntegratedReflection& r : lattice.reflections) {
    if (!is_measured(r)) continue;
    ++count;
    saturated += is_saturated(spots, r.hkl);
    if (r.d > 0) finest = std::max(finest, 1 / r.d);
  }
  if (finest > 0)
    put(text, "diffraction_resolution_limit = {:.2f} nm^-1 or {:.2f} A\n", finest * per_nm,
        1 / finest);
  put(text,
      "num_reflections = {}\nnum_saturated_reflections = {}\nnum_implausible_reflections = 0\n"
      "Reflections measured after indexing\n"
      "   h    k    l          I   sigma(I)       peak background  fs/px  ss/px panel\n",
      count, saturated);
  for (const IntegratedReflection& r : lattice.reflections) {
    if (!is_measured(r)) continue;
    const auto px = in_frame(*image.detector, r.panel, r.px_cal);
    put(text, "{:4} {:4} {:4} {:10.2f} {:10.2f} {:10.2f} {:10.2f} {:7.2f} {:7.2f} {}\n", r.hkl.h,
        r.hkl.k, r.hkl.l, r.intensity, std::sqrt(r.variance), brightest_pixel(image, spots, r.hkl),
        r.background_mean, px.x, px.y, stream_panel_name(r.panel));
  }
  text += "End of reflections\n";
}

void append_crystal(std::string& text, const StillResult& image, const IntegratedLattice& lattice) {
  const models::Crystal& crystal = lattice.lattice.crystal;
  const models::UnitCell cell = crystal.unit_cell();
  put(text,
      "--- Begin crystal\nCell parameters {:7.5f} {:7.5f} {:7.5f} nm, {:7.5f} {:7.5f} {:7.5f} "
      "deg\n",
      cell.a / 10, cell.b / 10, cell.c / 10, cell.alpha, cell.beta, cell.gamma);
  const Mat3 axes = crystfel_rotation(image.beam.direction) * crystal.a_matrix;
  for (int i = 0; i < 3; ++i) {
    const Vec3 axis = per_nm * axes.col(i);
    put(text, "{}star = {:+9.7f} {:+9.7f} {:+9.7f} nm^-1\n", "abc"[i], axis.x, axis.y, axis.z);
  }
  const StreamLattice words = stream_lattice(crystal.space_group, cell);
  put(text,
      "lattice_type = {}\ncentering = {}\nunique_axis = {}\nprofile_radius = {:.5f} nm^-1\n"
      "predict_refine/det_shift x = 0.000 y = 0.000 mm\n",
      words.type, words.centring, words.unique_axis, profile_radius(lattice));
  if (lattice.reflections.empty())
    text += "No integrated reflections.\n";
  else
    append_reflections(text, image, lattice);
  text += "--- End crystal\n";
}

} // namespace

void append_chunk(std::string& text, const StillResult& image, std::int64_t serial) {
  append_head(text, image, serial);
  append_peaks(text, image);
  for (const IntegratedLattice& lattice : image.lattices) append_crystal(text, image, lattice);
  text += "----- End chunk -----\n";
}

} // namespace kilobragg::io
