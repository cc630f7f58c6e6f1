// Finds the peaks near the Ewald sphere of each channel and lights the pixels around them.
#include "candidates.hpp"
#include "lattice_renderers.hpp"

#include "kernels/diffraction/all_pixels.hpp"
#include "kernels/diffraction/lit_rows.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::diffraction {
namespace {

/// A peak in one channel, ready to be lit.
struct LitPeak {
  const PeakShape& peak;
  const Channel& channel;
  EwaldCut cut;
  double photons = 0; ///< at its height, before the pixel's factor
  double chi2_max = 0;
};

/// Adds peaks to an image.
class SpotLight {
public:
  SpotLight(const PixelTables& tables, const RenderParams& params, bool tophat,
            std::span<float> photons)
      : tables_(tables)
      , points_(point_grid(params))
      , tophat_(tophat)
      , photons_(photons) {
    for (int i = 0; i < wide_count; ++i) eight_[i] = i;
  }

  void light(const LitPeak& lit) {
    const Vec3 ray = unit(lit.cut.ray);
    const double margin =
        lit.channel.wavelength * std::sqrt(lit.chi2_max * trace(lit.peak.covariance));
    for (const PlacedPanel& panel : tables_.panels) {
      if (dot(ray, panel.middle) < panel.cos_radius - margin) continue; // cos(r + m) > cos r - m
      const PixelBox box = spot_box(lit.cut, lit.chi2_max - lit.cut.chi2, panel.grid);
      if (box.empty()) continue;
      ++counts_.peaks;
      counts_.pixels += std::size_t(box.x1 - box.x0) * std::size_t(box.y1 - box.y0);
      for (int layer = 0; layer < points_.layers; ++layer)
        tophat_ ? light_layer<true>(lit, panel, box, layer)
                : light_layer<false>(lit, panel, box, layer);
    }
  }
  const RenderCounts& counts() const { return counts_; }

private:
  template <bool tophat>
  void light_layer(const LitPeak& lit, const PlacedPanel& panel, const PixelBox& box, int layer) {
    const PanelGrid& grid = panel.grid;
    const PlaneOfChi2 plane =
        plane_of_chi2(lit.peak, lit.channel, grid.origin + (layer * grid.layer_step) * grid.normal,
                      grid.fast, grid.slow);
    const int n = points_.oversample;
    const bool weigh = points_.layers > 1 && points_.weigh_layers;
    lines_.resize(std::size_t(n * n));
    for (int y = box.y0; y < box.y1; ++y) {
      for (int p = 0; p < n * n; ++p)
        lines_[std::size_t(p)] =
            line_of_chi2(plane, point_offset(p % n, n), y + point_offset(p / n, n));
      for (int x = box.x0; x < box.x1; x += wide_count) {
        const Wide columns = eight_ + static_cast<double>(x);
        Wide sum{};
        for (const LineOfChi2& line : lines_) sum += peak_height<tophat>(line.at(columns));
        if (weigh) sum *= layer_share(grid, layer, cosine(grid, columns, y));
        add(panel, x, std::min(box.x1, x + wide_count), y, (lit.photons / (n * n)) * sum);
      }
    }
  }

  void add(const PlacedPanel& panel, int x0, int x1, int y, const Wide& sum) {
    const std::size_t first =
        panel.offset + std::size_t(y) * std::size_t(panel.grid.width) + std::size_t(x0);
    float* photons = photons_.data() + first;
    const float* factor = tables_.factor.data() + first;
    for (int i = 0; i < x1 - x0; ++i) photons[i] += static_cast<float>(sum[i]) * factor[i];
  }

  /// Of the rays to the middles of pixels with the panel's normal.
  static Wide cosine(const PanelGrid& grid, const Wide& x, int y) {
    const Vec3 line = grid.origin + (y + 0.5) * grid.slow + 0.5 * grid.fast;
    const Wide px = line.x + x * grid.fast.x, py = line.y + x * grid.fast.y,
               pz = line.z + x * grid.fast.z;
    return dot(line, grid.normal) / root(px * px + py * py + pz * pz);
  }

  const PixelTables& tables_;
  PointGrid points_;
  bool tophat_;
  std::span<float> photons_;
  Wide eight_{};
  std::vector<LineOfChi2> lines_; ///< of the row in hand, one per point of a pixel
  RenderCounts counts_;
};

double brightest(const PixelTables& tables) {
  return static_cast<double>(*std::max_element(tables.factor.begin(), tables.factor.end()));
}

} // namespace

bool peaks_end(const ShotLattice& lattice, double tail) {
  if (lattice.shape == CrystalShape::Square || lattice.shape == CrystalShape::Round) return false;
  const bool tophat = lattice.shape == CrystalShape::Tophat;
  const Mat3 covariance =
      tophat ? tophat_covariance(lattice.size) : lattice_covariance(lattice.size);
  const double chi2_max = tophat ? 1 : -2 * std::log(tail);
  double widest = 0;
  for (int i = 0; i < 3; ++i) widest = std::max(widest, covariance(i, i));
  return chi2_max * widest / lattice.fudge < 0.25;
}

RenderCounts light_spots(const PixelTables& tables, const RenderParams& params,
                         const std::vector<WeightedChannel>& channels, const ShotLattice& lattice,
                         double per_f, const ReflectionSphere& reflections,
                         std::span<float> photons) {
  const bool tophat = lattice.shape == CrystalShape::Tophat;
  const BlockShape block = make_block_shape(lattice.shape, lattice.size, lattice.fudge);
  std::vector<Mat3> blocks = lattice.blocks;
  if (blocks.empty()) blocks.push_back(Mat3::identity());
  const double per_block = per_f / static_cast<double>(blocks.size());
  const double largest = brightest(tables);
  const double chi2_end = tophat ? 1 : -2 * std::log(params.tail);
  const auto candidates =
      find_candidates(reflections, lattice.crystal.a_matrix,
                      make_lattice_shape(lattice.crystal.a_matrix, block, lattice.rotation),
                      channels, blocks, chi2_end);
  SpotLight light(tables, params, tophat, photons);
  for (const Mat3& rotation : blocks) {
    const Mat3 a = rotation * lattice.crystal.a_matrix;
    const LatticeShape shape = make_lattice_shape(a, block, lattice.rotation);
    for (const Candidate& candidate : candidates) {
      const PeakShape peak = make_peak_shape(shape, a * candidate.hkl);
      for (const auto& [channel, weight] : channels) {
        const EwaldCut cut = cut_by_ewald_sphere(peak, channel);
        if (cut.chi2 >= chi2_end) continue;
        const double height = per_block * weight * candidate.f_squared * peak.height;
        const double tail = std::max(params.tail, params.floor / (height * largest));
        const double chi2_max = tophat ? 1 : -2 * std::log(tail);
        if (tail < 1 && cut.chi2 < chi2_max) light.light({peak, channel, cut, height, chi2_max});
      }
    }
  }
  return light.counts();
}

} // namespace kilobragg::diffraction
