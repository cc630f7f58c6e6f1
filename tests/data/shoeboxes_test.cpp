// Shoeboxes about DIALS's predictions in real images: what rises above their planes is DIALS's intensity.
#include "support/csv_table.hpp"
#include "support/test_data.hpp"

#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/pixelrefinement/shoeboxes.hpp"

#include <cmath>
#include <cstdio>
#include <map>

namespace kilobragg::pixelrefinement {
namespace {

struct Frame {
  std::vector<PredictedSpot> spots;
  std::vector<double> intensity, variance;
};

/// DIALS's reflections of the first `count` frames that it integrated; cores of `radius` pixels.
std::map<int, Frame> read_frames(const std::string& set, std::size_t count, int radius) {
  const auto csv =
      testing::read_csv(testing::test_data() / "reference" / (set + ".integrated.csv"));
  std::map<int, Frame> frames;
  for (std::size_t i = 0; i < csv.rows; ++i) {
    const int number = int(csv["frame"][i]);
    if (!frames.contains(number) && frames.size() == count) break;
    Frame& frame = frames[number];
    const double x = csv["x_px"][i], y = csv["y_px"][i];
    const int cx = int(x), cy = int(y);
    frame.spots.push_back({{int(csv["h"][i]), int(csv["k"][i]), int(csv["l"][i])},
                           0,
                           int(csv["panel"][i]),
                           {cx - radius, cx + radius + 1, cy - radius, cy + radius + 1},
                           {x, y},
                           0});
    frame.intensity.push_back(csv["intensity"][i]);
    frame.variance.push_back(csv["variance"][i]);
  }
  return frames;
}

/// Sum of value - background over the core of a box (photons).
double summed(const ShotPixels& pixels, std::size_t i, const models::PixelBox& core) {
  const ReflectionBox& box = pixels.boxes[i];
  double sum = 0;
  std::size_t at = box.first;
  for (int y = box.box.y0; y < box.box.y1; ++y)
    for (int x = box.box.x0; x < box.box.x1; ++x, ++at)
      if (x >= core.x0 && x < core.x1 && y >= core.y0 && y < core.y1)
        sum += pixels.value[at] - pixels.background[at];
  return sum;
}

/// Sums of pairs, for a correlation and the slope through the origin.
struct Pairs {
  double n = 0, a = 0, b = 0, aa = 0, ab = 0, bb = 0;
  void add(double x, double y) { ++n, a += x, b += y, aa += x * x, ab += x * y, bb += y * y; }
  double correlation() const {
    return (ab - a * b / n) / std::sqrt((aa - a * a / n) * (bb - b * b / n));
  }
  double slope() const { return ab / aa; }
};

struct Case {
  const char* set;
  std::size_t frames;
  int radius;
  double gain; ///< counts per photon
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.set; }

class Sets : public ::testing::TestWithParam<Case> {};

TEST_P(Sets, RiseAboveThePlaneByTheIntensity) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const Case& of = GetParam();
  const auto reader =
      io::open_images((testing::test_data() / "images" / (std::string(of.set) + ".h5")).string());
  const auto detector = reader->detector();
  ShoeboxParams params;
  params.gain = of.gain;
  Pairs pairs;
  BoxCounts counts{};
  double used = 0, pixels_in_all = 0;
  for (const auto& [number, frame] : read_frames(of.set, of.frames, of.radius)) {
    const auto pixels =
        cut_shoeboxes(reader->read(number), *detector, frame.spots, std::to_string(number), params);
    const BoxCounts here = count_boxes(pixels.boxes);
    for (std::size_t s = 0; s < counts.size(); ++s) counts[s] += here[s];
    for (const auto flag : pixels.used) used += flag;
    pixels_in_all += double(pixels.size());
    for (std::size_t i = 0; i < frame.spots.size(); ++i)
      if (is_good(pixels.boxes[i].state))
        pairs.add(frame.intensity[i], summed(pixels, i, frame.spots[i].core) * of.gain);
  }
  std::printf("  %s: %g boxes good, CC %.5f, slope %.4f, mean %.2f (DIALS %.2f), pixels used %.3f; "
              "states",
              of.set, pairs.n, pairs.correlation(), pairs.slope(), pairs.b / pairs.n,
              pairs.a / pairs.n, used / pixels_in_all);
  std::size_t all = 0;
  for (const std::size_t count : counts) std::printf(" %zu", count), all += count;
  std::printf("\n");
  EXPECT_GT(pairs.n, 0.9 * double(all));
  EXPECT_GT(pairs.correlation(), 0.99);
  EXPECT_NEAR(pairs.slope(), 1, 0.05);
}

INSTANTIATE_TEST_SUITE_P(Real, Sets,
                         ::testing::Values(Case{"lysozyme_nanobragg", 12, 4, 1},
                                           Case{"thermolysin_cspad", 2, 3, 25}),
                         [](const auto& test_case) { return std::string(test_case.param.set); });

} // namespace
} // namespace kilobragg::pixelrefinement
