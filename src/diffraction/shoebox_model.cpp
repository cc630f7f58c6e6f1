// Peak by peak: sums over the points of each pixel, then one contraction per parameter.
#include "kilobragg/diffraction/shoebox_model.hpp"

#include "candidates.hpp"
#include "pixel_tables.hpp"

#include "kernels/diffraction/pixel_factors.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::diffraction {
namespace {

/// A shoebox, where its pixels start, and their factors.
struct PlacedBox {
  Shoebox box;
  std::size_t first = 0;
  std::vector<PixelFactor> factors;
};

/// Everything of a shot that peaks are computed from.
struct Scene {
  std::vector<PanelGrid> panels;
  std::vector<PlacedBox> boxes;
  std::size_t pixels = 0;
  std::vector<MomentChannel> channels;
  std::vector<WeightedChannel> weighted; ///< the same for the search of candidates
  MomentKinds kinds;
};

std::vector<WeightedChannel> shifted_channels(const Shot& shot, const ShoeboxOptions& options,
                                              std::vector<MomentChannel>& moments) {
  std::vector<WeightedChannel> channels = make_channels(shot);
  for (auto& [channel, weight] : channels) {
    const double nominal = channel.wavelength;
    channel.wavelength = options.wavelength_offset + options.wavelength_scale * nominal;
    core::require(channel.wavelength > 0, "wavelength {} A of a shot becomes {} A", nominal,
                  channel.wavelength);
    channel.s0 = (nominal / channel.wavelength) * channel.s0;
    moments.push_back({channel, nominal, weight});
  }
  return channels;
}

PlacedBox place(const Shoebox& box, const models::Detector& detector, const PanelGrid& grid,
                const Polarisation& polarisation, std::size_t first) {
  const auto& panel = detector.panels[std::size_t(box.panel)];
  PlacedBox placed{box, first, {}};
  for (int y = box.y0; y < box.y1; ++y)
    for (int x = box.x0; x < box.x1; ++x)
      placed.factors.push_back(
          pixel_factor(polarisation, grid.origin + (x + 0.5) * grid.fast + (y + 0.5) * grid.slow,
                       grid.normal, norm(grid.fast) * norm(grid.slow), panel.mu, panel.thickness));
  return placed;
}

Scene make_scene(const models::Detector& detector, const models::Beam& beam, const Shot& shot,
                 const std::vector<Shoebox>& boxes,
                 const std::vector<ParameterDirection>& parameters, const ShoeboxOptions& options) {
  Scene scene;
  const Vec3 k0 = -unit(beam.direction), n = unit(beam.polarization_normal);
  const Polarisation polarisation{cross(n, k0), n, beam.polarization_fraction};
  for (const auto& panel : detector.panels) scene.panels.push_back(make_panel_grid(panel, 1));
  for (const Shoebox& box : boxes) {
    core::require(box.panel >= 0 && std::size_t(box.panel) < scene.panels.size() && box.x0 >= 0 &&
                      box.y0 >= 0 && box.x0 < box.x1 && box.y0 < box.y1 &&
                      box.x1 <= scene.panels[std::size_t(box.panel)].width &&
                      box.y1 <= scene.panels[std::size_t(box.panel)].height,
                  "a shoebox ({} to {}, {} to {} of panel {}) is empty or not on its panel", box.x0,
                  box.x1, box.y0, box.y1, box.panel);
    scene.boxes.push_back(
        place(box, detector, scene.panels[std::size_t(box.panel)], polarisation, scene.pixels));
    scene.pixels += box.size();
  }
  scene.weighted = shifted_channels(shot, options, scene.channels);
  for (const ParameterDirection& p : parameters) {
    scene.kinds.place = scene.kinds.place || p.shift != Vec3{} || p.turn != Vec3{};
    scene.kinds.wavelength =
        scene.kinds.wavelength || p.wavelength_offset != 0 || p.wavelength_scale != 0;
    core::require(p.lattice >= 0 && std::size_t(p.lattice) < shot.lattices.size(),
                  "a parameter of lattice {} in a shot of {}", p.lattice, shot.lattices.size());
  }
  return scene;
}

/// A peak of one block, and how the parameters move it.
struct DerivedPeak {
  PeakShape shape;
  std::uint32_t reflection = 0;
  double photons = 0; ///< at its height, before the pixel's factor
  std::vector<PeakDirection> directions;
};

/// A channel in which a peak is seen, and where on one panel.
struct SeenChannel {
  std::size_t channel;
  PixelBox box;
};

class ShoeboxPainter {
public:
  ShoeboxPainter(const Scene& scene, const std::vector<ParameterDirection>& parameters,
                 const ShoeboxOptions& options, ShoeboxImage& image)
      : scene_(scene)
      , parameters_(parameters)
      , options_(options)
      , chi2_max_(-2 * std::log(options.tail))
      , image_(image) {
    for (int i = 0; i < wide_count; ++i) eight_[i] = i;
  }
  double chi2_max() const { return chi2_max_; }

  /// Paints one block of a lattice.
  void paint_block(const GaussCrystal& crystal, const std::vector<CrystalDirection>& directions,
                   const LatticeShape& shape, const std::vector<Candidate>& candidates,
                   double per_f) {
    for (const Candidate& candidate : candidates) {
      DerivedPeak peak{make_peak_shape(shape, crystal.a_matrix * candidate.hkl),
                       candidate.reflection,
                       per_f * candidate.f_squared,
                       {}};
      for (std::size_t panel = 0; panel < scene_.panels.size(); ++panel) {
        const PixelBox reach = find_channels(peak.shape, scene_.panels[panel]);
        if (reach.empty()) continue;
        for (const PlacedBox& placed : scene_.boxes) {
          const PixelBox part = common(reach, placed.box);
          if (placed.box.panel != int(panel) || part.empty()) continue;
          if (peak.directions.empty())
            for (const CrystalDirection& d : directions)
              peak.directions.push_back(peak_direction(crystal, peak.shape, candidate.hkl, d));
          paint_box(peak, scene_.panels[panel], placed, part);
        }
      }
    }
  }

private:
  /// The channels that see a peak on a panel, in seen_; returns the box around all.
  PixelBox find_channels(const PeakShape& peak, const PanelGrid& panel) {
    seen_.clear();
    PixelBox all;
    for (std::size_t c = 0; c < scene_.channels.size(); ++c) {
      const EwaldCut cut = cut_by_ewald_sphere(peak, scene_.channels[c].channel);
      if (cut.chi2 >= chi2_max_) continue;
      const PixelBox box = spot_box(cut, chi2_max_ - cut.chi2, panel);
      if (box.empty()) continue;
      if (seen_.empty()) all = box;
      all = {std::min(all.x0, box.x0), std::max(all.x1, box.x1), std::min(all.y0, box.y0),
             std::max(all.y1, box.y1)};
      seen_.push_back({c, box});
    }
    return all;
  }

  static PixelBox common(const PixelBox& a, const Shoebox& b) {
    return {std::max(a.x0, b.x0), std::min(a.x1, b.x1), std::max(a.y0, b.y0), std::min(a.y1, b.y1)};
  }

  void paint_box(const DerivedPeak& peak, const PanelGrid& panel, const PlacedBox& placed,
                 const PixelBox& part) {
    for (int y = part.y0; y < part.y1; ++y)
      for (int x = part.x0; x < part.x1; x += wide_count) {
        const int count = std::min(wide_count, part.x1 - x);
        const PixelMoments<Wide> sums = sum_points(peak.shape, panel, x, y);
        add(peak, sums, panel, placed, x, y, count);
      }
  }

  PixelMoments<Wide> sum_points(const PeakShape& peak, const PanelGrid& panel, int x, int y) const {
    PixelMoments<Wide> sums;
    const int n = options_.oversample;
    for (const SeenChannel& seen : seen_) {
      if (y < seen.box.y0 || y >= seen.box.y1 || x + wide_count <= seen.box.x0 || x >= seen.box.x1)
        continue;
      for (int p = 0; p < n * n; ++p) {
        const Vec3 row = panel.origin + (y + point_offset(p / n, n)) * panel.slow;
        const Wide column = eight_ + (x + point_offset(p % n, n));
        add_point<Wide>(peak, scene_.channels[seen.channel], scene_.kinds,
                        row.x + column * panel.fast.x, row.y + column * panel.fast.y,
                        row.z + column * panel.fast.z, sums);
      }
    }
    return sums;
  }

  /// Contracts the sums of eight pixels with every parameter.
  void add(const DerivedPeak& peak, const PixelMoments<Wide>& sums, const PanelGrid& panel,
           const PlacedBox& placed, int x, int y, int count) {
    const Shoebox& box = placed.box;
    const std::size_t in_box =
        std::size_t(y - box.y0) * std::size_t(box.x1 - box.x0) + std::size_t(x - box.x0);
    const std::size_t first = placed.first + in_box;
    const double scale = peak.photons / (options_.oversample * options_.oversample);
    Wide factor{};
    for (int i = 0; i < count; ++i) factor[i] = scale * placed.factors[in_box + i].value;
    const Wide photons = factor * sums.value;
    for (int i = 0; i < count; ++i) {
      image_.photons[first + i] += photons[i];
      if (options_.contributions)
        image_.contributions.push_back({static_cast<std::uint32_t>(first + i), peak.reflection,
                                        static_cast<float>(photons[i])});
    }
    for (std::size_t p = 0; p < parameters_.size(); ++p) {
      Wide change = along(sums, peak.directions[p]) * factor;
      if (scene_.kinds.wavelength)
        change += factor * (parameters_[p].wavelength_offset * sums.wavelength +
                            parameters_[p].wavelength_scale * sums.wavelength_scale);
      double* derivatives = image_.derivatives.data() + p * scene_.pixels + first;
      for (int i = 0; i < count; ++i) derivatives[i] += change[i];
      if (scene_.kinds.place)
        add_place(parameters_[p], sums, panel, placed, x, y, count, factor, derivatives);
    }
  }

  /// What moves with the panel: the points on the peak, and the pixel's factor.
  void add_place(const ParameterDirection& p, const PixelMoments<Wide>& sums,
                 const PanelGrid& panel, const PlacedBox& placed, int x, int y, int count,
                 const Wide& factor, double* derivatives) const {
    const Shoebox& box = placed.box;
    if (p.panel >= 0 && p.panel != box.panel) return;
    const std::size_t in_box =
        std::size_t(y - box.y0) * std::size_t(box.x1 - box.x0) + std::size_t(x - box.x0);
    for (int i = 0; i < count; ++i) {
      const Vec3 place{sums.place[0][i], sums.place[1][i], sums.place[2][i]};
      const Vec3 torque{sums.torque[0][i], sums.torque[1][i], sums.torque[2][i]};
      const PixelFactor& f = placed.factors[in_box + i];
      const Vec3 from_pivot =
          panel.origin + (x + i + 0.5) * panel.fast + (y + 0.5) * panel.slow - p.pivot;
      const double of_points = dot(p.shift, place) + dot(p.turn, torque - cross(p.pivot, place));
      const double of_factor =
          dot(p.shift, f.by_place) +
          dot(p.turn, cross(from_pivot, f.by_place) + cross(panel.normal, f.by_normal));
      derivatives[i] += factor[i] * (of_points + sums.value[i] * of_factor);
    }
  }

  const Scene& scene_;
  const std::vector<ParameterDirection>& parameters_;
  const ShoeboxOptions& options_;
  double chi2_max_;
  ShoeboxImage& image_;
  Wide eight_{};
  std::vector<SeenChannel> seen_;
};

/// How the parameters move one block of lattice number `lattice`.
std::vector<CrystalDirection> turned(const std::vector<ParameterDirection>& parameters,
                                     std::size_t lattice, const Mat3& block) {
  std::vector<CrystalDirection> directions;
  for (const ParameterDirection& p : parameters) {
    CrystalDirection d;
    if (std::size_t(p.lattice) == lattice) d = p.crystal;
    d.a_matrix = block * d.a_matrix;
    directions.push_back(d);
  }
  return directions;
}

} // namespace

ShoeboxImage model_shoeboxes(const models::Detector& detector, const models::Beam& beam,
                             const Shot& shot, const ReflectionSphere& reflections,
                             const std::vector<Shoebox>& boxes,
                             const std::vector<ParameterDirection>& parameters,
                             const ShoeboxOptions& options) {
  const Scene scene = make_scene(detector, beam, shot, boxes, parameters, options);
  ShoeboxImage image;
  image.photons.resize(scene.pixels);
  image.derivatives.resize(scene.pixels * parameters.size());
  ShoeboxPainter painter(scene, parameters, options, image);
  for (std::size_t l = 0; l < shot.lattices.size(); ++l) {
    const ShotLattice& lattice = shot.lattices[l];
    core::require(lattice.shape == CrystalShape::Gauss,
                  "only Gaussian peaks have derivatives (lattice {} has another shape)", l);
    std::vector<Mat3> blocks = lattice.blocks;
    if (blocks.empty()) blocks.push_back(Mat3::identity());
    const BlockShape block = make_block_shape(lattice.shape, lattice.size, lattice.fudge);
    const Mat3& a = lattice.crystal.a_matrix;
    const auto candidates =
        find_candidates(reflections, a, make_lattice_shape(a, block, lattice.rotation),
                        scene.weighted, blocks, painter.chi2_max());
    const double per_f =
        electron_radius_squared * shot.fluence * lattice.scale / static_cast<double>(blocks.size());
    for (const Mat3& rotation : blocks) {
      const GaussCrystal crystal{rotation * a, lattice.size, lattice.rotation, lattice.fudge};
      painter.paint_block(crystal, turned(parameters, l, rotation),
                          make_lattice_shape(crystal.a_matrix, block, lattice.rotation), candidates,
                          per_f);
    }
  }
  return image;
}

} // namespace kilobragg::diffraction
