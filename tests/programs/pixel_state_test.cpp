// States of refinement against pixels come back bit for bit, damaged ones are refused, and options that
// results do not depend on may change.
#include "pixel_state.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>

namespace kilobragg::programs {
namespace {

PixelState some_state() {
  PixelState state;
  state.options = "merging.d_min = 2.0\npixels.cycles = 3\n";
  state.problem = "digest";
  state.serial = 7;
  state.cycle = 2;
  state.step = PixelStep::Stage2;
  state.f = {1.5, -0.0, std::nan(""), 5e-324};
  state.sigma = {0.1, 0.2, 0.3, 0.4};
  state.mean = {1, 2, 3, 4};
  state.measured = {1, 0, 1, 1};
  CycleFigures cycle;
  cycle.cycle = 1, cycle.shots = 20, cycle.refined = 19, cycle.evaluations = 321;
  cycle.sigma_z = 1.01, cycle.f = -1e7, cycle.end = "converged";
  state.cycles = {cycle, cycle};
  return state;
}

void expect_same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    EXPECT_EQ(std::bit_cast<std::uint64_t>(a[i]), std::bit_cast<std::uint64_t>(b[i])) << i;
}

TEST(PixelState, ComesBackBitForBit) {
  const testing::TemporaryFolder folder;
  const PixelState state = some_state();
  write_pixel_state(state, folder / "x.state");
  const PixelState back = read_pixel_state(folder / "x.state");
  EXPECT_EQ(back.options, state.options);
  EXPECT_EQ(back.problem, state.problem);
  EXPECT_EQ(back.serial, 7);
  EXPECT_EQ(back.cycle, 2);
  EXPECT_EQ(back.step, PixelStep::Stage2);
  expect_same_bits(back.f, state.f);
  expect_same_bits(back.sigma, state.sigma);
  expect_same_bits(back.mean, state.mean);
  EXPECT_EQ(back.measured, state.measured);
  ASSERT_EQ(back.cycles.size(), 2u);
  EXPECT_EQ(back.cycles[1].evaluations, 321);
  EXPECT_EQ(back.cycles[1].f, -1e7);
  EXPECT_TRUE(std::isnan(back.cycles[1].left_out));
  EXPECT_EQ(back.cycles[1].end, "converged");
  EXPECT_EQ(digest_of(back), digest_of(state));
}

TEST(PixelState, DigestTellsStatesApart) {
  const PixelState state = some_state();
  PixelState other = state;
  other.f[0] = std::nextafter(other.f[0], 2);
  EXPECT_NE(digest_of(other), digest_of(state));
  other = state;
  other.step = PixelStep::Predict;
  EXPECT_NE(digest_of(other), digest_of(state));
}

TEST(PixelState, DamagedOnesAreRefused) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "x.state";
  EXPECT_THROW(read_pixel_state(path), core::Error) << "there is none";
  write_pixel_state(some_state(), path);
  const auto size = std::filesystem::file_size(path);
  for (const auto part : {size - 1, size / 2, std::uintmax_t(1)}) {
    write_pixel_state(some_state(), path);
    std::filesystem::resize_file(path, part);
    EXPECT_THROW(read_pixel_state(path), core::Error) << part << " bytes of " << size;
  }
  write_pixel_state(some_state(), path);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(std::streamoff(size / 2));
  file.put('\x55');
  file.close();
  EXPECT_THROW(read_pixel_state(path), core::Error) << "a byte is wrong";
}

TEST(PixelState, OnlyOptionsThatMatterAreCompared) {
  const std::string before = "input.path = a\nmerging.d_min = 2.0\npixels.cycles = 3\n"
                             "pixels.stage1.shots_per_launch = 0\n";
  const std::string moved = "input.path = b\nmerging.d_min = 2.0\npixels.cycles = 3\n"
                            "pixels.stage1.shots_per_launch = 16\n";
  EXPECT_EQ(options_that_matter(before), options_that_matter(moved));
  EXPECT_TRUE(differing_merge_options(moved, before).empty());
  const std::string other = "input.path = b\nmerging.d_min = 1.8\npixels.cycles = 3\n";
  const auto differing = differing_merge_options(other, before);
  ASSERT_EQ(differing.size(), 1u);
  EXPECT_NE(differing[0].find("merging.d_min"), std::string::npos) << differing[0];
  EXPECT_NE(differing[0].find("1.8"), std::string::npos) << differing[0];
}

TEST(PixelState, ProgressOfAShotComesBack) {
  pixelrefinement::Stage1Result result;
  result.f = -12.5, result.sigma_z = 1.1, result.sigma_z_known = 1.2;
  result.pixels = 1000, result.boxes = 40, result.outliers = 3, result.evaluations = 17;
  result.parameters = {{"G", 0.5, 0.01}, {"RotXYZ0", 1e-4, 1e-5}};
  const std::string bytes = pack_progress({3, 2}, result);
  pixelrefinement::Stage1Result back;
  const ShotProgress progress = take_progress(bytes, back);
  EXPECT_EQ(progress.cut, 3);
  EXPECT_EQ(progress.refined, 2);
  EXPECT_EQ(back.f, result.f);
  EXPECT_EQ(back.sigma_z_known, 1.2);
  EXPECT_EQ(back.pixels, 1000u);
  EXPECT_EQ(back.outliers, 3u);
  EXPECT_EQ(back.evaluations, 17);
  ASSERT_EQ(back.parameters.size(), 2u);
  EXPECT_EQ(back.parameters[1].name, "RotXYZ0");
  EXPECT_EQ(back.parameters[1].sigma, 1e-5);
  EXPECT_THROW(take_progress(bytes.substr(0, bytes.size() - 1), back), core::Error);
}

} // namespace
} // namespace kilobragg::programs
