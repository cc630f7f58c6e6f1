// The likelihood of a shot's shoeboxes: each box's scale profiled out, gradients by the forward model.
#include "kilobragg/pixelrefinement/shot_target.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace kilobragg::pixelrefinement {
namespace {

/// Sum of a[i] row[at[i]]: four sums in turn, so that none waits for the one before.
double gather_product(const std::vector<double>& a, const std::vector<std::size_t>& at,
                      const double* row) {
  double sum[4] = {};
  std::size_t i = 0;
  for (; i + 4 <= a.size(); i += 4)
    for (std::size_t k = 0; k < 4; ++k) sum[k] += a[i + k] * row[at[i + k]];
  for (; i < a.size(); ++i) sum[0] += a[i] * row[at[i]];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

double dot_of(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

} // namespace

diffraction::ShoeboxOptions options_of(const ShotTargetParams& params) {
  return {.oversample = params.oversample, .tail = params.tail, .contributions = false};
}

ShotTarget::ShotTarget(const ParameterSpace& space, const ShotPixels& pixels,
                       const FactorTable& table, const ShotReflections& reflections,
                       const ShotTargetParams& params)
    : space_(space)
    , pixels_(pixels)
    , table_(table)
    , reflections_(reflections)
    , params_(params)
    , shares_(layer_shares(space.model(space.start()).beam, table.energies))
    , first_of_window_{0} {
  for (std::size_t n = 0; n < pixels.boxes.size(); ++n)
    if (pixels.boxes[n].state == params.boxes) add_box(n);
  scale_.resize(boxes_.size());
}

void ShotTarget::add_box(std::size_t number) {
  const ReflectionBox& of = pixels_.boxes[number];
  Box box{number, counted_.size(), 0, 0};
  for (std::size_t i = 0; i < of.box.size(); ++i)
    if (pixels_.used[of.first + i] != 0)
      counted_.push_back(make_pixel(of.first + i, first_of_window_.back() + i));
  box.last = counted_.size();
  const std::int32_t row = table_.row_of(of.hkl);
  if (params_.free_intensities && row >= 0) {
    double sigma = 0; // as if the errors of all layers were one
    for (std::size_t layer = 0; layer < shares_.size(); ++layer)
      sigma += shares_[layer] *
               table_.sigma[layer * table_.layer_size() + static_cast<std::size_t>(row)];
    const double width = std::min(params_.largest_width, 2 * sigma);
    box.prior = width > 1e-4 ? 1 / (width * width) : 0;
  }
  windows_.push_back(of.box);
  first_of_window_.push_back(first_of_window_.back() + of.box.size());
  boxes_.push_back(box);
}

ShotTarget::Pixel ShotTarget::make_pixel(std::size_t pixel, std::size_t modelled) const {
  Pixel p{modelled,
          double(pixels_.value[pixel]),
          double(pixels_.background[pixel]),
          double(pixels_.readout_of(pixel)),
          0,
          0};
  if (params_.likelihood != Likelihood::Normal) {
    const bool whole = params_.likelihood == Likelihood::NoisyPoisson;
    if (!whole || p.readout < silent_readout) {
      p.readout = 0;
      p.value = std::max(0.0, whole ? std::round(p.value) : p.value);
      p.log_factorial = std::lgamma(p.value + 1);
    }
  }
  p.dark = fit(p, p.background).value;
  return p;
}

PixelFit ShotTarget::fit(const Pixel& p, double m) const {
  if (params_.likelihood == Likelihood::Normal) return fit_normal(p.value, m, p.readout);
  if (p.readout > 0) return fit_noisy_photons(p.value, m, p.readout);
  return fit_poisson(p.value, m, p.log_factorial);
}

PixelFit ShotTarget::slope(const Pixel& p, double m) const {
  if (params_.likelihood == Likelihood::Normal) return slope_normal(p.value, m, p.readout);
  if (p.readout > 0) return fit_noisy_photons(p.value, m, p.readout);
  return slope_poisson(p.value, m);
}

LightRequest ShotTarget::request(std::span<const double> x) const {
  const ShotModel now = space_.model(x);
  LightRequest request;
  request.detector = moved_detector(now);
  request.shot.shot.beam = now.beam;
  request.shot.shot.lattices = now.lattices;
  request.shot.boxes = windows_;
  request.shot.wavelength = now.wavelength;
  request.shot.parameters = space_.directions(x);
  request.sphere = with_factors(reflections_, table_, now.b_factor);
  return request;
}

diffraction::ShoeboxImage ShotTarget::model(std::span<const double> x) const {
  const LightRequest asked = request(x);
  ShotLight light = model_light(std::span(&asked, 1), options_of(params_));
  if (light.images.empty()) return diffraction::ShoeboxImage{{}, {}, {0, 0}, {}};
  return std::move(light.images[0]);
}

std::vector<std::vector<double>> ShotTarget::layers(std::span<const double> x) const {
  LightRequest asked = request(x);
  asked.shot.parameters.clear();
  const std::vector<double> all = asked.sphere.f_squared;
  const std::size_t size = asked.sphere.size();
  std::vector<std::vector<double>> images;
  for (std::size_t layer = 0; layer < reflections_.layers(); ++layer) {
    for (std::size_t i = 0; i < all.size(); ++i)
      asked.sphere.f_squared[i] = i / size == layer ? all[i] : 0;
    const ShotLight light = model_light(std::span(&asked, 1), options_of(params_));
    const std::span<const double> photons = light.of_request[0].photons;
    images.emplace_back(photons.begin(), photons.end());
  }
  return images;
}

std::vector<ShotTarget::LitPixel> ShotTarget::lit_pixels(const Box& box,
                                                         std::span<const double> photons) const {
  std::vector<LitPixel> lit;
  lit.reserve(box.last - box.first);
  for (std::size_t i = box.first; i < box.last; ++i)
    if (const double bragg = photons[counted_[i].modelled]; bragg != 0)
      lit.push_back({&counted_[i], bragg});
  return lit;
}

double ShotTarget::fit_scale(std::size_t k, std::span<const LitPixel> lit) {
  const double prior = boxes_[k].prior;
  if (prior == 0) return 0;
  constexpr double infinite = std::numeric_limits<double>::infinity();
  // Fisher scoring between the points where f is known to fall and to rise.
  double t = std::isfinite(scale_[k]) ? scale_[k] : 0, low = -infinite, high = infinite;
  for (int iteration = 0; iteration < 50; ++iteration) {
    const double factor = std::exp(t);
    double along = prior * t, information = prior;
    for (const LitPixel& l : lit) {
      const double bragg = factor * l.bragg;
      const PixelFit fit = slope(*l.pixel, l.pixel->background + bragg);
      along += fit.slope * bragg;
      information += fit.information * bragg * bragg;
    }
    (along > 0 ? high : low) = t;
    double next = t + std::clamp(-along / information, -1.0, 1.0);
    if (next < low || next > high) next = 0.5 * (low + high);
    const double step = next - t;
    t = next;
    if (!(std::abs(step) > 1e-9)) break;
  }
  return scale_[k] = t;
}

double ShotTarget::evaluate(std::span<const double> x, std::span<double> gradient) {
  return evaluate(x, model(x).of_shot(0), gradient);
}

double ShotTarget::evaluate(std::span<const double> x, const diffraction::ShoeboxView& light,
                            std::span<double> gradient) {
  const std::size_t n = space_.size(), stride = light.photons.size();
  std::fill(gradient.begin(), gradient.end(), 0.0);
  if (!space_.has_sizes(x)) return std::numeric_limits<double>::infinity();
  std::vector<double> unused(n), slopes;
  std::vector<std::size_t> modelled;
  slopes.reserve(counted_.size());
  modelled.reserve(counted_.size());
  double f = space_.restrain(x, gradient, unused) + dark();
  for (std::size_t k = 0; k < boxes_.size(); ++k) {
    const std::vector<LitPixel> lit = lit_pixels(boxes_[k], light.photons);
    const double t = fit_scale(k, lit), factor = std::exp(t);
    f += 0.5 * boxes_[k].prior * t * t;
    for (const LitPixel& l : lit) {
      const PixelFit now = fit(*l.pixel, l.pixel->background + factor * l.bragg);
      f += now.value - l.pixel->dark;
      slopes.push_back(now.slope * factor);
      modelled.push_back(l.pixel->modelled);
    }
  }
  for (std::size_t q = 0; q < n; ++q)
    gradient[q] += gather_product(slopes, modelled, light.derivatives.data() + q * stride);
  return f;
}

double ShotTarget::dark() const {
  double f = 0;
  for (const Pixel& p : counted_) f += p.dark;
  return f;
}

std::vector<double> ShotTarget::information(std::span<const double> x) {
  return information(x, model(x).of_shot(0));
}

std::vector<double> ShotTarget::information(std::span<const double> x,
                                            const diffraction::ShoeboxView& light) {
  const std::size_t n = space_.size(), stride = light.photons.size();
  std::vector<double> m(n * n), restraint(n), unused(n), with_k(n);
  space_.restrain(x, unused, restraint);
  for (std::size_t q = 0; q < n; ++q) m[q * n + q] = restraint[q];
  std::vector<std::vector<double>> d(n); // derivatives over the standard deviation of the score
  std::vector<double> of_k;              // the same of k
  for (std::size_t b = 0; b < boxes_.size(); ++b) {
    const std::vector<LitPixel> lit = lit_pixels(boxes_[b], light.photons);
    const double factor = std::exp(fit_scale(b, lit));
    of_k.clear();
    for (auto& row : d) row.clear();
    for (const LitPixel& l : lit) {
      const double bragg = factor * l.bragg;
      const double root = std::sqrt(slope(*l.pixel, l.pixel->background + bragg).information);
      of_k.push_back(root * bragg);
      for (std::size_t q = 0; q < n; ++q)
        d[q].push_back(root * factor * light.derivatives[q * stride + l.pixel->modelled]);
    }
    const double k_k = boxes_[b].prior + dot_of(of_k, of_k);
    const bool free = boxes_[b].prior != 0;
    for (std::size_t q = 0; q < n; ++q) {
      with_k[q] = dot_of(of_k, d[q]);
      for (std::size_t r = 0; r <= q; ++r)
        m[q * n + r] += dot_of(d[q], d[r]) - (free ? with_k[q] * with_k[r] / k_k : 0);
    }
  }
  for (std::size_t q = 0; q < n; ++q)
    for (std::size_t r = 0; r < q; ++r) m[r * n + q] = m[q * n + r];
  return m;
}

template <typename Scale>
ShotImage ShotTarget::draw(const diffraction::ShoeboxView& light, const Scale& scale) const {
  ShotImage result;
  result.bragg.assign(pixels_.size(), 0);
  result.box_scale.assign(pixels_.boxes.size(), 0);
  for (std::size_t k = 0; k < boxes_.size(); ++k) {
    const double t = scale(k), factor = std::exp(t);
    const ReflectionBox& box = pixels_.boxes[boxes_[k].number];
    result.box_scale[boxes_[k].number] = t;
    for (std::size_t i = 0; i < box.box.size(); ++i)
      result.bragg[box.first + i] = factor * light.photons[first_of_window_[k] + i];
  }
  return result;
}

ShotImage ShotTarget::image(const diffraction::ShoeboxView& light) {
  return draw(light,
              [&](std::size_t k) { return fit_scale(k, lit_pixels(boxes_[k], light.photons)); });
}

ShotImage ShotTarget::image(std::span<const double> x) {
  LightRequest asked = request(x);
  asked.shot.parameters.clear();
  return image(model_light(std::span(&asked, 1), options_of(params_)).of_request[0]);
}

ShotImage ShotTarget::image_as_known(const diffraction::ShoeboxView& light) const {
  return draw(light, [](std::size_t) { return 0.0; });
}

} // namespace kilobragg::pixelrefinement
