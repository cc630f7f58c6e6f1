// Every pixel against every channel and block.
#include "lattice_renderers.hpp"

#include "kernels/diffraction/all_pixels.hpp"

#include <algorithm>

namespace kilobragg::diffraction {
namespace {

/// |F|^2 of the sphere as a box of indices.
struct FilledBox {
  std::vector<float> values;
  AmplitudeBox box;
};

FilledBox fill_box(const ReflectionSphere& reflections) {
  FilledBox filled;
  int* first = filled.box.first;
  int last[3] = {0, 0, 0};
  for (const auto& hkl : reflections.hkl) {
    const int index[3] = {hkl.h, hkl.k, hkl.l};
    for (int i = 0; i < 3; ++i) {
      first[i] = std::min(first[i], index[i]);
      last[i] = std::max(last[i], index[i]);
    }
  }
  std::size_t size = 1;
  for (int i = 0; i < 3; ++i) {
    filled.box.count[i] = last[i] - first[i] + 1;
    size *= std::size_t(filled.box.count[i]);
  }
  filled.values.resize(size);
  const int* count = filled.box.count;
  for (std::size_t r = 0; r < reflections.size(); ++r) {
    const auto& hkl = reflections.hkl[r];
    const auto at =
        (std::size_t(hkl.h - first[0]) * count[1] + std::size_t(hkl.k - first[1])) * count[2] +
        std::size_t(hkl.l - first[2]);
    filled.values[at] = static_cast<float>(reflections.f_squared[r]);
  }
  filled.box.f_squared = filled.values.data();
  return filled;
}

std::vector<Probe> make_probes(const std::vector<WeightedChannel>& channels,
                               const ShotLattice& lattice) {
  std::vector<Mat3> blocks = lattice.blocks;
  if (blocks.empty()) blocks.push_back(Mat3::identity());
  std::vector<Probe> probes;
  for (const auto& [channel, weight] : channels)
    for (const Mat3& block : blocks) {
      const Mat3 to_index = inverse(block * lattice.crystal.a_matrix);
      probes.push_back({(1 / channel.wavelength) * to_index, to_index * channel.s0,
                        weight / static_cast<double>(blocks.size())});
    }
  return probes;
}

template <CrystalShape shape>
void light_panel(const PlacedPanel& panel, const PointGrid& points, const BlockShape& block,
                 const std::vector<Probe>& probes, const AmplitudeBox& amplitudes, double per_f,
                 const float* factor, std::span<float> photons) {
  Wide eight{};
  for (int i = 0; i < wide_count; ++i) eight[i] = i;
  for (int y = 0; y < panel.grid.height; ++y)
    for (int x = 0; x < panel.grid.width; x += wide_count) {
      const Wide sum = pixel_sum<shape>(panel.grid, points, eight + x, y, block, probes.data(),
                                        static_cast<int>(probes.size()), amplitudes);
      const std::size_t index = panel.offset + std::size_t(y) * panel.grid.width + std::size_t(x);
      for (int i = 0; i < std::min(wide_count, panel.grid.width - x); ++i)
        photons[index + i] += static_cast<float>(per_f * sum[i]) * factor[index + i];
    }
}

} // namespace

RenderCounts light_all_pixels(const PixelTables& tables, const RenderParams& params,
                              const std::vector<WeightedChannel>& channels,
                              const ShotLattice& lattice, double per_f,
                              const ReflectionSphere& reflections, std::span<float> photons) {
  const FilledBox amplitudes = fill_box(reflections);
  const std::vector<Probe> probes = make_probes(channels, lattice);
  const BlockShape block = make_block_shape(lattice.shape, lattice.size, lattice.fudge);
  const auto light = [&](auto shape) {
    for (const PlacedPanel& panel : tables.panels)
      light_panel<decltype(shape)::value>(panel, point_grid(params), block, probes, amplitudes.box,
                                          per_f, tables.factor.data(), photons);
  };
  using Shape = CrystalShape;
  switch (lattice.shape) {
  case Shape::Gauss:
    light(std::integral_constant<Shape, Shape::Gauss>());
    break;
  case Shape::Square:
    light(std::integral_constant<Shape, Shape::Square>());
    break;
  case Shape::Round:
    light(std::integral_constant<Shape, Shape::Round>());
    break;
  case Shape::Tophat:
    light(std::integral_constant<Shape, Shape::Tophat>());
    break;
  }
  return {reflections.size() * probes.size(), tables.pixels * probes.size()};
}

} // namespace kilobragg::diffraction
