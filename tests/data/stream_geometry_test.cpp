// The geometry that streams hold, beside one that was written for CrystFEL by other means.
#include "src/io/stream_geometry.hpp"
#include "support/parsed_stream.hpp"
#include "support/test_data.hpp"

#include "kilobragg/io/image_reader.hpp"

#include <fstream>
#include <sstream>

namespace kilobragg::io {
namespace {

testing::StreamGeometry geometry_of(std::istream& text) {
  testing::StreamGeometry geometry;
  for (std::string line; std::getline(text, line);) geometry.take(line);
  geometry.finish();
  return geometry;
}

/// A pixel's position in the laboratory (m).
Vec3 position(const testing::StreamGeometry& geometry, const testing::StreamPanel& p, double fs,
              double ss) {
  return (Vec3{p.corner_x, p.corner_y, (geometry.clen + p.coffset) * p.res} + fs * p.fs +
          ss * p.ss) /
         p.res;
}

TEST(StreamGeometry, IsThatOfTheFileMadeForCrystfel) {
  KILOBRAGG_NEEDS_TEST_DATA();
  const auto data = testing::test_data();
  const auto reader = open_images((data / "images" / "lysozyme_nanobragg.h5").string());
  std::istringstream text(
      stream_geometry(*reader->detector(), reader->beam(0), reader->source(0).dataset));
  const auto ours = geometry_of(text);
  std::ifstream file(data / "reference" / "lysozyme_nanobragg.geom");
  const auto theirs = geometry_of(file);
  ASSERT_EQ(ours.panels.size(), 4u);
  ASSERT_EQ(theirs.panels.size(), 4u);
  for (const char* key : {"data", "dim0", "dim2", "dim3", "p2/dim1", "p2/max_fs", "p2/max_ss"})
    EXPECT_EQ(ours.values.at(key), theirs.values.at(key)) << key;
  double worst = 0;
  for (const auto& [name, panel] : theirs.panels)
    for (const double fs : {0.0, 512.0})
      for (const double ss : {0.0, 512.0})
        worst = std::max(worst, norm(position(ours, ours.panels.at(name), fs, ss) -
                                     position(theirs, panel, fs, ss)));
  EXPECT_LT(worst, 1e-7) << "a thousandth of a pixel";
}

} // namespace
} // namespace kilobragg::io
