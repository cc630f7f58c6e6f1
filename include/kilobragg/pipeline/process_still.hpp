// One still in, one result out: how the stages follow each other. No files, no MPI, re-entrant.
#pragma once

#include "kilobragg/indexing/indexer.hpp"
#include "kilobragg/integration/integrate_still.hpp"
#include "kilobragg/models/still_result.hpp"
#include "kilobragg/pixelrefinement/first_model.hpp"
#include "kilobragg/spotfinding/spot_finder.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace kilobragg::pipeline {

/// dispatch.hit_finder.*
struct HitFinderParams {
  bool enable = true;
  std::optional<int> minimum_number_of_reflections = 16;
  std::optional<int> maximum_number_of_reflections;
};

/// integration.integrator=pixel_model: lattices are refined against the pixels with known structure factors,
/// and the reflections that the refined model lights are integrated.
struct PixelModelParams {
  /// In the setting of the known symmetry; null = the usual integration.
  std::shared_ptr<const pixelrefinement::FactorTable> factors;
  pixelrefinement::FirstLatticeParams first;
  pixelrefinement::ShoeboxParams shoeboxes;
  pixelrefinement::ShotPredictionParams prediction;
  pixelrefinement::Stage1Params stage1;
  /// Points per pixel edge; none = enough_points(). Takes the place of those of prediction and stage1.
  std::optional<int> oversample;
};

/// Everything that decides what becomes of a still.
struct StillParams {
  bool find_spots = true, index = true, refine = false, integrate = true; ///< dispatch.*
  bool squash_errors = true; ///< a failing stage becomes an exit state instead of an exception
  HitFinderParams hit_finder;
  spotfinding::SpotfinderParams spotfinder;
  indexing::IndexingParams indexing;
  integration::IntegrationParams integration;
  PixelModelParams pixel_model;
};

/// What is known about a still before its stages run.
struct StillInput {
  models::ImageSource source;
  models::Beam beam;
  std::shared_ptr<const models::Detector> detector;
  /// Usable pixels for one stage instead of the image's own mask; null = the image's.
  std::shared_ptr<const models::PixelMask> spotfinder_mask, integration_mask;
};

/// Hears the words of user-visible steps as they begin or end: spotfind_start, spotfinding_ok_N,
/// index_start, index_ok_N, refine_start, integrate_start, and with a pixel model pixel_model_start and
/// pixel_model_failed.
using StepListener = std::function<void(const std::string& message)>;

class ModelIntegrator;

/// Runs the stages on one still after another. Holds their scratch, so keep one per thread.
class StillProcessor {
public:
  /// Throws core::Error on parameters that cannot work (a cell that contradicts its space group).
  explicit StillProcessor(const StillParams& params);
  ~StillProcessor();
  StillProcessor(StillProcessor&&) noexcept;

  /// Find spots, test for a hit, map, index, refine, integrate. Never throws for what the image
  /// holds: a failing stage ends in its exit state with a message (unless squash_errors is off). Where
  /// the pixel model fails, the still is integrated as usual, and its message says why.
  /// Fills everything of the result but seconds[Read] and seconds[Write]. The image is the same
  /// afterwards; only its mask changes while a stage has one of its own.
  models::StillResult process(const StillInput& input, models::Image& image,
                              const StepListener& listener = {});

private:
  bool find_spots(models::StillResult& result, const models::Image& image);
  bool index(models::StillResult& result);
  bool refine(models::StillResult& result);
  void integrate(models::StillResult& result, const models::Image& image);
  /// Returns why not, or nothing.
  std::string integrate_by_model(models::StillResult& result, const models::Image& image);

  void say(const std::string& message) const;

  StillParams params_;
  StepListener listener_;
  spotfinding::SpotFinder finder_;
  std::optional<indexing::Indexer> indexer_;
  std::unique_ptr<const ModelIntegrator> model_; ///< null without structure factors
};

} // namespace kilobragg::pipeline
