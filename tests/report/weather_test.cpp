// The weather plot keeps every image of a small run and a bounded grid of a large one.
#include "kilobragg/report/outcome.hpp"
#include "kilobragg/report/weather.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace kilobragg::report {
namespace {

using models::ExitState;
using Colour = std::array<int, 3>;

WeatherImage image(int rank, double start, std::array<double, models::step_count> seconds,
                   ExitState state = ExitState::IntegrateOk) {
  return {0, rank, start, seconds, state};
}

Colour colour(const io::Picture& picture, int x, int y) {
  const auto* at = picture.rgb.data() + 3 * (y * picture.width + x);
  return {at[0], at[1], at[2]};
}

constexpr Colour white{255, 255, 255}, green{0x00, 0x9e, 0x73}, orange{0xe6, 0x9f, 0x00},
    blue{0x00, 0x72, 0xb2}, black{0x11, 0x11, 0x11};
constexpr std::int64_t many = WeatherMap::most_images + 1;

TEST(Weather, SmallRunsKeepImages) {
  WeatherMap map(3, 10, 2);
  map.add(image(1, 0, {1, 1, 0, 0, 0, 0}));
  map.add(image(2, 5, {2, 0, 0, 0, 0, 0}));
  EXPECT_FALSE(map.is_grid());
  EXPECT_EQ(map.images().size(), 2u);
  EXPECT_NEAR(map.busy(), 4.0 / 20, 1e-12) << "rank 0 hands out and is not counted";
}

TEST(Weather, GridShowsWhatTookMostOfACell) {
  WeatherMap map(2, 1000, many); // one second per column
  map.add(image(0, 10, {1, 0, 3, 0, 0, 0}, ExitState::IndexingFailed));
  map.add(image(1, 20, {0.2, 0, 0, 0, 0.6, 0}));
  map.add(image(1, 30, {0.4, 0, 0, 0, 0, 0}));
  map.add(image(1, 40, {0, 0, 0, 0, 0, 0.7}, ExitState::Timeout));
  ASSERT_TRUE(map.is_grid());
  const auto steps = map.picture_of_steps(), outcomes = map.picture_of_outcomes();
  EXPECT_EQ(steps.width, 1000);
  EXPECT_EQ(steps.height, 2);
  EXPECT_EQ(colour(steps, 9, 1), white);
  EXPECT_EQ(colour(steps, 10, 1), green) << "rank 0 at the bottom reads";
  EXPECT_EQ(colour(steps, 11, 1), orange);
  EXPECT_EQ(colour(steps, 13, 1), orange);
  EXPECT_EQ(colour(steps, 14, 1), white);
  EXPECT_EQ(colour(steps, 20, 0), blue);
  EXPECT_EQ(colour(steps, 30, 0), white) << "mostly waiting";
  EXPECT_EQ(colour(outcomes, 10, 1), orange);
  EXPECT_EQ(colour(outcomes, 20, 0), blue);
  EXPECT_EQ(colour(outcomes, 40, 0), black);
}

TEST(Weather, ManyRanksShareRows) {
  WeatherMap map(4096, 10, many);
  EXPECT_EQ(map.rows(), 1024);
  EXPECT_EQ(map.ranks_per_row(), 4);
  for (const int rank : {4093, 4094}) map.add(image(rank, 0, {10, 0, 0, 0, 0, 0}));
  EXPECT_EQ(colour(map.picture_of_steps(), 500, 0), green) << "half of the row's ranks";
  map.add(image(3, 0, {10, 0, 0, 0, 0, 0}));
  EXPECT_EQ(colour(map.picture_of_steps(), 500, 1023), white) << "a quarter";
}

TEST(Weather, FewImagesOnMoreRanksThanRowsAreAGrid) {
  WeatherMap map(4096, 10, 1500);
  for (int i = 0; i < 1500; ++i) map.add(image(4095 - i, 0, {10, 0, 0, 0, 0, 0}));
  ASSERT_TRUE(map.is_grid());
  EXPECT_EQ(colour(map.picture_of_steps(), 500, 0), green);
  const auto figures = weather_figures(map, {});
  EXPECT_EQ(figures.find(" -"), std::string::npos) << "a box above the plot";
  // As many ranks as rows still have a row each.
  WeatherMap most(1024, 10, 2);
  most.add(image(0, 0, {10, 0, 0, 0, 0, 0}));
  most.add(image(1023, 0, {10, 0, 0, 0, 0, 0}));
  EXPECT_FALSE(most.is_grid());
  EXPECT_NE(weather_figures(most, {}).find("M0 0.08h"), std::string::npos);
  EXPECT_NE(weather_figures(most, {}).find("M0 1023.08h"), std::string::npos);
}

TEST(Weather, ImagesBeyondTheEdgesAreHarmless) {
  WeatherMap map(2, 10, many);
  map.add(image(5, 0, {1, 0, 0, 0, 0, 0}));
  map.add(image(0, 9.999, {100, 0, 0, 0, 0, 0}));
  map.add(image(0, -5, {1, 0, 0, 0, 0, 0}));
  EXPECT_EQ(map.picture_of_steps().rgb.size(), 3u * 1000 * 2);
  EXPECT_TRUE(weather_figures(WeatherMap(), {}).empty());
}

TEST(Weather, FiguresAreBounded) {
  WeatherMap full(64, 1000, WeatherMap::most_images);
  for (int i = 0; i < WeatherMap::most_images; ++i)
    full.add(image(i % 64, i * 0.45, {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}));
  const auto figures = weather_figures(full, {500});
  EXPECT_LT(figures.size(), 1'500'000u);
  EXPECT_NE(figures.find("resumed"), std::string::npos);
}

} // namespace
} // namespace kilobragg::report
