// Plain, slow versions of prediction, foreground, summation and mosaicity, straight from their formulas.
#pragma once

#include "kilobragg/core/units.hpp"
#include "kilobragg/integration/integrate_still.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <vector>

namespace kilobragg::testing {

/// Ray and delta-psi by the vectors e1, c0, q0, q1 of the stills predictor.
struct PlainRay {
  Vec3 s1;
  double delta_psi;
};
inline std::optional<PlainRay> plain_ray(const Vec3& q, const Vec3& s0) {
  const double wavelength = 1 / norm(s0), a = 0.5 * norm2(q) * wavelength;
  if (norm2(q) - a * a <= 0 || norm2(q) == 0) return std::nullopt;
  const Vec3 beam = unit(s0), e1 = unit(cross(q, beam)), c0 = unit(cross(beam, e1));
  const Vec3 r = -a * beam + std::sqrt(norm2(q) - a * a) * c0;
  const Vec3 q0 = unit(q), q1 = unit(cross(q0, e1));
  return PlainRay{unit(s0 + r) / wavelength, -std::atan2(dot(r, q1), dot(r, q0))};
}

/// Every index in the sphere tried in turn.
inline std::vector<models::Miller> plain_prediction(const models::Crystal& crystal,
                                                    const models::Beam& beam,
                                                    const models::Detector& detector,
                                                    double d_min) {
  const auto limit = [&](int axis) {
    return static_cast<int>(norm(crystal.real_space().row(axis)) / d_min) + 1;
  };
  const models::SpaceGroup patterson = crystal.space_group.patterson();
  std::vector<models::Miller> found;
  for (int h = -limit(0); h <= limit(0); ++h)
    for (int k = -limit(1); k <= limit(1); ++k)
      for (int l = -limit(2); l <= limit(2); ++l) {
        const Vec3 q = crystal.q({h, k, l});
        const double d = 1 / norm(q);
        const auto ray = plain_ray(q, beam.s0());
        if (!ray || d < d_min || patterson.is_absent({h, k, l})) continue;
        const double width = d / crystal.mosaicity->domain_size_angstrom +
                             crystal.mosaicity->half_mosaicity_deg * core::degree / 2;
        if (std::abs(ray->delta_psi) < width && detector.intersect(ray->s1))
          found.push_back({h, k, l});
      }
  return found;
}

/// -log p of one spot, with the soft-edged box written out.
inline double plain_log_likelihood(const std::vector<double>& d, const std::vector<double>& psi,
                                   const models::Mosaicity& model) {
  double sum = 0;
  for (std::size_t i = 0; i < d.size(); ++i) {
    const double w = d[i] / model.domain_size_angstrom + model.half_mosaicity_deg * core::degree;
    const double b = 10 / w, top = (1 + std::exp(10.0)) * (1 + std::exp(10.0));
    sum += std::log(top / (2 * w) / (1 + std::exp(b * (psi[i] + w))) /
                    (1 + std::exp(-b * (psi[i] - w))));
  }
  return sum;
}

/// Solves a symmetric 3 x 3 system by elimination with pivots.
inline std::array<double, 3> solve3(std::array<std::array<double, 4>, 3> m) {
  for (std::size_t c = 0; c < 3; ++c) {
    std::size_t pivot = c;
    for (std::size_t r = c + 1; r < 3; ++r)
      if (std::abs(m[r][c]) > std::abs(m[pivot][c])) pivot = r;
    std::swap(m[c], m[pivot]);
    for (std::size_t r = 0; r < 3; ++r) {
      if (r == c) continue;
      const double f = m[r][c] / m[c][c];
      for (std::size_t k = c; k < 4; ++k) m[r][k] -= f * m[c][k];
    }
  }
  return {m[0][3] / m[0][0], m[1][3] / m[1][1], m[2][3] / m[2][2]};
}

struct PlainPixel {
  double x, y, value; ///< pixel centre relative to the centre of the box
};

inline std::array<double, 3> plain_plane(const std::vector<PlainPixel>& pixels) {
  std::array<std::array<double, 4>, 3> m{};
  for (const PlainPixel& p : pixels) {
    const std::array<double, 4> row{1, p.x, p.y, p.value};
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j < 4; ++j) m[i][j] += row[i] * row[j];
  }
  return solve3(m);
}

/// Fills the measured fields of `r` as DIALS defines them, pixel by pixel; false where it is left out.
inline bool plain_integration(models::IntegratedReflection& r, const models::Image& image,
                              const models::Panel& panel, const Vec3& s0, double sigma_b_deg) {
  const double radius = 3 * sigma_b_deg * core::degree;
  const Vec3 e1 = unit(cross(r.s1, s0)), e2 = unit(cross(r.s1, e1)), ray = unit(r.s1);
  double x0 = 1e9, x1 = -1e9, y0 = 1e9, y1 = -1e9;
  for (const double a : {-2 * radius, 2 * radius})
    for (const double b : {-2 * radius, 2 * radius}) {
      const Vec3 v = a * e1 + b * e2 + std::sqrt(1 - a * a - b * b) * ray;
      const auto px = panel.ray_to_pixel(v);
      x0 = std::min(x0, px->x), x1 = std::max(x1, px->x);
      y0 = std::min(y0, px->y), y1 = std::max(y1, px->y);
    }
  r.box = {int(std::floor(x0)), int(std::ceil(x1)), int(std::floor(y0)), int(std::ceil(y1))};
  const auto inside = [&](int x, int y) {
    for (const int i : {0, 1})
      for (const int j : {0, 1}) {
        const Vec3 v = unit(panel.pixel_to_lab({double(x + i), double(y + j)})) - ray;
        if (dot(e1, v) * dot(e1, v) + dot(e2, v) * dot(e2, v) <= radius * radius) return true;
      }
    return false;
  };
  const auto& window = image.layout->panels[std::size_t(r.panel)];
  std::vector<PlainPixel> foreground, background, used;
  for (int y = r.box.y0; y < r.box.y1; ++y)
    for (int x = r.box.x0; x < r.box.x1; ++x) {
      const bool fg = inside(x, y);
      bool valid = x >= 0 && y >= 0 && x < window.width && y < window.height;
      double raw = 0;
      if (valid) {
        const std::size_t at = window.offset + std::size_t(y) * window.stride + std::size_t(x);
        raw = image.value(at);
        valid = image.usable(at) && raw >= panel.trusted_range[0] && raw <= panel.trusted_range[1];
      }
      if (fg && !valid) return false;
      if (!valid) continue;
      const PlainPixel p{x + 0.5 - 0.5 * (r.box.x0 + r.box.x1),
                         y + 0.5 - 0.5 * (r.box.y0 + r.box.y1),
                         (raw - panel.pedestal) / panel.gain};
      (fg ? foreground : background).push_back(p);
    }
  if (background.size() < 10 || foreground.empty()) return false;
  auto plane = plain_plane(background);
  const auto at = [&plane](double x, double y) { return plane[0] + plane[1] * x + plane[2] * y; };
  const double level = at(r.box.width() % 2 ? 0 : 0.5, r.box.height() % 2 ? 0 : 0.5);
  for (const PlainPixel& p : background)
    if (std::abs(p.value - at(p.x, p.y)) <= 4 * std::sqrt(std::abs(level))) used.push_back(p);
  if (used.size() < 10) return false;
  plane = plain_plane(used);
  double sum = 0, b = 0, s = 0, sx = 0, sy = 0;
  for (const PlainPixel& p : foreground) {
    const double under = at(p.x, p.y), above = std::max(p.value - under, 0.0);
    sum += p.value, b += under, s += above, sx += above * p.x, sy += above * p.y;
  }
  const double n_fg = double(foreground.size()), n_bg = double(used.size());
  r.intensity = sum - b;
  r.background_sum = b;
  r.background_variance = b * (1 + n_fg / n_bg);
  r.variance = std::abs(r.intensity) + std::abs(r.background_variance);
  r.n_foreground = int(foreground.size());
  r.n_background = int(background.size());
  r.n_background_used = int(used.size());
  r.px_obs = {0.5 * (r.box.x0 + r.box.x1) + sx / s, 0.5 * (r.box.y0 + r.box.y1) + sy / s};
  double mean = 0, scatter = 0, residual = 0, vx = 0, vy = 0, ss = 0;
  for (const PlainPixel& p : used) mean += p.value / n_bg;
  for (const PlainPixel& p : used) {
    scatter += (p.value - mean) * (p.value - mean) / (n_bg - 1);
    residual += (p.value - at(p.x, p.y)) * (p.value - at(p.x, p.y)) / n_bg;
  }
  for (const PlainPixel& p : foreground) {
    const double above = std::max(p.value - at(p.x, p.y), 0.0);
    vx += above * (p.x - sx / s) * (p.x - sx / s);
    vy += above * (p.y - sy / s) * (p.y - sy / s);
    ss += above * above;
  }
  r.background_mean = mean;
  r.background_dispersion = scatter / mean;
  r.background_mse = residual;
  r.px_variance = {vx * s / (s * s - ss) / s + 1.0 / 12, vy * s / (s * s - ss) / s + 1.0 / 12};
  return true;
}

} // namespace kilobragg::testing
