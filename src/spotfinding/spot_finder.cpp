// One image through mask, threshold, components, centroids and filters, in reused memory.
#include "kilobragg/spotfinding/spot_finder.hpp"

#include "kernels/threshold/strong_pixels.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/spotfinding/components.hpp"
#include "kilobragg/spotfinding/mask_builder.hpp"
#include "kilobragg/spotfinding/spot_filters.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

namespace kilobragg::spotfinding {
namespace {

using threshold::BitImage;
using threshold::Word;

/// Raw values inside a trusted range, as the pixel type holds them; none = lowest > highest.
template <typename T>
struct TrustedValues {
  T lowest, highest;

  explicit TrustedValues(const std::array<double, 2>& range) {
    using Limits = std::numeric_limits<T>;
    const double type_low = Limits::lowest(), type_high = Limits::max();
    if (!(range[0] <= type_high) || !(range[1] >= type_low) || !(range[0] <= range[1])) {
      lowest = 1, highest = 0;
    } else if constexpr (std::is_floating_point_v<T>) {
      lowest = static_cast<T>(std::max(range[0], type_low));
      highest = static_cast<T>(std::min(range[1], type_high));
      if (lowest < range[0]) lowest = std::nextafter(lowest, Limits::max());
      if (highest > range[1]) highest = std::nextafter(highest, Limits::lowest());
    } else {
      lowest = static_cast<T>(std::ceil(std::max(range[0], type_low)));
      highest = static_cast<T>(std::floor(std::min(range[1], type_high)));
    }
  }
};

threshold::Options threshold_options(const SpotfinderParams& params) {
  const DispersionParams& d = params.dispersion;
  threshold::Options o;
  o.kernel_y = d.kernel_size[0];
  o.kernel_x = d.kernel_size[1];
  o.gain = d.gain.value_or(1);
  o.sigma_background = d.sigma_background;
  o.sigma_strong = d.sigma_strong;
  o.min_local = d.min_local;
  o.global_threshold = d.global_threshold;
  return o;
}

void check(const SpotfinderParams& params) {
  const DispersionParams& d = params.dispersion;
  for (const int k : d.kernel_size)
    core::require(k >= 1 && k <= threshold::max_kernel,
                  "spotfinder.threshold.dispersion.kernel_size={} (must be 1 to {})", k,
                  threshold::max_kernel);
  core::require(d.gain.value_or(1) > 0,
                "spotfinder.threshold.dispersion.gain={} (must be positive)", d.gain.value_or(1));
  core::require(d.sigma_background >= 0 && d.sigma_strong >= 0,
                "spotfinder.threshold.dispersion.sigma_background={}, sigma_strong={} (must not be "
                "negative)",
                d.sigma_background, d.sigma_strong);
  for (const auto& range : params.filter.resolution_range)
    core::require(range[0] != range[1],
                  "spotfinder.filter.resolution_range={},{} (the ends must differ)", range[0],
                  range[1]);
}

void check_layout(const models::Image& image, const models::Detector& detector) {
  core::require(image.layout && image.layout->panels.size() == detector.panels.size(),
                "image of {} panels on a detector of {} (geometry of another detector?)",
                image.layout ? image.layout->panels.size() : 0, detector.panels.size());
  for (std::size_t i = 0; i < detector.panels.size(); ++i) {
    const models::PanelWindow& window = image.layout->panels[i];
    const auto& size = detector.panels[i].image_size;
    core::require(window.width == size[0] && window.height == size[1],
                  "panel {} has {} x {} pixels in the image and {} x {} in the detector model "
                  "(geometry of another detector?)",
                  i, window.width, window.height, size[0], size[1]);
  }
  const std::size_t pixels =
      std::visit([](const auto& buffer) { return buffer.size(); }, image.pixels);
  core::require(pixels >= image.layout->size, "image holds {} pixels, its layout wants {}", pixels,
                image.layout->size);
  core::require(!image.mask || image.mask->empty() || image.mask->size() >= image.layout->size,
                "mask holds {} pixels, the image {}", image.mask ? image.mask->size() : 0,
                image.layout->size);
}

/// Sums over the strong pixels of one spot.
struct SpotSums {
  double sum = 0, sum_squares = 0, x = 0, y = 0;
};

/// Centroid, its variance, intensity and box of a spot from its pixels.
void measure(models::Spot& spot, std::span<const models::StrongPixel> pixels) {
  SpotSums s;
  spot.box = {pixels[0].x, pixels[0].x + 1, pixels[0].y, pixels[0].y + 1};
  for (const models::StrongPixel& p : pixels) {
    spot.box.x0 = std::min(spot.box.x0, p.x), spot.box.x1 = std::max(spot.box.x1, p.x + 1);
    spot.box.y0 = std::min(spot.box.y0, p.y), spot.box.y1 = std::max(spot.box.y1, p.y + 1);
    const double value = p.value;
    s.sum += value, s.sum_squares += value * value;
    s.x += value * (p.x + 0.5), s.y += value * (p.y + 0.5);
  }
  spot.px = {s.x / s.sum, s.y / s.sum};
  spot.intensity = s.sum;
  spot.variance = std::abs(s.sum);
  constexpr double pixel_variance = 1.0 / 12; // of a position known to one pixel
  spot.px_variance = {pixel_variance, pixel_variance};
  const double effective = s.sum * s.sum - s.sum_squares;
  if (effective <= 0) return;
  double xx = 0, yy = 0;
  for (const models::StrongPixel& p : pixels) {
    const double dx = p.x + 0.5 - spot.px.x, dy = p.y + 0.5 - spot.px.y;
    xx += p.value * dx * dx, yy += p.value * dy * dy;
  }
  spot.px_variance.x += xx / effective; // sum p d^2 S / (S^2 - S2), divided by S
  spot.px_variance.y += yy / effective;
}

/// Distance from the centroid to the centre of the brightest pixel, the first one of equals.
double peak_distance(const models::Spot& spot, std::span<const models::StrongPixel> pixels) {
  const auto peak = std::max_element(
      pixels.begin(), pixels.end(), [](const auto& a, const auto& b) { return a.value < b.value; });
  return std::hypot(peak->x + 0.5 - spot.px.x, peak->y + 0.5 - spot.px.y);
}

} // namespace

struct SpotFinder::Scratch {
  explicit Scratch(const SpotfinderParams& params)
      : options(threshold_options(params))
      , masks(params.filter) {}

  threshold::Options options;
  MaskBuilder masks;
  ComponentLabeller labeller;
  threshold::SumsMemory memory;
  std::vector<Word> words[3];

  threshold::PanelBits panel_bits(int width, int height) {
    const std::size_t n = static_cast<std::size_t>(height) * threshold::words_for(width);
    for (auto& w : words)
      if (w.size() < n) w.resize(n);
    const auto image = [&](int i) { return BitImage{words[i].data(), width, height}; };
    return {image(0), image(1), image(2)};
  }
};

namespace {

/// What does not change from panel to panel of one image.
struct FindContext {
  const SpotfinderParams& params;
  const threshold::Options& options;
  int min_spot_size;
  threshold::SumsMemory& memory;
};

template <typename T>
threshold::PanelPixels<T> panel_pixels(const std::vector<T>& buffer,
                                       const models::PanelWindow& window,
                                       const models::Panel& panel, const Word* allowed) {
  const TrustedValues<T> trusted(panel.trusted_range);
  return {buffer.data() + window.offset,
          window.stride,
          window.width,
          window.height,
          trusted.lowest,
          trusted.highest,
          allowed};
}

template <typename T, typename Counts>
void find_strong(const threshold::PanelPixels<T>& pixels, const Counts& counts,
                 const FindContext& context, const threshold::PanelBits& bits) {
  if (context.params.algorithm == ThresholdAlgorithm::Dispersion)
    threshold::find_dispersion(pixels, counts, context.options, bits, context.memory);
  else
    threshold::find_dispersion_extended(pixels, counts, context.options, bits, context.memory);
}

/// Integers without calibration are summed exactly, everything else in double.
template <typename T>
void find_strong(const threshold::PanelPixels<T>& pixels, const models::Panel& panel,
                 const FindContext& context, const threshold::PanelBits& bits) {
  if constexpr (std::is_integral_v<T>)
    if (panel.gain == 1 && panel.pedestal == 0) {
      find_strong(pixels, threshold::RawCounts{}, context, bits);
      return;
    }
  find_strong(pixels, threshold::CalibratedCounts{panel.pedestal, panel.gain}, context, bits);
}

/// Adds the components of one panel that pass the size and separation filters.
template <typename T>
void add_spots(const threshold::PanelPixels<T>& pixels, const models::Panel& panel,
               const ComponentLabeller& labeller, std::size_t components, int panel_index,
               const FindContext& context, models::SpotList& list) {
  const threshold::CalibratedCounts counts{panel.pedestal, panel.gain};
  for (std::size_t i = 0; i < components; ++i) {
    const auto runs = labeller.runs(i);
    models::Spot spot;
    spot.panel = panel_index;
    spot.first_pixel = static_cast<std::uint32_t>(list.pixels.size());
    for (const PixelRun& run : runs) spot.pixel_count += static_cast<unsigned>(run.x1 - run.x0);
    if (static_cast<int>(spot.pixel_count) < context.min_spot_size ||
        static_cast<int>(spot.pixel_count) > context.params.filter.max_spot_size)
      continue;
    for (const PixelRun& run : runs)
      for (int x = run.x0; x < run.x1; ++x) {
        const T raw = pixels.row(run.y)[x];
        // The trusted maximum is where a detector saturates: such a spot may be cut off.
        if (static_cast<double>(raw) >= panel.trusted_range[1])
          spot.flags |= models::flag_overloaded;
        list.pixels.push_back({x, run.y, static_cast<float>(counts(raw))});
      }
    const std::span<const models::StrongPixel> own(list.pixels.data() + spot.first_pixel,
                                                   spot.pixel_count);
    measure(spot, own);
    if (peak_distance(spot, own) > context.params.filter.max_separation)
      list.pixels.resize(spot.first_pixel);
    else
      list.spots.push_back(spot);
  }
}

/// Drops the spots that `keep` refuses, and their pixels.
void retain(models::SpotList& list, const std::vector<bool>& keep) {
  models::SpotList kept;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!keep[i]) continue;
    models::Spot spot = list.spots[i];
    const auto from = list.pixels.begin() + spot.first_pixel;
    spot.first_pixel = static_cast<std::uint32_t>(kept.pixels.size());
    kept.pixels.insert(kept.pixels.end(), from, from + spot.pixel_count);
    kept.spots.push_back(spot);
  }
  list = std::move(kept);
}

void filter_spots(models::SpotList& list, const models::Image& image,
                  const models::Detector& detector, const SpotFilterParams& filter) {
  if (filter.background_gradient_filter) {
    std::vector<bool> keep;
    for (const models::Spot& spot : list.spots) {
      const auto slope =
          background_slope(image, detector.panels[spot.panel], spot, filter.background_size);
      keep.push_back(std::abs(slope.x) <= filter.gradient_cutoff &&
                     std::abs(slope.y) <= filter.gradient_cutoff);
    }
    retain(list, keep);
  }
  if (filter.spot_density_filter) retain(list, density_filter(list, filter.nbins));
}

} // namespace

SpotFinder::SpotFinder(const SpotfinderParams& params)
    : params_(params) {
  check(params);
  scratch_ = std::make_unique<Scratch>(params);
}
SpotFinder::~SpotFinder() = default;
SpotFinder::SpotFinder(SpotFinder&&) noexcept = default;
SpotFinder& SpotFinder::operator=(SpotFinder&&) noexcept = default;

models::SpotList SpotFinder::find(const models::Image& image, const models::Detector& detector,
                                  const models::Beam& beam) {
  check_layout(image, detector);
  Scratch& scratch = *scratch_;
  scratch.masks.update(image, detector, beam);
  const bool pad = !detector.panels.empty() && detector.panels[0].type == "SENSOR_PAD";
  const FindContext context{params_, scratch.options,
                            params_.filter.min_spot_size.value_or(pad ? 3 : 6), scratch.memory};
  models::SpotList list;
  std::size_t strong = 0, total = 0;
  for (std::size_t i = 0; i < detector.panels.size(); ++i) {
    const models::Panel& panel = detector.panels[i];
    const models::PanelWindow& window = image.layout->panels[i];
    const auto bits = scratch.panel_bits(window.width, window.height);
    std::visit(
        [&](const auto& buffer) {
          const auto pixels = panel_pixels(buffer, window, panel, scratch.masks.panel(i));
          find_strong(pixels, panel, context, bits);
          const std::size_t components = scratch.labeller.label(bits.strong);
          add_spots(pixels, panel, scratch.labeller, components, static_cast<int>(i), context,
                    list);
        },
        image.pixels);
    strong += scratch.labeller.pixel_count();
    total += static_cast<std::size_t>(window.width) * window.height;
  }
  const double limit = std::ceil(params_.filter.max_strong_pixel_fraction * double(total));
  core::require(static_cast<double>(strong) <= limit,
                "{} of {} pixels are strong (more than "
                "spotfinder.filter.max_strong_pixel_fraction={}) gain too low, or mask missing?",
                strong, total, params_.filter.max_strong_pixel_fraction);
  filter_spots(list, image, detector, params_.filter);
  return list;
}

} // namespace kilobragg::spotfinding
