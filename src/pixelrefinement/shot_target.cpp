// The likelihood of a shot's shoeboxes: each box's scale profiled out, gradients by the forward model.
#include "kilobragg/pixelrefinement/shot_target.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::pixelrefinement {
namespace {

/// Slope and information with m alone: what the inner fit needs many times over.
PixelFit slope_of(Likelihood likelihood, double d, double m, double readout) {
  if (likelihood == Likelihood::NoisyPoisson && readout >= silent_readout)
    return fit_noisy_photons(d, m, readout);
  if (likelihood == Likelihood::Normal) {
    const double per_v = 1 / (m + readout * readout), u = d - m;
    return {0, 0.5 * per_v * (1 - 2 * u - u * u * per_v), per_v * (1 + 0.5 * per_v)};
  }
  return {0, 1 - std::max(0.0, d) / m, 1 / m};
}

} // namespace

ShotTarget::ShotTarget(const ParameterSpace& space, const ShotPixels& pixels,
                       const FactorTable& table, const ShotReflections& reflections,
                       const ShotTargetParams& params)
    : space_(space)
    , pixels_(pixels)
    , table_(table)
    , reflections_(reflections)
    , params_(params) {
  const Mat3 b = table.cell.b_matrix();
  std::size_t first = 0;
  for (std::size_t n = 0; n < pixels.boxes.size(); ++n) {
    const ReflectionBox& of = pixels.boxes[n];
    if (of.state != BoxState::Used) continue;
    Box box{n, pixel_.size(), 0, 0, 0};
    for (std::size_t i = 0; i < of.box.size(); ++i) {
      if (pixels.used[of.first + i] == 0) continue;
      pixel_.push_back(of.first + i);
      modelled_.push_back(first + i);
    }
    box.last = pixel_.size();
    const std::int32_t row = table.row_of(of.hkl);
    if (params.free_intensities && row >= 0) {
      const double width =
          std::min(params.largest_width, 2 * table.sigma[static_cast<std::size_t>(row)]);
      box.prior = width > 1e-4 ? 1 / (width * width) : 0;
    }
    box.inv_d2 = norm2(b * Vec3{double(of.hkl.h), double(of.hkl.k), double(of.hkl.l)});
    windows_.push_back(of.box);
    first_of_window_.push_back(first);
    first += of.box.size();
    boxes_.push_back(box);
  }
  scale_.resize(boxes_.size());
}

diffraction::ShoeboxImage ShotTarget::model(std::span<const double> x, bool derivatives) const {
  const ShotModel now = space_.model(x);
  diffraction::ShoeboxShot shot;
  shot.shot.beam = now.beam;
  shot.shot.lattices = now.lattices;
  shot.boxes = windows_;
  shot.wavelength = now.wavelength;
  if (derivatives) shot.parameters = space_.directions(x);
  const diffraction::DeviceReflections reflections(
      with_factors(reflections_, table_, now.b_factor));
  return diffraction::model_shoeboxes(
      moved_detector(now), now.beam, shot, reflections,
      {.oversample = params_.oversample, .tail = params_.tail, .contributions = false});
}

double ShotTarget::fit_scale(const Box& box, std::span<const double> bragg, double start) const {
  if (box.prior == 0) return 0;
  double t = start;
  for (int iteration = 0; iteration < 30; ++iteration) {
    const double factor = std::exp(t);
    double slope = box.prior * t, information = box.prior;
    for (std::size_t i = box.first; i < box.last; ++i) {
      const double k = factor * bragg[modelled_[i]];
      if (k == 0) continue;
      const std::size_t p = pixel_[i];
      const PixelFit fit =
          slope_of(params_.likelihood, double(pixels_.value[p]), double(pixels_.background[p]) + k,
                   double(pixels_.readout_of(p)));
      slope += fit.slope * k;
      information += fit.information * k * k;
    }
    const double step = std::clamp(-slope / information, -1.0, 1.0);
    t += step;
    if (!(std::abs(step) > 1e-10)) break;
  }
  return t;
}

double ShotTarget::evaluate(std::span<const double> x, std::span<double> gradient) {
  const diffraction::ShoeboxImage image = model(x, true);
  const std::size_t n = space_.size(), stride = image.photons.size();
  std::fill(gradient.begin(), gradient.end(), 0.0);
  std::vector<double> unused(n);
  double f = space_.restrain(x, gradient, unused);
  const int b = space_.b_factor();
  for (std::size_t k = 0; k < boxes_.size(); ++k) {
    const Box& box = boxes_[k];
    const double t = fit_scale(box, image.photons, std::isfinite(scale_[k]) ? scale_[k] : 0);
    scale_[k] = t;
    f += 0.5 * box.prior * t * t;
    const double factor = std::exp(t);
    double along_b = 0;
    for (std::size_t i = box.first; i < box.last; ++i) {
      const std::size_t p = pixel_[i], at = modelled_[i];
      const double bragg = factor * image.photons[at];
      const PixelFit fit =
          fit_pixel(params_.likelihood, double(pixels_.value[p]),
                    double(pixels_.background[p]) + bragg, double(pixels_.readout_of(p)));
      f += fit.value;
      const double slope = fit.slope * factor;
      for (std::size_t q = 0; q < n; ++q) gradient[q] += slope * image.derivatives[q * stride + at];
      along_b += fit.slope * bragg;
    }
    if (b >= 0)
      gradient[static_cast<std::size_t>(b)] -=
          0.5 * box.inv_d2 * along_b * space_.b_factor_slope(x);
  }
  return f;
}

std::vector<double> ShotTarget::information(std::span<const double> x) {
  const diffraction::ShoeboxImage image = model(x, true);
  const std::size_t n = space_.size(), stride = image.photons.size();
  std::vector<double> m(n * n), restraint(n), unused(n), with_k(n), d(n);
  space_.restrain(x, unused, restraint);
  for (std::size_t q = 0; q < n; ++q) m[q * n + q] = restraint[q];
  const int b = space_.b_factor();
  for (std::size_t k = 0; k < boxes_.size(); ++k) {
    const Box& box = boxes_[k];
    const double t = fit_scale(box, image.photons, std::isfinite(scale_[k]) ? scale_[k] : 0),
                 factor = std::exp(t);
    std::fill(with_k.begin(), with_k.end(), 0.0);
    double k_k = box.prior;
    for (std::size_t i = box.first; i < box.last; ++i) {
      const std::size_t p = pixel_[i], at = modelled_[i];
      const double bragg = factor * image.photons[at];
      if (bragg == 0) continue;
      const PixelFit fit =
          slope_of(params_.likelihood, double(pixels_.value[p]),
                   double(pixels_.background[p]) + bragg, double(pixels_.readout_of(p)));
      for (std::size_t q = 0; q < n; ++q) d[q] = factor * image.derivatives[q * stride + at];
      if (b >= 0)
        d[static_cast<std::size_t>(b)] = -0.5 * box.inv_d2 * bragg * space_.b_factor_slope(x);
      const double w = fit.information;
      for (std::size_t q = 0; q < n; ++q) {
        with_k[q] += w * bragg * d[q];
        for (std::size_t r = 0; r <= q; ++r) m[q * n + r] += w * d[q] * d[r];
      }
      k_k += w * bragg * bragg;
    }
    if (box.prior == 0 || k_k == 0) continue;
    for (std::size_t q = 0; q < n; ++q)
      for (std::size_t r = 0; r <= q; ++r) m[q * n + r] -= with_k[q] * with_k[r] / k_k;
  }
  for (std::size_t q = 0; q < n; ++q)
    for (std::size_t r = 0; r < q; ++r) m[r * n + q] = m[q * n + r];
  return m;
}

ShotImage ShotTarget::image(std::span<const double> x) {
  const diffraction::ShoeboxImage model_image = model(x, false);
  ShotImage result;
  result.bragg.assign(pixels_.size(), 0);
  result.box_scale.assign(pixels_.boxes.size(), 0);
  for (std::size_t k = 0; k < boxes_.size(); ++k) {
    const double t =
        fit_scale(boxes_[k], model_image.photons, std::isfinite(scale_[k]) ? scale_[k] : 0);
    const ReflectionBox& box = pixels_.boxes[boxes_[k].number];
    result.box_scale[boxes_[k].number] = t;
    for (std::size_t i = 0; i < box.box.size(); ++i)
      result.bragg[box.first + i] = std::exp(t) * model_image.photons[first_of_window_[k] + i];
  }
  return result;
}

} // namespace kilobragg::pixelrefinement
