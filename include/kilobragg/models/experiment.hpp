// One experiment of an .expt file: where the image lies, and the models that describe it.
#pragma once

#include "kilobragg/models/beam.hpp"
#include "kilobragg/models/crystal.hpp"
#include "kilobragg/models/detector.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kilobragg::models {

/// A portable pointer to one frame.
struct ImageSource {
  std::string path;       ///< absolute path when seen
  std::string dataset;    ///< HDF5 dataset, empty for other formats
  std::int64_t frame = 0; ///< frame within the file (the index that dxtbx uses)
  std::string content_id; ///< hash of the first frame's raw bytes, shape, type and start time

  /// "<stem>_00012" as the log and the exit-state lines show it; frame from 0, five digits, as in DIALS.
  std::string tag() const;
};

/// Gaussian profile parameters of dials.algorithms.profile_model.gaussian_rs.
struct GaussianProfile {
  double n_sigma = 3, sigma_b_deg = 0, sigma_m_deg = 0;
};

struct Experiment {
  std::string identifier; ///< hash of content id, frame and lattice; a uuid in DIALS's files
  Beam beam;
  std::shared_ptr<const Detector> detector;
  std::optional<Crystal> crystal;
  std::optional<GaussianProfile> profile;
  ImageSource source;
};

/// Identifier of a lattice: 32 hex digits, MD5 of content id, frame and lattice number. Depends on
/// nothing else, so every reprocessing and every number of ranks gives the same.
std::string experiment_identifier(const std::string& content_id, std::int64_t frame, int lattice);

} // namespace kilobragg::models
