// The whole chain from mean photons to written counts.
#include "kilobragg/core/error.hpp"
#include "kilobragg/diffraction/recording.hpp"
#include "kilobragg/diffraction/renderer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace kilobragg::diffraction {
namespace {

using Counts = std::vector<std::int32_t>;

models::Detector two_panels() {
  models::Detector detector;
  detector.panels.resize(2);
  for (auto& panel : detector.panels) panel.image_size = {90, 80};
  return detector;
}

/// A few bright pixels on a background that rises over the image.
std::vector<float> sample_means() {
  std::vector<float> means(14400);
  for (std::size_t i = 0; i < means.size(); ++i)
    means[i] = i % 997 == 500 ? 900.0F : 0.001F * static_cast<float>(i);
  return means;
}

TEST(RecordImage, IsCountPhotonsWhereNothingElseIsAsked) {
  const auto means = sample_means();
  Counts recorded(means.size()), counted(means.size());
  for (bool poisson : {true, false})
    for (double gain : {1.0, 0.5, 3.7}) {
      RecordParams params;
      params.poisson = poisson;
      params.response = LinearResponse{.gain = gain};
      record_image(two_panels(), params, means, {17, 3, 0}, recorded);
      count_photons(means, {.poisson = poisson, .gain = gain, .seed = 17}, 3, counted);
      EXPECT_EQ(recorded, counted) << poisson << ' ' << gain;
    }
}

TEST(RecordImage, SpreadsPhotonsAfterTheyAreDrawn) {
  // Neighbours of a smooth image are independent without point spread and alike with it.
  const std::vector<float> means(14400, 20.0F);
  const auto likeness = [&](const RecordParams& params) {
    Counts counts(means.size());
    record_image(two_panels(), params, means, {5, 0, 0}, counts);
    double next = 0, square = 0;
    for (std::size_t i = 0; i + 1 < counts.size(); ++i) {
      next += (counts[i] - 2000.0) * (counts[i + 1] - 2000.0);
      square += (counts[i] - 2000.0) * (counts[i] - 2000.0);
    }
    return next / square;
  };
  RecordParams params;
  params.response = LinearResponse{.gain = 100};
  EXPECT_NEAR(likeness(params), 0, 5 / std::sqrt(14400.0));
  params.point_spread = PointSpreadParams{PointSpreadShape::Gaussian, 150, 0};
  EXPECT_GT(likeness(params), 0.4);
}

TEST(RecordImage, CalibratesGainStages) {
  const auto means = sample_means();
  RecordParams params;
  params.poisson = false;
  params.response = jungfrau(12.4);
  params.counts_per_photon = 10;
  params.lowest = -100;
  Counts counts(means.size());
  record_image(two_panels(), params, means, {5, 0, 0}, counts);
  for (std::size_t i = 0; i < means.size(); ++i) {
    const double sigma = means[i] > 806 ? 9.2 : means[i] > 25 ? 0.73 : 0.025;
    ASSERT_NEAR(0.1 * counts[i], static_cast<double>(means[i]), 6 * sigma + 0.1) << i;
  }
  EXPECT_LT(*std::min_element(counts.begin(), counts.end()), 1) << "dark pixels scatter around 0";
}

TEST(RecordImage, IsTheSameEachTimeAndAnotherForEachImage) {
  const auto means = sample_means();
  RecordParams params;
  params.point_spread = PointSpreadParams{PointSpreadShape::Fibre, 80, 6};
  params.response = LinearResponse{1.8, 40, 3, 0.03, 1, 0, 65535};
  Counts first(means.size()), again(means.size()), other(means.size());
  record_image(two_panels(), params, means, {5, 8, 0}, first);
  record_image(two_panels(), params, means, {5, 8, 0}, again);
  record_image(two_panels(), params, means, {5, 9, 0}, other);
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
}

TEST(RecordImage, RefusesOtherSizes) {
  Counts counts(14400);
  EXPECT_THROW(record_image(two_panels(), {}, std::vector<float>(3), {}, counts), core::Error);
  Counts few(3);
  EXPECT_THROW(record_image(two_panels(), {}, sample_means(), {}, few), core::Error);
}

} // namespace
} // namespace kilobragg::diffraction
