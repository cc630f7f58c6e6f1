// Options of merge for refinement against pixels, with diffBragg's names where it has them.
#pragma once

#include "kilobragg/core/options.hpp"
#include "kilobragg/pixelrefinement/make_stream.hpp"
#include "kilobragg/pixelrefinement/refine_factors.hpp"
#include "kilobragg/pixelrefinement/refine_shot.hpp"
#include "kilobragg/pixelrefinement/shot_prediction.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kilobragg::programs {

enum class LikelihoodChoice { Auto, Normal, Poisson, NoisyPoisson };

struct PixelOptions {
  bool all = false, stage1 = false, predict = false, stage2 = false, resume = false;
  int cycles = 3;
  double max_sigma_z_ratio = 2; ///< to the median of all shots; worse ones are given up
  double tolerance = 0.2;       ///< cycles end when F moves by less of its sigma (rms)
  std::vector<std::string> maps, search_path;
  std::string shot_list; ///< exp_ref_spec
  std::string start_mtz, start_column;
  std::string mask, noise_map; ///< HDF5 data sets, a value for each pixel
  std::string energies;        ///< eV, of the layers of F; empty = one F for all
  LikelihoodChoice likelihood = LikelihoodChoice::Auto;
  double gain = 1, readout = 0; ///< counts per photon; rms counts
  double left_out = 0.02;
  std::optional<double> init_cells, init_eta_deg;
  int size_elements = 6, spread_elements = 1;
  pixelrefinement::ParameterRules rules;
  pixelrefinement::ShotPredictionParams predict_params;
  pixelrefinement::Stage1Params stage1_params;
  int shots_per_launch = 0; ///< of stage 1; 0 = as many as suit the device
  pixelrefinement::StreamParams stream;
  pixelrefinement::Stage2Params stage2_params;
  int oversample = 3;
  std::string free_flags_file, free_flags_column;
  double free_flags_fraction = 0.05;
  int report_boxes = 24;

  /// Something of it is to be done.
  bool any() const { return all || stage1 || predict || stage2; }
  bool does_stage1() const { return all || stage1; }
  bool does_stage2() const { return all || stage2; }
};

/// Poisson where the readout is silent, else normal: photons read with noise are right for a few photons, and
/// take fifty times as long.
pixelrefinement::Likelihood usual_likelihood(bool silent);

void declare(core::OptionSet& set, PixelOptions& options);
/// What can be known to be wrong before any file is read. Throws core::Error.
void validate(const PixelOptions& options);

} // namespace kilobragg::programs
