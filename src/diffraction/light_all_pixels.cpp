// Every pixel against every channel and block.
#include "lattice_renderers.hpp"

#include "kernels/diffraction/all_pixels.hpp"

namespace kilobragg::diffraction {
namespace {

std::vector<Probe> make_probes(const ShotChannels& channels, const ShotLattice& lattice,
                               const DeviceReflections::State& reflections) {
  std::vector<Mat3> blocks = lattice.blocks;
  if (blocks.empty()) blocks.push_back(Mat3::identity());
  const auto mixes = mix_layers(reflections, channels);
  std::vector<Probe> probes;
  for (const BeamPart& from : channels.directions)
    for (std::size_t j = 0; j < channels.wave_number.size(); ++j)
      for (const Mat3& block : blocks) {
        const Mat3 to_index = channels.wave_number[j] * inverse(block * lattice.crystal.a_matrix);
        probes.push_back({to_index, to_index * from.k0,
                          channels.weight[j] * from.part / static_cast<double>(blocks.size()),
                          mixes.empty() ? LayerMix{} : mixes[j]});
      }
  return probes;
}

} // namespace

RenderCounts light_all_pixels(const PixelTables& tables, const DeviceArray<float>& factor,
                              const RenderParams& params, const ShotChannels& channels,
                              const ShotLattice& lattice, double per_f,
                              const DeviceReflections::State& reflections, float* photons) {
  const auto probes = to_device(make_probes(channels, lattice, reflections));
  AllPixelsInput in;
  in.points = point_grid(params);
  in.block = make_block_shape(lattice.shape, lattice.size, lattice.fudge);
  in.probes = probes.data();
  in.probe_count = static_cast<int>(probes.extent(0));
  in.amplitudes = reflections.grid();
  in.per_f = per_f;
  using Shape = CrystalShape;
  const auto launch = lattice.shape == Shape::Gauss    ? light_all_pixels_of<Shape::Gauss>
                      : lattice.shape == Shape::Square ? light_all_pixels_of<Shape::Square>
                      : lattice.shape == Shape::Round  ? light_all_pixels_of<Shape::Round>
                                                       : light_all_pixels_of<Shape::Tophat>;
  for (std::size_t p = 0; p < tables.panels.size(); ++p) {
    in.panel = tables.panels[p].grid;
    in.factor = factor.data() + tables.offsets[p];
    launch(in, photons + tables.offsets[p]);
  }
  const std::size_t count = probes.extent(0);
  return {static_cast<std::size_t>(reflections.list.count) * count, tables.pixels * count};
}

} // namespace kilobragg::diffraction
