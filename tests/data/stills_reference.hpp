// Reference results of dials.stills_process and the truth of the simulated set, frame by frame.
#pragma once

#include "kilobragg/models/still_result.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace kilobragg::testing {

struct ReferenceSpot {
  int panel;
  double x, y, intensity;
  int pixels;
};

struct ReferenceIndexed {
  int panel;
  models::Miller hkl;
  double x_obs, y_obs, x_cal, y_cal;
};

struct ReferenceIntensity {
  models::Miller hkl;
  double intensity, variance;
};

/// What DIALS made of one frame; spots of the algorithm that the set's phil names.
struct ReferenceFrame {
  bool has_crystal = false;
  Mat3 a_matrix;
  std::vector<ReferenceSpot> spots;
  std::vector<ReferenceIndexed> indexed;
  std::vector<ReferenceIntensity> intensities;
};

using ReferenceFrames = std::map<int, ReferenceFrame>;

/// `spots` is dispersion or dispersion_extended.
ReferenceFrames read_reference(const std::filesystem::path& directory, const std::string& set,
                               const std::string& spots);

/// Truth of one frame of lysozyme_nanobragg.
struct TrueFrame {
  std::string kind; ///< single, double, blank
  std::vector<Mat3> a_matrices;
};
std::map<int, TrueFrame> read_truth(const std::filesystem::path& directory);

/// How one frame of ours compares with the reference.
struct Agreement {
  int spots = 0, reference_spots = 0;
  int matched_spots = 0;         ///< centroids within 0.01 px and as many pixels
  double misorientation_deg = 0; ///< modulo the lattice's rotations
  int common = 0;                ///< reflections in both with I/sigma > 3 in the reference
  double correlation = 0, ratio = 0;
  /// Over DIALS's indexed spots: how many, and the sums of dx^2 + dy^2 of our predictions and theirs.
  int predicted = 0;
  double squares = 0, reference_squares = 0;
};
Agreement compare(const models::StillResult& ours, const ReferenceFrame& reference);

} // namespace kilobragg::testing
