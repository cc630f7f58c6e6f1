// Finds the peaks near the Ewald sphere of each channel and lights the pixels around them.
#include "lattice_renderers.hpp"

#include "kernels/diffraction/all_pixels.hpp"
#include "kernels/diffraction/lit_rows.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace kilobragg::diffraction {
namespace {

double trace(const Mat3& m) { return m(0, 0) + m(1, 1) + m(2, 2); }

/// Bounds that spare most reflections the full calculation: the peak can reach a sphere of one of
/// the channels only if the excitation error, lambda q^2 / 2 + k0 q to first order, passes zero
/// within `reach` standard deviations.
struct QuickTest {
  Vec3 k0;                  ///< unit, of the middle of the beam
  double divergence = 0;    ///< largest distance of another direction from it (rad)
  double shortest, longest; ///< wavelengths (angstrom)
  double variance;          ///< largest variance of the peak without mosaic spread (1/angstrom^2)
  double rotation;          ///< largest variance of misorientation (rad^2)
  double reach2;

  bool passes(const Vec3& q) const {
    const double q2 = norm2(q), along = dot(k0, q);
    const double tolerance =
        std::sqrt(1.1 * reach2 * (variance + rotation * q2)) + divergence * std::sqrt(q2);
    const double low = 0.5 * shortest * q2 + along, high = 0.5 * longest * q2 + along;
    return low < tolerance && high > -tolerance;
  }
};

QuickTest make_quick_test(const std::vector<WeightedChannel>& channels, const LatticeShape& shape,
                          double chi2_max) {
  QuickTest test{unit(channels.front().channel.s0),
                 0,
                 channels.front().channel.wavelength,
                 channels.front().channel.wavelength,
                 trace(shape.covariance),
                 trace(shape.rotation),
                 chi2_max};
  for (const auto& entry : channels) {
    test.divergence = std::max(test.divergence, norm(unit(entry.channel.s0) - test.k0));
    test.shortest = std::min(test.shortest, entry.channel.wavelength);
    test.longest = std::max(test.longest, entry.channel.wavelength);
  }
  return test;
}

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
      // cos(r + m) > cos r - m
      const double pixel = norm(panel.grid.fast) + norm(panel.grid.slow);
      if (dot(ray, panel.middle) < panel.cos_radius - margin - pixel / norm(panel.grid.origin))
        continue;
      const PixelBox box = spot_box(lit.cut, lit.chi2_max - lit.cut.chi2, panel.grid);
      if (box.empty()) continue;
      ++counts_.peaks;
      counts_.pixels += std::size_t(box.x1 - box.x0) * std::size_t(box.y1 - box.y0);
      for (int y = box.y0; y < box.y1; ++y)
        tophat_ ? light_row<true>(lit, panel, box, y) : light_row<false>(lit, panel, box, y);
    }
  }
  const RenderCounts& counts() const { return counts_; }

private:
  template <bool tophat>
  void light_row(const LitPeak& lit, const PlacedPanel& panel, const PixelBox& box, int y) {
    sums_.assign(std::size_t(box.x1 - box.x0 + wide_count - 1) / wide_count, Wide{});
    for (int layer = 0; layer < points_.layers; ++layer)
      add_layer<tophat>(lit, panel, box, y, layer);
    const double scale = lit.photons / (points_.oversample * points_.oversample);
    const std::size_t row = panel.offset + std::size_t(y) * std::size_t(panel.grid.width);
    for (int x = box.x0; x < box.x1; ++x) {
      const int i = x - box.x0;
      const double sum = sums_[std::size_t(i / wide_count)][i % wide_count];
      photons_[row + std::size_t(x)] +=
          static_cast<float>(scale * sum) * tables_.factor[row + std::size_t(x)];
    }
  }

  template <bool tophat>
  void add_layer(const LitPeak& lit, const PlacedPanel& panel, const PixelBox& box, int y,
                 int layer) {
    const PanelGrid& grid = panel.grid;
    const Vec3 plane = grid.origin + (layer * grid.layer_step) * grid.normal;
    const bool weigh = points_.layers > 1 && points_.weigh_layers;
    std::array<LineOfChi2, 64> lines;
    int count = 0;
    const auto add_lines = [&] {
      for (std::size_t g = 0; g < sums_.size(); ++g) {
        const Wide x = eight_ + static_cast<double>(box.x0 + int(g) * wide_count);
        Wide sum{};
        for (int i = 0; i < count; ++i) sum += peak_height<tophat>(lines[std::size_t(i)].at(x));
        if (weigh) sum *= layer_share(grid, layer, cosine(grid, x, y));
        sums_[g] += sum;
      }
      count = 0;
    };
    for (int j = 0; j < points_.oversample; ++j)
      for (int i = 0; i < points_.oversample; ++i) {
        const Vec3 line = plane + (y + point_offset(j, points_.oversample)) * grid.slow +
                          point_offset(i, points_.oversample) * grid.fast;
        lines[std::size_t(count++)] = line_of_chi2(lit.peak, lit.channel, line, grid.fast);
        if (count == int(lines.size())) add_lines();
      }
    add_lines();
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
  std::vector<Wide> sums_;
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
  SpotLight light(tables, params, tophat, photons);
  for (const Mat3& rotation : blocks) {
    const Mat3 a = rotation * lattice.crystal.a_matrix;
    const LatticeShape shape = make_lattice_shape(a, block, lattice.rotation);
    const QuickTest test =
        make_quick_test(channels, shape, tophat ? 1 : -2 * std::log(params.tail));
    for (std::size_t i = 0; i < reflections.size(); ++i) {
      const auto& hkl = reflections.hkl[i];
      const Vec3 q = a * Vec3{double(hkl.h), double(hkl.k), double(hkl.l)};
      if (!test.passes(q)) continue;
      const PeakShape peak = make_peak_shape(shape, q);
      for (const auto& [channel, weight] : channels) {
        const double height = per_block * weight * reflections.f_squared[i] * peak.height;
        const double tail = std::max(params.tail, params.floor / (height * largest));
        const double chi2_max = tophat ? 1 : -2 * std::log(tail);
        const EwaldCut cut = cut_by_ewald_sphere(peak, channel);
        if (tail < 1 && cut.chi2 < chi2_max) light.light({peak, channel, cut, height, chi2_max});
      }
    }
  }
  return light.counts();
}

} // namespace kilobragg::diffraction
