// The chain of a detector: photons, point spread, readout, calibration.
#include "kilobragg/diffraction/recording.hpp"

#include <vector>

namespace kilobragg::diffraction {

void record_image(const models::Detector& detector, const RecordParams& params,
                  std::span<const float> means, const NoiseKey& key,
                  std::span<std::int32_t> counts) {
  std::vector<float> photons(means.begin(), means.end());
  if (params.poisson) draw_photons(means, key, photons);
  if (params.point_spread) spread_points(detector, *params.point_spread, photons);
  if (const auto* linear = std::get_if<LinearResponse>(&params.response)) {
    read_out(detector, *linear, photons, key, counts);
    return;
  }
  const auto& staged = std::get<StagedResponse>(params.response);
  std::vector<std::uint16_t> words(photons.size());
  read_out(staged, photons, key, words);
  calibrate(staged, words, CalibratedUnit::Photons, photons);
  round_counts(photons, params.counts_per_photon, params.lowest, params.highest, counts);
}

} // namespace kilobragg::diffraction
