// Reads the reference files and computes the agreement measures.
#include "stills_reference.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/refinement/refine_still.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

namespace kilobragg::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json read_json(const fs::path& path) {
  std::ifstream file(path);
  core::require(file.is_open(), "cannot open {}", path.string());
  return json::parse(file);
}

/// Rows of numbers below the header.
std::vector<std::vector<double>> read_csv(const fs::path& path) {
  std::ifstream file(path);
  core::require(file.is_open(), "cannot open {}", path.string());
  std::vector<std::vector<double>> rows;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    rows.emplace_back();
    for (std::string field; std::getline(fields, field, ',');)
      rows.back().push_back(std::stod(field));
  }
  return rows;
}

Mat3 read_matrix(const json& values) {
  Mat3 matrix;
  for (std::size_t i = 0; i < 9; ++i) matrix.m[i] = values.at(i).get<double>();
  return matrix;
}

models::Miller miller(const std::vector<double>& row, std::size_t at) {
  return {int(row[at]), int(row[at + 1]), int(row[at + 2])};
}

/// The index that crystal `to` gives to what crystal `from` calls hkl. The two cells differ a
/// little, so the matrix between the settings is rounded, not each index.
class IndexMap {
public:
  IndexMap(const Mat3& from, const Mat3& to)
      : map_(inverse(to) * from) {
    for (double& value : map_.m) value = std::round(value);
  }
  models::Miller operator()(const models::Miller& hkl) const {
    const Vec3 h = map_ * Vec3{double(hkl.h), double(hkl.k), double(hkl.l)};
    return {int(std::lround(h.x)), int(std::lround(h.y)), int(std::lround(h.z))};
  }

private:
  Mat3 map_;
};

void compare_spots(const models::SpotList& ours, const std::vector<ReferenceSpot>& reference,
                   Agreement& result) {
  result.spots = int(ours.size());
  result.reference_spots = int(reference.size());
  std::vector<char> used(ours.size(), 0);
  for (const auto& theirs : reference)
    for (std::size_t i = 0; i < ours.size(); ++i) {
      const auto& spot = ours.spots[i];
      if (used[i] || spot.panel != theirs.panel || std::abs(spot.px.x - theirs.x) > 0.01 ||
          std::abs(spot.px.y - theirs.y) > 0.01 || int(spot.pixel_count) != theirs.pixels)
        continue;
      used[i] = 1;
      ++result.matched_spots;
      break;
    }
}

double correlation(const std::vector<double>& x, const std::vector<double>& y) {
  const double n = double(x.size());
  double sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    sx += x[i];
    sy += y[i];
    sxx += x[i] * x[i];
    syy += y[i] * y[i];
    sxy += x[i] * y[i];
  }
  return (n * sxy - sx * sy) / std::sqrt((n * sxx - sx * sx) * (n * syy - sy * sy));
}

void compare_intensities(const models::IntegratedLattice& ours, const IndexMap& to_ours,
                         const std::vector<ReferenceIntensity>& reference, Agreement& result) {
  std::map<models::Miller, double> by_index;
  for (const auto& r : ours.reflections) by_index[r.hkl] = r.intensity;
  std::vector<double> x, y, ratios;
  for (const auto& theirs : reference) {
    if (theirs.intensity <= 3 * std::sqrt(theirs.variance)) continue;
    const auto found = by_index.find(to_ours(theirs.hkl));
    if (found == by_index.end()) continue;
    x.push_back(found->second);
    y.push_back(theirs.intensity);
    ratios.push_back(found->second / theirs.intensity);
  }
  result.common = int(x.size());
  if (x.size() < 3) return;
  result.correlation = correlation(x, y);
  std::nth_element(ratios.begin(), ratios.begin() + std::ptrdiff_t(ratios.size() / 2),
                   ratios.end());
  result.ratio = ratios[ratios.size() / 2];
}

/// Where our crystal predicts the spots that DIALS indexed.
void compare_predictions(const models::StillResult& ours, const IndexMap& to_ours,
                         const std::vector<ReferenceIndexed>& reference, Agreement& result) {
  models::SpotList spots;
  models::Lattice lattice;
  lattice.crystal = ours.lattices.front().lattice.crystal;
  lattice.psi_spread = ours.lattices.front().lattice.psi_spread; // it moves rays
  for (const auto& theirs : reference) {
    models::Spot spot;
    spot.panel = theirs.panel;
    spot.px = {theirs.x_obs, theirs.y_obs};
    models::IndexedSpot indexed;
    indexed.spot = static_cast<std::uint32_t>(spots.spots.size());
    indexed.hkl = to_ours(theirs.hkl);
    spots.spots.push_back(spot);
    lattice.spots.push_back(indexed);
  }
  refinement::predict_indexed(lattice, spots, ours.beam, *ours.detector);
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const auto& theirs = reference[i];
    const auto& px = lattice.spots[i].px_cal;
    result.squares += std::pow(px.x - theirs.x_obs, 2) + std::pow(px.y - theirs.y_obs, 2);
    result.reference_squares +=
        std::pow(theirs.x_cal - theirs.x_obs, 2) + std::pow(theirs.y_cal - theirs.y_obs, 2);
  }
  result.predicted = int(reference.size());
}

} // namespace

ReferenceFrames read_reference(const fs::path& directory, const std::string& set,
                               const std::string& spots) {
  ReferenceFrames frames;
  for (const auto& row : read_csv(directory / (set + ".strong." + spots + ".csv")))
    frames[int(row[0])].spots.push_back({int(row[1]), row[2], row[3], row[4], int(row[5])});
  for (const auto& row : read_csv(directory / (set + ".indexed.csv")))
    frames[int(row[0])].indexed.push_back(
        {int(row[1]), miller(row, 2), row[5], row[6], row[7], row[8]});
  for (const auto& row : read_csv(directory / (set + ".integrated.csv")))
    frames[int(row[0])].intensities.push_back({miller(row, 2), row[7], row[8]});
  const json models = read_json(directory / (set + ".json")).at("frames");
  for (const auto& [frame, model] : models.items()) {
    frames[std::stoi(frame)].has_crystal = true;
    frames[std::stoi(frame)].a_matrix = read_matrix(model.at("A_matrix_per_angstrom"));
  }
  return frames;
}

std::map<int, TrueFrame> read_truth(const fs::path& directory) {
  std::map<int, TrueFrame> frames;
  for (const auto& entry : read_json(directory / "lysozyme_nanobragg.frames.json")) {
    TrueFrame frame;
    frame.kind = entry.at("kind");
    if (entry.contains("lattices"))
      for (const auto& lattice : entry.at("lattices"))
        frame.a_matrices.push_back(read_matrix(lattice.at("A")));
    frames[entry.at("frame").get<int>()] = frame;
  }
  return frames;
}

Agreement compare(const models::StillResult& ours, const ReferenceFrame& reference) {
  Agreement result;
  compare_spots(ours.spots, reference.spots, result);
  if (ours.lattices.empty() || !reference.has_crystal) return result;
  const auto& found = ours.lattices.front();
  const models::Crystal& crystal = found.lattice.crystal;
  const auto rotations = crystal.space_group.lattice_rotations(crystal.unit_cell());
  result.misorientation_deg =
      models::misorientation_deg(crystal.a_matrix, reference.a_matrix, rotations);
  const IndexMap to_ours(reference.a_matrix, crystal.a_matrix);
  compare_intensities(found, to_ours, reference.intensities, result);
  compare_predictions(ours, to_ours, reference.indexed, result);
  return result;
}

} // namespace kilobragg::testing
