// Strong spots on every frame of the four data sets against the lists that DIALS made of them.
#include "support/test_data.hpp"

#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/spotfinding/spot_finder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

namespace kilobragg {
namespace {

using spotfinding::SpotfinderParams;
using spotfinding::ThresholdAlgorithm;

struct DataSet {
  std::string name;
  SpotfinderParams params;
};

/// The options that the reference lists were made with.
std::vector<DataSet> data_sets() {
  std::vector<DataSet> sets(4);
  sets[0].name = "thermolysin_cspad";
  sets[0].params.filter.min_spot_size = 2;
  sets[0].params.dispersion.gain = 25;
  sets[0].params.dispersion.global_threshold = 100;
  sets[1].name = "rayonix_mfx";
  sets[1].params.filter.min_spot_size = 2;
  sets[1].params.filter.d_min = 2;
  sets[1].params.filter.d_max = 18;
  sets[1].params.dispersion.gain = 0.46;
  sets[1].params.dispersion.global_threshold = 100;
  sets[2].name = "thaumatin_i24";
  sets[2].params.filter.min_spot_size = 3;
  sets[2].params.filter.d_min = 1.8;
  sets[3].name = "lysozyme_nanobragg";
  sets[3].params.filter.min_spot_size = 2;
  return sets;
}

struct ReferenceSpot {
  int panel = 0, n_signal = 0;
  double x = 0, y = 0, intensity = 0;
  models::PixelBox box;
};

/// Columns frame,panel,x_px,y_px,intensity,n_signal,x0,x1,y0,y1; spots in DIALS's order.
std::map<int, std::vector<ReferenceSpot>> read_reference(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  std::map<int, std::vector<ReferenceSpot>> frames;
  while (std::getline(file, line)) {
    std::replace(line.begin(), line.end(), ',', ' ');
    std::istringstream fields(line);
    int frame = 0;
    ReferenceSpot s;
    fields >> frame >> s.panel >> s.x >> s.y >> s.intensity >> s.n_signal >> s.box.x0 >> s.box.x1 >>
        s.box.y0 >> s.box.y1;
    EXPECT_TRUE(fields) << path << ": " << line;
    frames[frame].push_back(s);
  }
  return frames;
}

/// Totals of one data set for the table that the test prints.
struct Comparison {
  std::size_t frames = 0, found = 0, expected = 0, different = 0;
  double worst = 0; ///< largest distance of centroids along x or y (px)
};

void compare_frame(const models::SpotList& list, const std::vector<ReferenceSpot>& expected,
                   Comparison& total) {
  ++total.frames;
  total.found += list.size();
  total.expected += expected.size();
  ASSERT_EQ(list.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const models::Spot& spot = list.spots[i];
    const ReferenceSpot& other = expected[i];
    const bool same =
        spot.panel == other.panel && static_cast<int>(spot.pixel_count) == other.n_signal &&
        spot.box.x0 == other.box.x0 && spot.box.x1 == other.box.x1 && spot.box.y0 == other.box.y0 &&
        spot.box.y1 == other.box.y1 && std::abs(spot.intensity - other.intensity) < 0.06;
    total.different += !same;
    total.worst =
        std::max({total.worst, std::abs(spot.px.x - other.x), std::abs(spot.px.y - other.y)});
  }
}

class RealFrames : public ::testing::TestWithParam<ThresholdAlgorithm> {};

TEST_P(RealFrames, SameSpotsAsDials) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const bool extended = GetParam() == ThresholdAlgorithm::DispersionExtended;
  const std::string algorithm = extended ? "dispersion_extended" : "dispersion";
  for (DataSet& set : data_sets()) {
    set.params.algorithm = GetParam();
    const auto data = testing::test_data();
    auto reference =
        read_reference(data / "reference" / (set.name + ".strong." + algorithm + ".csv"));
    const auto reader = io::open_images((data / "images" / (set.name + ".h5")).string());
    spotfinding::SpotFinder finder(set.params);
    Comparison total;
    for (std::int64_t frame = 0; frame < reader->frame_count(); ++frame) {
      SCOPED_TRACE(set.name + " frame " + std::to_string(frame));
      const auto list = finder.find(reader->read(frame), *reader->detector(), reader->beam(frame));
      compare_frame(list, reference[static_cast<int>(frame)], total);
    }
    std::printf("| %s | %s | %zu | %zu | %zu | %zu | %.4f |\n", set.name.c_str(), algorithm.c_str(),
                total.frames, total.found, total.expected, total.different, total.worst);
    EXPECT_GT(total.expected, 100u) << set.name;
    EXPECT_EQ(total.different, 0u) << set.name;
    EXPECT_LE(total.worst, 0.001) << set.name; // the lists give three decimals
  }
}

INSTANTIATE_TEST_SUITE_P(Algorithms, RealFrames,
                         ::testing::Values(ThresholdAlgorithm::Dispersion,
                                           ThresholdAlgorithm::DispersionExtended));

} // namespace
} // namespace kilobragg
