// One call from the mean photons of an image to the counts that a detector writes.
#pragma once

#include "kilobragg/diffraction/detector_response.hpp"
#include "kilobragg/diffraction/point_spread.hpp"

#include <optional>
#include <variant>

namespace kilobragg::diffraction {

/// Everything between the photons that fall on a detector and its file. As it stands: photon noise
/// and nothing else, the same counts as count_photons with gain 1.
struct RecordParams {
  bool poisson = true;                           ///< else the means themselves are read out
  std::optional<PointSpreadParams> point_spread; ///< each photon's light, after photons are drawn
  std::variant<LinearResponse, StagedResponse> response = LinearResponse{};
  double counts_per_photon = 1;                  ///< of what calibrated gain stages are written as
  std::int32_t lowest = 0, highest = 2147483647; ///< of the same
};

/// Draws photons, spreads them, reads them out; words of gain stages are calibrated to photons and
/// rounded to counts. `means` and `counts` are whole images of `detector`. Panels' own gain and pedestal
/// count in a linear response only. Throws core::Error on sizes or parameters without sense.
void record_image(const models::Detector& detector, const RecordParams& params,
                  std::span<const float> means, const NoiseKey& key,
                  std::span<std::int32_t> counts);

} // namespace kilobragg::diffraction
