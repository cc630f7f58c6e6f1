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
  const auto sphere = read_hkl(folder / "P1.hkl");
  int compared = 0;
  for (const NanoBraggCommand& command : commands()) {
    const std::string name = command.text("floatimage");
    if (command.has("mosaic_spread")) continue;
    SCOPED_TRACE(name);
    const Renderer renderer(command.detector(), command.first_beam(), command.params());
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

} // namespace
} // namespace kilobragg::testing
