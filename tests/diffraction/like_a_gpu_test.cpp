// One pixel per thread, as on a GPU, gives what eight at once give on the host.
#include "tests/diffraction/model_numbers.hpp"
#include "tests/support/temporary_folder.hpp"

#include "kernels/diffraction/device_lane.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>

namespace kilobragg::diffraction {
namespace {

static_assert(lanes<DeviceLane> == 1, "this test is about one pixel per thread");

std::vector<double> numbers_of_eight_lanes(std::size_t count) {
  const kilobragg::testing::TemporaryFolder folder;
  const std::string path = (folder.path() / "numbers.bin").string();
  std::vector<double> numbers(count);
  if (std::system(("'" KILOBRAGG_WRITE_MODEL_NUMBERS "' '" + path + "'").c_str()) != 0) return {};
  std::ifstream(path, std::ios::binary)
      .read(reinterpret_cast<char*>(numbers.data()),
            static_cast<std::streamsize>(count * sizeof(double)));
  return numbers;
}

TEST(LikeAGpu, OnePixelPerThreadGivesWhatEightGive) {
  const auto one = testing::model_numbers();
  const auto eight = numbers_of_eight_lanes(one.size());
  ASSERT_EQ(one.size(), eight.size());
  constexpr std::size_t pixels = 2 * 75 * 70;
  for (std::size_t row = 0; row < one.size(); row += pixels) {
    double largest = 0;
    for (std::size_t i = row; i < row + pixels; ++i) largest = std::max(largest, std::abs(one[i]));
    ASSERT_GT(largest, 0) << "row " << row / pixels;
    const double rounding = row == 0 ? 2e-7 : 0; // the image is in single precision
    for (std::size_t i = row; i < row + pixels; ++i)
      ASSERT_NEAR(one[i], eight[i], 1e-12 * largest + rounding * eight[i])
          << "row " << row / pixels << " pixel " << i - row;
  }
}

} // namespace
} // namespace kilobragg::diffraction
