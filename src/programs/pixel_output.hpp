// What refinement against pixels writes: MTZ files, tables, the report.
#pragma once

#include "pixel_run.hpp"

#include "kilobragg/pixelrefinement/refine_factors.hpp"
#include "kilobragg/pixelrefinement/refine_shot.hpp"
#include "kilobragg/pixelrefinement/shot_record.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// How a cycle of stage 1 and stage 2 ended, over all ranks.
struct CycleFigures {
  int cycle = 0;
  std::int64_t shots = 0, refined = 0, boxes = 0, pixels = 0, outliers = 0, evaluations = 0;
  double sigma_z = 0; ///< median over shots
  int iterations = 0; ///< of stage 2
  double f = 0, left_out = std::numeric_limits<double>::quiet_NaN();
  double moved = 0; ///< of ln F, in its errors (rms)
  std::string end;
};
std::string cycle_text(const CycleFigures& figures);

/// Structure factors of all shots or of a half set, by row.
struct RefinedSet {
  pixelrefinement::FactorTable table;
  std::vector<std::int64_t> pixels; ///< that tell of each
  std::vector<double> start;        ///< F that refinement began with
};

/// Everything there is at the end, on each rank.
struct PixelResults {
  const MergeOptions& options;
  const PixelInput& input;
  const RefinedSet& all;
  const RefinedSet& odd; ///< empty without stage 2, as even
  const RefinedSet& even;
  const pixelrefinement::FactorTable& before; ///< that refinement began with
  const pixelrefinement::FactorRefinement& refinement;
  const std::vector<CycleFigures>& cycles;
  const std::vector<pixelrefinement::ShotRecord>& shots; ///< of this rank
  const std::vector<pixelrefinement::Stage1Result>&
      results; ///< of them; of no pixels without stage 1
  const std::optional<pixelrefinement::FactorTable>& truth;
  const pixelrefinement::FactorSphere& sphere;
  const pixelrefinement::Stage1Params& stage1;
};

/// PREFIX_shots.csv and PREFIX_pixels.json; after stage 1 PREFIX_shot_errors.csv, where each refined
/// parameter of a shot has a row (identifier, parameter, value, sigma from the Fisher information); after
/// stage 2 PREFIX_refined_{all,odd,even}.mtz, PREFIX_convergence.csv and PREFIX_pixels.html, and tables in
/// the log. Collective.
void write_pixel_results(const parallel::Communicator& communicator, const PixelResults& results);

} // namespace kilobragg::programs
