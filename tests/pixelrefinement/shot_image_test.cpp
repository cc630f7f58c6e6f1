// Images of shots: boxes in use follow their pixels, boxes left out know nothing of theirs.
#include "tests/support/pixel_shots.hpp"

#include "kilobragg/pixelrefinement/shot_image.hpp"

#include <gtest/gtest.h>

namespace kilobragg::pixelrefinement {
namespace {

using testing::make_pixel_shot;
using testing::PixelShot;

TEST(ShotImage, BoxesLeftOutAreLitByFAsItIs) {
  PixelShot shot = make_pixel_shot({.sigma = 0.3});
  for (std::size_t b = 0; b < shot.pixels.boxes.size(); ++b) {
    ReflectionBox& box = shot.pixels.boxes[b];
    box.state = b % 3 == 0   ? BoxState::Used
                : b % 3 == 1 ? BoxState::LeftOut
                             : BoxState::NoBackground;
    // Twice the light that F gives.
    for (std::size_t i = box.first; i < box.first + box.box.size(); ++i)
      shot.pixels.value[i] = float(double(shot.pixels.background[i]) + 2 * shot.bragg[i]);
  }
  const ShotImage image = model_image(shot.truth, shot.pixels, shot.table, shot.sphere, {});
  ASSERT_EQ(image.bragg.size(), shot.bragg.size());
  double in_use = 0, as_known = 0;
  for (std::size_t b = 0; b < shot.pixels.boxes.size(); ++b) {
    const ReflectionBox& box = shot.pixels.boxes[b];
    for (std::size_t i = box.first; i < box.first + box.box.size(); ++i) {
      if (box.state == BoxState::LeftOut) {
        EXPECT_NEAR(image.bragg[i], shot.bragg[i], 1e-9 + 1e-9 * shot.bragg[i]);
      } else if (box.state == BoxState::NoBackground) {
        EXPECT_EQ(image.bragg[i], 0);
      } else {
        in_use += image.bragg[i];
        as_known += shot.bragg[i];
      }
    }
    if (box.state != BoxState::Used) {
      EXPECT_EQ(image.box_scale[b], 0);
    }
  }
  EXPECT_NEAR(in_use / as_known, 2, 0.1);
}

} // namespace
} // namespace kilobragg::pixelrefinement
