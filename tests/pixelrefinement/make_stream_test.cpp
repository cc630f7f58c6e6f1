// Streams against the forward model: every pixel is what its segments and its background say.
#include "tests/support/pixel_shots.hpp"

#include "kilobragg/pixelrefinement/make_stream.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace kilobragg::pixelrefinement {
namespace {

using testing::make_pixel_shot;
using testing::PixelShot;

/// Values become the pixels' numbers, so that a stream tells which pixels it holds.
void number_pixels(PixelShot& shot) {
  for (std::size_t i = 0; i < shot.pixels.size(); ++i) shot.pixels.value[i] = float(i);
}

/// What a stream says of a pixel.
struct Streamed {
  double photons = 0; ///< with the table's F
  double background = 0;
  float readout = 0;
  bool left_out = false, shared = false;
};

std::map<std::size_t, Streamed> read(const ShotStream& stream, const FactorTable& table) {
  std::map<std::size_t, Streamed> pixels;
  const auto f_squared = [&](std::int32_t row) {
    return table.f[std::size_t(row)] * table.f[std::size_t(row)];
  };
  for (const StreamSegment& segment : stream.segments)
    for (std::int64_t i = segment.first; i < segment.first + segment.count; ++i) {
      const auto at = std::size_t(i);
      const double b = double(stream.background[at]);
      const Streamed pixel{b + f_squared(segment.unknown) * double(stream.kernel[at]), b,
                           stream.readout.empty()       ? 0
                           : stream.readout.size() == 1 ? stream.readout[0]
                                                        : stream.readout[at],
                           segment.left_out, false};
      EXPECT_TRUE(pixels.emplace(std::size_t(stream.value[at]), pixel).second);
    }
  for (const SharedPixel& shared : stream.shared) {
    Streamed pixel{double(shared.background), double(shared.background), shared.readout,
                   shared.left_out, true};
    EXPECT_GT(shared.count, 1);
    for (std::int32_t i = shared.first; i < shared.first + shared.count; ++i) {
      const SharedPart& part = stream.parts[std::size_t(i)];
      const StreamSegment& segment = stream.segments[std::size_t(part.segment)];
      EXPECT_EQ(segment.left_out, shared.left_out);
      pixel.photons += f_squared(segment.unknown) * double(part.kernel);
    }
    EXPECT_TRUE(pixels.emplace(std::size_t(shared.value), pixel).second);
  }
  return pixels;
}

ShotStream stream_of(const PixelShot& shot, const StreamParams& params) {
  return make_stream(shot.truth, shot.pixels, shot.table, shot.sphere, mean_intensities(shot.table),
                     params);
}

void expect_the_forward_model(PixelShot& shot, double b_factor) {
  number_pixels(shot);
  shot.truth.b_factor = b_factor;
  const StreamParams params{.oversample = 2, .tail = 1e-7, .negligible = 0.01};
  const ShotStream stream = stream_of(shot, params);
  const auto near = reflections_near(shot.truth, shot.sphere, 0.01);
  const auto expected =
      testing::bragg_of(shot.truth, shot.pixels, with_factors(near, shot.table, b_factor),
                        {.oversample = params.oversample, .tail = params.tail});
  const auto found = read(stream, shot.table);
  std::size_t shared = 0;
  for (const auto& [pixel, streamed] : found) {
    const double b = double(shot.pixels.background[pixel]), m = b + expected[pixel];
    EXPECT_NEAR(streamed.photons, m, 1e-5 * m) << pixel;
    EXPECT_EQ(streamed.readout, shot.pixels.readout_of(pixel));
    EXPECT_EQ(shot.pixels.used[pixel], 1);
    EXPECT_GE(streamed.background, b * (1 - 1e-6)); // negligible light lies in it
    shared += streamed.shared ? 1 : 0;
  }
  EXPECT_GT(found.size(), 300u);
  EXPECT_EQ(shared > 0, shot.truth.lattices.size() > 1);
  // What is not there has no light to speak of at mean |F|^2.
  const auto mean =
      testing::bragg_of(shot.truth, shot.pixels, with_values(near, mean_intensities(shot.table), 0),
                        {.oversample = params.oversample, .tail = params.tail});
  for (std::size_t i = 0; i < shot.pixels.size(); ++i) {
    if (shot.pixels.used[i] == 0 || found.contains(i)) continue;
    const double noise = double(shot.pixels.readout_of(i));
    EXPECT_LT(mean[i] * std::exp(-0.5 * b_factor / 9),
              3 * 0.01 * std::sqrt(double(shot.pixels.background[i]) + noise * noise));
  }
}

TEST(MakeStream, IsTheForwardModel) {
  for (const int lattices : {1, 2})
    for (const double readout : {0.0, 0.3}) {
      PixelShot shot = make_pixel_shot({.lattices = lattices, .readout = readout});
      expect_the_forward_model(shot, 0);
    }
}

TEST(MakeStream, HoldsBAndScalesAndMatesTogether) {
  PixelShot shot = make_pixel_shot({.lattices = 2, .bijvoet_apart = false});
  shot.truth.lattices[0].scale *= 3;
  shot.pixels.readout.assign(shot.pixels.size(), 0.2f);
  shot.pixels.readout[7] = 0.7f;
  for (std::size_t i = 0; i < shot.pixels.size(); i += 5) shot.pixels.used[i] = 0;
  expect_the_forward_model(shot, 8);
}

TEST(MakeStream, SortsSegmentsByTheirRow) {
  const PixelShot shot = make_pixel_shot({.lattices = 2});
  const ShotStream stream = stream_of(shot, {});
  EXPECT_EQ(stream.lattices, 2);
  ASSERT_GT(stream.segments.size(), 50u);
  std::int64_t next = 0;
  for (std::size_t i = 0; i < stream.segments.size(); ++i) {
    const StreamSegment& s = stream.segments[i];
    EXPECT_EQ(s.first, next);
    next += s.count;
    const double d = shot.table.cell.d(shot.table.index[std::size_t(s.unknown)].miller());
    EXPECT_NEAR(double(s.inv_d2), 1 / (d * d), 1e-6);
    if (i == 0) continue;
    const StreamSegment& before = stream.segments[i - 1];
    EXPECT_LT(std::tie(before.unknown, before.lattice, before.left_out),
              std::tie(s.unknown, s.lattice, s.left_out));
  }
  EXPECT_EQ(std::size_t(next), stream.kernel.size());
  EXPECT_EQ(stream.value.size(), stream.kernel.size());
  EXPECT_EQ(stream.background.size(), stream.kernel.size());
  EXPECT_TRUE(std::is_sorted(stream.shared.begin(), stream.shared.end(),
                             [](const auto& a, const auto& b) { return a.first < b.first; }));
}

TEST(MakeStream, MarksLeftOutBoxesAndLeavesBadOnesOut) {
  PixelShot shot = make_pixel_shot({.lattices = 2});
  number_pixels(shot);
  for (std::size_t b = 0; b < shot.pixels.boxes.size(); ++b)
    shot.pixels.boxes[b].state = b % 5 == 0   ? BoxState::LeftOut
                                 : b % 7 == 0 ? BoxState::Overlapped
                                              : BoxState::Used;
  const auto found = read(stream_of(shot, {}), shot.table);
  std::size_t left_out = 0;
  for (std::size_t b = 0; b < shot.pixels.boxes.size(); ++b) {
    const ReflectionBox& box = shot.pixels.boxes[b];
    for (std::size_t i = box.first; i < box.first + box.box.size(); ++i) {
      const auto at = found.find(i);
      if (at == found.end()) continue;
      EXPECT_NE(box.state, BoxState::Overlapped);
      EXPECT_EQ(at->second.left_out, box.state == BoxState::LeftOut);
      left_out += at->second.left_out ? 1 : 0;
    }
  }
  EXPECT_GT(left_out, 50u);
}

TEST(MakeStream, OfNothingIsEmpty) {
  PixelShot shot = make_pixel_shot({.lattices = 2});
  for (ReflectionBox& box : shot.pixels.boxes) box.state = BoxState::Untrusted;
  const ShotStream stream = stream_of(shot, {});
  EXPECT_TRUE(stream.segments.empty() && stream.shared.empty() && stream.kernel.empty());
  EXPECT_EQ(stream.lattices, 2);
  shot.pixels = {};
  EXPECT_TRUE(stream_of(shot, {}).segments.empty());
}

TEST(MakeStream, TellsEnergiesApart) {
  PixelShot shot = make_pixel_shot({.lattices = 2});
  testing::give_energies(shot);
  expect_the_forward_model(shot, 5);
  std::vector<std::size_t> segments(3);
  for (const StreamSegment& s : stream_of(shot, {}).segments)
    ++segments[std::size_t(s.unknown) / shot.table.layer_size()];
  for (const std::size_t n : segments) EXPECT_GT(n, 50u);
}

} // namespace
} // namespace kilobragg::pixelrefinement
