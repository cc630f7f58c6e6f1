// Counts the strong spots of every frame of an image file: KiloBragg used as a library.
#include <kilobragg/io/image_reader.hpp>
#include <kilobragg/spotfinding/spot_finder.hpp>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: find_spots IMAGES\n");
    return 2;
  }
  try {
    const auto images = kilobragg::io::open_images(argv[1]);
    kilobragg::spotfinding::SpotFinder finder({});
    for (std::int64_t frame = 0; frame < images->frame_count(); ++frame) {
      const auto spots = finder.find(images->read(frame), *images->detector(), images->beam(frame));
      std::printf("%s %zu spots\n", images->source(frame).tag().c_str(), spots.size());
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
