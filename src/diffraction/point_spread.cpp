// Point spread: exact weights, taken apart into products of rows and columns, and their convolution.
#include "kilobragg/diffraction/point_spread.hpp"

#include "kernels/diffraction/point_spread_share.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::diffraction {
namespace {

constexpr int largest_radius = 128;
/// A kernel is taken apart until each weight is right to this part of itself ...
constexpr double weight_tolerance = 1e-3;
/// ... and the errors together to this part of a photon.
constexpr double sum_tolerance = 1e-6;
/// Pixels that one pass keeps in registers.
constexpr int block = 32;

/// Radius for all of a Gaussian but 1e-7, or all of a fibre's tails but 1 % (g / r is left outside).
int automatic_radius(const PointSpreadParams& params, double smaller_pixel) {
  const double fwhm = params.fwhm / smaller_pixel;
  const double reach = params.shape == PointSpreadShape::Gaussian
                           ? std::sqrt(std::log(1e7) / std::log(16.0)) * fwhm
                           : 100 * fibre_length(fwhm);
  return static_cast<int>(std::clamp(std::ceil(reach), 1.0, double{largest_radius}));
}

/// How many pixels of the whole kernel a weight of the quadrant stands for.
double copies(std::size_t fast, std::size_t slow) {
  return (fast == 0 ? 1 : 2) * (slow == 0 ? 1 : 2);
}

double total(const std::vector<double>& weights, std::size_t side) {
  double sum = 0;
  for (std::size_t slow = 0; slow < side; ++slow)
    for (std::size_t fast = 0; fast < side; ++fast)
      sum += copies(fast, slow) * weights[slow * side + fast];
  return sum;
}

/// What remains of a kernel when some of its terms are taken out.
struct Remainder {
  std::vector<double> left, weights;
  std::size_t side;

  bool is_small() const {
    double sum = 0, worst = 0;
    for (std::size_t i = 0; i < left.size(); ++i) {
      sum += copies(i % side, i / side) * std::abs(left[i]);
      // Weights too small for a float do not count.
      if (weights[i] > 1e-30) worst = std::max(worst, std::abs(left[i]) / weights[i]);
    }
    return sum < sum_tolerance && worst < weight_tolerance;
  }

  /// Takes out row x column / pivot of the largest element; gives its row and column.
  void take_term(std::vector<double>& fast, std::vector<double>& slow) {
    const auto larger = [](double a, double b) { return std::abs(a) < std::abs(b); };
    const auto pivot =
        static_cast<std::size_t>(std::max_element(left.begin(), left.end(), larger) - left.begin());
    const std::size_t row = pivot / side, column = pivot % side;
    const double height = left[pivot], root = std::sqrt(std::abs(height));
    fast.resize(side);
    slow.resize(side);
    for (std::size_t i = 0; i < side; ++i) {
      fast[i] = left[row * side + i] / root;
      slow[i] = left[i * side + column] / std::copysign(root, height);
    }
    for (std::size_t y = 0; y < side; ++y)
      for (std::size_t x = 0; x < side; ++x) left[y * side + x] -= slow[y] * fast[x];
  }
};

/// out[x] (+)= sum_d weights[|d|] in[x + d * stride] for `block` pixels.
void convolve_block(const float* in, std::ptrdiff_t stride, const std::vector<float>& weights,
                    float* out, bool add) {
  float sum[block];
  for (int x = 0; x < block; ++x) sum[x] = weights[0] * in[x];
  for (std::size_t d = 1; d < weights.size(); ++d) {
    const float weight = weights[d];
    const float* below = in - static_cast<std::ptrdiff_t>(d) * stride;
    const float* above = in + static_cast<std::ptrdiff_t>(d) * stride;
    for (int x = 0; x < block; ++x) sum[x] += weight * (below[x] + above[x]);
  }
  for (int x = 0; x < block; ++x) out[x] = add ? out[x] + sum[x] : sum[x];
}

/// An image with a margin of zeros as wide as the kernel, and rows of whole blocks.
struct Padded {
  int width, height, margin;
  std::size_t row;
  std::vector<float> pixels;

  Padded(int w, int h, int m)
      : width(w)
      , height(h)
      , margin(m)
      , row(static_cast<std::size_t>((w + block - 1) / block * block + 2 * m))
      , pixels(row * static_cast<std::size_t>(h + 2 * m)) {}
  float* at(int x, int y) {
    return pixels.data() + static_cast<std::size_t>(y + margin) * row +
           static_cast<std::size_t>(x + margin);
  }
};

} // namespace

std::vector<double> point_spread_weights(const PointSpreadParams& params,
                                         const std::array<double, 2>& pixel_size_mm, int radius) {
  const auto side = static_cast<std::size_t>(radius + 1);
  const double fast = 1e3 * pixel_size_mm[0], slow = 1e3 * pixel_size_mm[1];
  std::vector<double> weights(side * side);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double x = static_cast<double>(i % side), y = static_cast<double>(i / side);
    const double x0 = (x - 0.5) * fast, x1 = (x + 0.5) * fast;
    const double y0 = (y - 0.5) * slow, y1 = (y + 0.5) * slow;
    weights[i] = params.shape == PointSpreadShape::Gaussian
                     ? gaussian_share(x0, x1, params.fwhm) * gaussian_share(y0, y1, params.fwhm)
                     : fibre_share(x0, x1, y0, y1, fibre_length(params.fwhm));
  }
  return weights;
}

PointSpread::PointSpread(const PointSpreadParams& params,
                         const std::array<double, 2>& pixel_size_mm) {
  core::require(params.fwhm > 0 && params.radius >= 0 && params.radius <= 4096 &&
                    pixel_size_mm[0] > 0 && pixel_size_mm[1] > 0,
                "senseless point spread (width {} um, radius {} pixels of {} x {} mm)", params.fwhm,
                params.radius, pixel_size_mm[0], pixel_size_mm[1]);
  radius_ = params.radius > 0
                ? params.radius
                : automatic_radius(params, 1e3 * std::min(pixel_size_mm[0], pixel_size_mm[1]));
  const auto side = static_cast<std::size_t>(radius_ + 1);
  const std::vector<double> weights = point_spread_weights(params, pixel_size_mm, radius_);
  Remainder remainder{weights, weights, side};
  std::vector<double> fast, slow;
  while (!remainder.is_small() && terms_.size() < side) {
    remainder.take_term(fast, slow);
    terms_.push_back({{fast.begin(), fast.end()}, {slow.begin(), slow.end()}});
  }
  outside_ = std::max(0.0, 1 - total(weights, side));
}

void PointSpread::apply(std::span<float> image, int width, int height) const {
  core::require(width > 0 && height > 0 &&
                    image.size() ==
                        static_cast<std::size_t>(width) * static_cast<std::size_t>(height),
                "image of {} pixels for a panel of {} x {}", image.size(), width, height);
  Padded source(width, height, radius_), rows(width, height, radius_);
  double sum = 0;
  for (int y = 0; y < height; ++y) {
    const float* line =
        image.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width);
    std::copy(line, line + width, source.at(0, y));
    for (int x = 0; x < width; ++x) sum += static_cast<double>(line[x]);
  }
  const auto evenly = static_cast<float>(outside_ * sum / static_cast<double>(image.size()));
  std::vector<float> result(rows.row * static_cast<std::size_t>(height), evenly);
  for (const Term& term : terms_) {
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; x += block)
        convolve_block(source.at(x, y), 1, term.fast, rows.at(x, y), false);
    for (int x = 0; x < width; x += block)
      for (int y = 0; y < height; ++y)
        convolve_block(rows.at(x, y), static_cast<std::ptrdiff_t>(rows.row), term.slow,
                       result.data() + static_cast<std::size_t>(y) * rows.row + x, true);
  }
  for (int y = 0; y < height; ++y)
    std::copy_n(result.data() + static_cast<std::size_t>(y) * rows.row, width,
                image.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width));
}

void spread_points(const models::Detector& detector, const PointSpreadParams& params,
                   std::span<float> image) {
  core::require(image.size() == static_cast<std::size_t>(detector.pixel_count()),
                "image of {} pixels for a detector of {}", image.size(), detector.pixel_count());
  std::vector<std::array<double, 2>> sizes;
  std::vector<PointSpread> spreads;
  std::size_t start = 0;
  for (const models::Panel& panel : detector.panels) {
    const auto known = std::find(sizes.begin(), sizes.end(), panel.pixel_size);
    const auto index = static_cast<std::size_t>(known - sizes.begin());
    if (known == sizes.end()) {
      sizes.push_back(panel.pixel_size);
      spreads.emplace_back(params, panel.pixel_size);
    }
    const auto pixels = static_cast<std::size_t>(panel.image_size[0]) *
                        static_cast<std::size_t>(panel.image_size[1]);
    if (pixels == 0) continue;
    spreads[index].apply(image.subspan(start, pixels), panel.image_size[0], panel.image_size[1]);
    start += pixels;
  }
}

} // namespace kilobragg::diffraction
