// Renders a nanoBragg command line, writes its -floatimage and prints the CPU seconds of the rendering.
#include "tests/support/nanobragg_command.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>

int main(int argc, char** argv) {
  using namespace kilobragg;
  std::string line;
  for (int i = 0; i < argc; ++i) line += std::string(argv[i]) + ' ';
  const testing::NanoBraggCommand command(line);
  const diffraction::DeviceReflections sphere(testing::read_hkl(command.text("hkl")));
  diffraction::RenderParams params = command.params();
  params.tail = command.number("tail", params.tail);
  diffraction::Renderer renderer(command.detector(), command.first_beam(), params);
  diffraction::Shot shot = command.shot();
  if (command.has("mosaic_spread")) shot.lattices[0].blocks = command.blocks(1);
  // Options that are ours alone: -tail, -repeats, -gaussian_spread (standard deviation, deg).
  const double spread = command.number("gaussian_spread", 0) * 3.14159265358979323846 / 180;
  shot.lattices[0].rotation = spread * spread * Mat3::identity();
  std::vector<float> image(renderer.pixel_count());
  // The best time after the first is that of a run of images.
  double seconds = 0;
  diffraction::RenderCounts counts;
  for (int i = 0; i <= int(command.number("repeats", 1)); ++i) {
    std::fill(image.begin(), image.end(), 0.0F);
    const std::clock_t start = std::clock();
    counts = renderer.add_peaks(shot, sphere, image);
    const double taken = double(std::clock() - start) / CLOCKS_PER_SEC;
    seconds = i < 2 ? taken : std::min(seconds, taken);
  }
  if (command.has("floatimage")) {
    std::FILE* file = std::fopen(command.text("floatimage").c_str(), "wb");
    if (file == nullptr ||
        std::fwrite(image.data(), sizeof(float), image.size(), file) != image.size() ||
        std::fclose(file) != 0)
      return 1;
  }
  std::printf("%.6f s, %zu peaks, %zu pixels evaluated\n", seconds, counts.peaks, counts.pixels);
  return 0;
}
