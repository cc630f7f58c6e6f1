// One still through all stages: every way to end has its exit state and message.
#include "support/drawn_still.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/pipeline/process_still.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace kilobragg::pipeline {
namespace {

using models::ExitState;
using testing::draw_still;

StillParams lysozyme() {
  StillParams params;
  params.indexing.unit_cell = testing::drawn_cell();
  params.indexing.space_group = models::SpaceGroup("P43212");
  return params;
}

StillInput input_of(const testing::DrawnStill& still) {
  static const auto detector = std::make_shared<const models::Detector>(testing::drawn_detector());
  StillInput input;
  input.source.path = "drawn.h5";
  input.source.content_id = "c0ffee";
  input.source.frame = 3;
  input.beam = still.beam;
  input.detector = detector;
  return input;
}

models::StillResult run(const StillParams& params, const testing::DrawnStill& still) {
  auto image = image_of(still);
  return StillProcessor(params).process(input_of(still), image);
}

TEST(ProcessStill, IntegratesACrystal) {
  const auto still = draw_still(11);
  ASSERT_GT(still.spots, 100);
  const auto result = run(lysozyme(), still);
  ASSERT_EQ(result.state, ExitState::IntegrateOk) << result.message;
  ASSERT_EQ(result.lattices.size(), 1U);
  const auto& found = result.lattices.front();
  EXPECT_EQ(result.count, int(found.reflections.size()));
  EXPECT_EQ(found.identifier, models::experiment_identifier("c0ffee", 3, 0));
  const auto rotations = models::SpaceGroup("P43212").lattice_rotations(testing::drawn_cell());
  EXPECT_LT(
      models::misorientation_deg(found.lattice.crystal.a_matrix, still.crystal.a_matrix, rotations),
      0.05);
  for (const auto step : {models::Step::Spotfind, models::Step::Index, models::Step::Integrate})
    EXPECT_GT(result.seconds[std::size_t(step)], 0);
  EXPECT_EQ(result.source.frame, 3);
}

TEST(ProcessStill, ABlankIsNoHit) {
  const auto result = run(lysozyme(), draw_still(5, false));
  EXPECT_EQ(result.state, ExitState::NotEnoughSpots);
  EXPECT_EQ(result.count, int(result.spots.size()));
  EXPECT_NE(result.message.find("16 needed"), std::string::npos);
}

TEST(ProcessStill, HitFinderLimits) {
  const auto still = draw_still(11);
  auto params = lysozyme();
  params.hit_finder.maximum_number_of_reflections = 20;
  EXPECT_EQ(run(params, still).state, ExitState::TooManySpots);
  params.hit_finder.enable = false;
  EXPECT_EQ(run(params, still).state, ExitState::IntegrateOk);
}

TEST(ProcessStill, StopsWhereItIsTold) {
  const auto still = draw_still(11);
  auto params = lysozyme();
  params.integrate = false;
  const auto indexed = run(params, still);
  EXPECT_EQ(indexed.state, ExitState::IndexOk);
  EXPECT_EQ(indexed.count, int(indexed.lattices.at(0).lattice.spots.size()));
  EXPECT_TRUE(indexed.lattices.at(0).reflections.empty());
  params.index = false;
  const auto found = run(params, still);
  EXPECT_EQ(found.state, ExitState::SpotfindingOk);
  EXPECT_EQ(found.count, int(found.spots.size()));
  EXPECT_GT(norm(found.spots.spots.at(0).rlp), 0) << "spots are mapped";
  params.find_spots = false;
  EXPECT_EQ(run(params, still).state, ExitState::SpotfindingOk);
}

TEST(ProcessStill, WrongCellIsNotIndexed) {
  auto params = lysozyme();
  params.indexing.unit_cell = {41, 52, 63, 90, 90, 90};
  params.indexing.space_group = models::SpaceGroup("P212121");
  const auto result = run(params, draw_still(11));
  EXPECT_EQ(result.state, ExitState::IndexingFailed);
  EXPECT_EQ(result.count, int(result.spots.size()));
  EXPECT_FALSE(result.message.empty());
  EXPECT_TRUE(result.lattices.empty());
}

TEST(ProcessStill, StageErrorsBecomeStatesUnlessNotSquashed) {
  const auto still = draw_still(11);
  auto params = lysozyme();
  params.spotfinder.filter.max_strong_pixel_fraction = 1e-6;
  const auto spots = run(params, still);
  EXPECT_EQ(spots.state, ExitState::SpotfindingException);
  EXPECT_FALSE(spots.message.empty());
  params.squash_errors = false;
  EXPECT_THROW(run(params, still), core::Error);

  params = lysozyme();
  params.integration.sigma_b_cutoff_deg = 1e-4;
  const auto wide = run(params, still);
  EXPECT_EQ(wide.state, ExitState::IntegrateFailed);
  EXPECT_EQ(wide.lattices.size(), 1U) << "what was indexed is kept";
}

TEST(ProcessStill, RefinesOnceMoreIfAsked) {
  auto params = lysozyme();
  params.refine = true;
  const auto result = run(params, draw_still(11));
  EXPECT_EQ(result.state, ExitState::IntegrateOk);
  EXPECT_GT(result.seconds[std::size_t(models::Step::Refine)], 0);
}

TEST(ProcessStill, EachStageMayHaveAMaskOfItsOwn) {
  const auto still = draw_still(11);
  auto image = image_of(still);
  auto half = std::make_shared<models::PixelMask>(still.pixels.size(), std::uint8_t{1});
  std::fill(half->begin(), half->begin() + std::ptrdiff_t(half->size() / 2), std::uint8_t{0});
  StillProcessor processor(lysozyme());
  const auto plain = processor.process(input_of(still), image);
  auto input = input_of(still);
  input.spotfinder_mask = half;
  const auto fewer_spots = processor.process(input, image);
  EXPECT_LT(fewer_spots.spots.size(), plain.spots.size());
  for (const auto& spot : fewer_spots.spots.spots) EXPECT_GT(spot.px.y, testing::drawn_size / 2);
  input = input_of(still);
  input.integration_mask = half;
  const auto fewer_reflections = processor.process(input, image);
  EXPECT_EQ(fewer_reflections.spots.size(), plain.spots.size());
  EXPECT_LT(fewer_reflections.count, plain.count);
  EXPECT_EQ(image.mask, nullptr) << "the image is as it was";
}

TEST(ProcessStill, ContradictingCellIsSaidAtOnce) {
  auto params = lysozyme();
  params.indexing.unit_cell.b = 80;
  EXPECT_THROW(StillProcessor{params}, core::Error);
}

TEST(ProcessStill, StepsAreHeardInOrder) {
  const auto still = draw_still(11);
  std::vector<std::string> heard;
  auto image = image_of(still);
  StillProcessor(lysozyme()).process(input_of(still), image, [&](const std::string& step) {
    heard.push_back(step);
  });
  ASSERT_EQ(heard.size(), 5U);
  EXPECT_EQ(heard[0], "spotfind_start");
  EXPECT_EQ(heard[1].rfind("spotfinding_ok_", 0), 0U);
  EXPECT_EQ(heard[2], "index_start");
  EXPECT_EQ(heard[3].rfind("index_ok_", 0), 0U);
  EXPECT_EQ(heard[4], "integrate_start");
}

TEST(ProcessStill, OneStillDoesNotChangeTheNext) {
  StillProcessor processor(lysozyme());
  const auto a = draw_still(11), b = draw_still(12);
  auto image_a = image_of(a), image_b = image_of(b);
  const auto first = processor.process(input_of(a), image_a);
  processor.process(input_of(b), image_b);
  const auto again = processor.process(input_of(a), image_a);
  ASSERT_EQ(first.lattices.size(), again.lattices.size());
  EXPECT_EQ(first.lattices[0].lattice.crystal.a_matrix, again.lattices[0].lattice.crystal.a_matrix);
  EXPECT_EQ(first.count, again.count);
}

} // namespace
} // namespace kilobragg::pipeline
