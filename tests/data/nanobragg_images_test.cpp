// Our images beside those of nanoBragg standalone, from the same command lines.
#include "tests/support/nanobragg_command.hpp"
#include "tests/support/test_data.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <iostream>

namespace kilobragg::testing {
namespace {

using diffraction::Renderer;

std::vector<NanoBraggCommand> commands() {
  std::vector<NanoBraggCommand> all;
  std::ifstream file(test_data() / "nanobragg" / "commands.txt");
  for (std::string line; std::getline(file, line);)
    if (!line.empty()) all.emplace_back(line);
  return all;
}

TEST(NanoBraggImages, AgreeInEveryBrightPixel) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const auto folder = test_data() / "nanobragg";
  const diffraction::DeviceReflections sphere(read_hkl(folder / "P1.hkl"));
  int compared = 0;
  for (const NanoBraggCommand& command : commands()) {
    const std::string name = command.text("floatimage");
    if (command.has("mosaic_spread")) continue;
    SCOPED_TRACE(name);
    Renderer renderer(command.detector(), command.first_beam(), command.params());
    std::vector<float> ours(renderer.pixel_count());
    renderer.add_peaks(command.shot(), sphere, ours);
    const auto theirs = read_floats(folder / name);
    ASSERT_EQ(theirs.size(), ours.size());
    const ImageDifference difference = compare_images(ours, theirs);
    std::cout << name << ": " << difference.compared << " pixels, largest difference "
              << difference.largest << '\n';
    EXPECT_GT(difference.compared, 50U);
    EXPECT_LT(difference.largest, 1e-5)
        << "at " << difference.index % 256 << ", " << difference.index / 256 << ": "
        << ours[difference.index] << " and " << theirs[difference.index];
    ++compared;
  }
  EXPECT_EQ(compared, 9);
}

/// Two sets of as many blocks as nanoBragg drew differ from each other by what ours and its differ.
TEST(NanoBraggImages, TwoHundredBlocksAgreeWithinTheirScatter) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const auto folder = test_data() / "nanobragg";
  const diffraction::DeviceReflections sphere(read_hkl(folder / "P1.hkl"));
  for (const NanoBraggCommand& command : commands()) {
    if (!command.has("mosaic_spread")) continue;
    Renderer renderer(command.detector(), command.first_beam(), command.params());
    constexpr int sets = 8;
    std::vector<std::vector<float>> ours(sets, std::vector<float>(renderer.pixel_count()));
    for (int set = 0; set < sets; ++set) {
      diffraction::Shot shot = command.shot();
      shot.lattices[0].blocks = command.blocks(std::uint64_t(set) + 1);
      renderer.add_peaks(shot, sphere, ours[std::size_t(set)]);
    }
    const auto theirs = read_floats(folder / command.text("floatimage"));
    // Sum over pixels of (difference from the mean of our sets)^2 / their variance.
    double chi2 = 0;
    int pixels = 0;
    for (std::size_t i = 0; i < theirs.size(); ++i) {
      double mean = 0, square = 0;
      for (const auto& image : ours) {
        mean += static_cast<double>(image[i]) / sets;
        square += static_cast<double>(image[i]) * static_cast<double>(image[i]) / sets;
      }
      const double variance = (square - mean * mean) * sets / (sets - 1);
      if (mean < 1e-3 || variance <= 0) continue;
      const double difference = static_cast<double>(theirs[i]) - mean;
      chi2 += difference * difference / (variance * (1 + 1.0 / sets));
      ++pixels;
    }
    // The square of a Student variable of sets - 1 degrees of freedom has the mean 7 / 5.
    std::cout << pixels << " pixels, mean square of their deviation " << chi2 / pixels << '\n';
    EXPECT_GT(pixels, 1000);
    EXPECT_GT(chi2 / pixels, 0.5);
    EXPECT_LT(chi2 / pixels, 3);
  }
}

} // namespace
} // namespace kilobragg::testing
