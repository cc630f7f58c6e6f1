// From mean photons to counts as detector.response has it; for the sources of simulate_stills alone.
#pragma once

#include "kilobragg/core/options.hpp"
#include "kilobragg/diffraction/recording.hpp"
#include "kilobragg/models/detector.hpp"
#include "kilobragg/programs/simulate_params.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <span>

namespace kilobragg::programs {

/// Declares detector.response, what belongs to it, and detector.point_spread.*.
void add_response_options(core::OptionSet& options, SimulateResponse& response);

/// Throws core::Error for what cannot be and for options that the chosen response does not know.
void check_response(const SimulateParams& params);

/// Gives the panels what is true of the counts in the files: gain, pedestal and trusted range. A linear
/// response multiplies the panels' own gains by detector.gain and adds detector.adc_offset to their
/// pedestals; the others count detector.gain per photon from 0. Trusted are all counts that readout
/// noise alone makes (7 standard deviations; draws end at 6.3) and those below the largest one.
void describe_counts(const SimulateParams& params, models::Detector& detector);

/// Records the images of a run on a detector that describe_counts() has described.
class Recorder {
public:
  Recorder(const SimulateParams& params, const models::Detector& detector);

  /// Counts of image number `image` from mean photons. With ResponseKind::Photons those of
  /// diffraction::count_photons.
  void record(std::span<const float> photons, std::uint32_t image,
              std::span<std::int32_t> counts) const;
  /// Holds counts that were changed afterwards to the largest one, where the response has an end.
  void limit(std::span<std::int32_t> counts) const;
  /// Marks pixels that are not there: below every trusted count.
  std::int32_t absent() const { return absent_; }

private:
  const SimulateParams& params_;
  const models::Detector& detector_;
  diffraction::RecordParams record_;
  std::int32_t highest_, absent_;
};

/// The response as the truth file has it, defaults filled in.
nlohmann::json response_json(const SimulateParams& params, const models::Detector& detector);

} // namespace kilobragg::programs
