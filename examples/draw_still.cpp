// Draws one integrated still with its found and predicted spots as a PNG.
//
//   draw_still idx-0000_integrated.expt NUMBER still.png [WIDTH [X0 Y0 X1 Y1]]
//
// NUMBER is the experiment in the file (0 = the first); the reflection files beside the .expt are
// found by their names. X0 ... Y1 (mm in the laboratory) show a part of the detector, enlarged.
#include "kilobragg/io/experiments.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/png.hpp"
#include "kilobragg/io/reflection_file.hpp"
#include "kilobragg/report/still_picture.hpp"

#include <fmt/format.h>

#include <cstdlib>

using namespace kilobragg;

namespace {

/// Marks of the rows whose experiment shows the same image as `still`; `column` holds pixels.
std::vector<report::PanelMark> marks(const std::string& stem, const models::Experiment& still,
                                     const std::string& column) {
  const auto experiments = io::read_experiments(stem + ".expt");
  const auto table = io::read_reflections(stem + ".refl");
  const auto& id = table.get<std::int32_t>("id");
  const auto& panel = table.get<std::uint64_t>("panel");
  const auto& px = table.get<Vec3>(column);
  std::vector<report::PanelMark> found;
  for (std::size_t i = 0; i < table.rows; ++i) {
    const auto& source = experiments.at(static_cast<std::size_t>(id[i])).source;
    if (source.frame == still.source.frame && source.path == still.source.path)
      found.push_back({static_cast<int>(panel[i]), {px[i].x, px[i].y}});
  }
  return found;
}

void draw(int argc, char** argv) {
  const std::string expt = argv[1];
  const std::string run = expt.substr(0, expt.rfind("_integrated.expt"));
  const auto still = io::read_experiments(expt).at(std::stoul(argv[2]));
  const auto image =
      io::open_images(still.source.path, still.source.dataset)->read(still.source.frame);
  report::StillPictureParams params;
  if (argc > 4) params.width = std::atoi(argv[4]);
  if (argc > 8)
    params.view = {std::atof(argv[5]), std::atof(argv[6]), std::atof(argv[7]), std::atof(argv[8])};
  const auto found = marks(run + "_strong", still, "xyzobs.px.value");
  const auto predicted = marks(run + "_integrated", still, "xyzcal.px");
  io::write_png(report::draw_still(image, *still.detector, found, predicted, params), argv[3]);
  fmt::print("{}: {} found, {} predicted\n", still.source.tag(), found.size(), predicted.size());
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr,
               "usage: draw_still RUN_integrated.expt NUMBER still.png [WIDTH [X0 Y0 X1 Y1]]\n");
    return 2;
  }
  try {
    draw(argc, argv);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
