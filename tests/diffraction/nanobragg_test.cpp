// Small images of nanoBragg standalone (tests/reference/nanobragg) and ours from the same command lines.
#include "tests/support/nanobragg_command.hpp"

#include <gtest/gtest.h>

namespace kilobragg::testing {
namespace {

/// The amplitudes that tests/reference/nanobragg/make.py gives to nanoBragg.
diffraction::ReflectionSphere amplitudes() {
  diffraction::ReflectionSphere sphere;
  for (int h = -20; h <= 20; ++h)
    for (int k = -20; k <= 20; ++k)
      for (int l = -20; l <= 20; ++l) {
        const int mixed = 7 * h + 13 * k + 29 * l, f = 50 + (mixed % 101 + 101) % 101;
        sphere.hkl.push_back({h, k, l});
        sphere.f_squared.push_back(double(f) * f);
      }
  return sphere;
}

TEST(NanoBragg, SameCommandSameImage) {
  const std::string folder = KILOBRAGG_SOURCE_DIR "/tests/reference/nanobragg/";
  const diffraction::DeviceReflections sphere(amplitudes());
  std::ifstream commands(folder + "commands.txt");
  int images = 0;
  for (std::string line; std::getline(commands, line); ++images) {
    const NanoBraggCommand command(line);
    const std::string name = command.text("floatimage");
    SCOPED_TRACE(name);
    diffraction::Renderer renderer(command.detector(), command.first_beam(), command.params());
    std::vector<float> ours(renderer.pixel_count());
    renderer.add_peaks(command.shot(), sphere, ours);
    const auto theirs = read_floats(folder + name);
    ASSERT_EQ(theirs.size(), ours.size());
    const ImageDifference difference = compare_images(ours, theirs);
    EXPECT_GT(difference.compared, 30U);
    EXPECT_LT(difference.largest, 1e-5)
        << "at " << difference.index % 32 << ", " << difference.index / 32 << ": "
        << ours[difference.index] << " and " << theirs[difference.index];
  }
  EXPECT_EQ(images, 9);
}

} // namespace
} // namespace kilobragg::testing
