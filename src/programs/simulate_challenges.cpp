// Draws and applies ice, salt, zingers, hot and dead pixels.
#include "simulate_challenges.hpp"

#include "simulate_streams.hpp"

#include "kernels/diffraction/random.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"

#include <algorithm>
#include <cmath>

namespace kilobragg::programs {
namespace {

using diffraction::RandomStream;

/// Rings end where sensors of real runs end; finer ones would be weaker than anything else.
constexpr double finest_ring = 1.0; // angstrom

std::uint64_t seed_of(const SimulateParams& params) {
  return static_cast<std::uint64_t>(params.seed);
}

std::vector<std::size_t> panel_offsets(const models::Detector& detector) {
  std::vector<std::size_t> offsets;
  std::size_t at = 0;
  for (const models::Panel& panel : detector.panels) {
    offsets.push_back(at);
    at += static_cast<std::size_t>(panel.image_size[0]) *
          static_cast<std::size_t>(panel.image_size[1]);
  }
  return offsets;
}

PlacedPixel place_pixel(const models::Detector& detector, std::size_t index) {
  PlacedPixel pixel{index, 0, 0, 0};
  for (const models::Panel& panel : detector.panels) {
    const auto width = static_cast<std::size_t>(panel.image_size[0]),
               size = width * static_cast<std::size_t>(panel.image_size[1]);
    if (index < size) {
      pixel.fast = static_cast<int>(index % width);
      pixel.slow = static_cast<int>(index / width);
      break;
    }
    index -= size;
    ++pixel.panel;
  }
  return pixel;
}

/// A number below `count`, from 64 bits.
std::size_t below(RandomStream& random, std::size_t count) {
  const std::uint64_t high = random.bits(), low = random.bits();
  return static_cast<std::size_t>((high << 32 | low) % count);
}

/// A usable pixel that was not taken before, or none after many tries.
std::optional<PlacedPixel> draw_pixel(const SimulatedDetector& detector, RandomStream& random,
                                      std::vector<std::size_t>& taken) {
  const auto pixels = static_cast<std::size_t>(detector.detector.pixel_count());
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const std::size_t index = below(random, pixels);
    if (!detector.mask.empty() && detector.mask[index] == 0) continue;
    const auto place = std::lower_bound(taken.begin(), taken.end(), index);
    if (place != taken.end() && *place == index) continue;
    taken.insert(place, index);
    return place_pixel(detector.detector, index);
  }
  return std::nullopt;
}

/// Half of the hot pixels are saturated, the others glow between 50 and 5000 photons.
HotPixel draw_glow(PlacedPixel pixel, RandomStream& random) {
  if (random.uniform() < 0.5) return {pixel, 0};
  return {pixel, 50 * std::pow(100.0, random.uniform())};
}

/// Exponential deviate of mean 1.
double exponential(RandomStream& random) { return -std::log(random.uniform()); }

/// The line of a peak, the brighter the likelier, for a uniform deviate.
const PowderLine& choose_line(const std::vector<PowderLine>& lines, double u) {
  double sum = 0;
  for (const PowderLine& line : lines) sum += line.intensity;
  for (const PowderLine& line : lines) {
    u -= line.intensity / sum;
    if (u < 0) return line;
  }
  return lines.back();
}

/// A peak anywhere on a ring; none if that is beside the detector.
std::optional<SaltPeak> draw_salt_peak(const SimulateParams& params,
                                       const models::Detector& detector, const models::Beam& beam,
                                       const std::vector<PowderLine>& lines, RandomStream& random) {
  const PowderLine& line = choose_line(lines, random.uniform());
  const double azimuth = 2 * core::pi * random.uniform();
  const double photons = params.challenges.salt_peak_photons * exponential(random);
  const double width = random.uniform(0.6, 1.6);
  const double sine = beam.wavelength / (2 * line.d);
  if (sine >= 1) return std::nullopt;
  const double two_theta = 2 * std::asin(sine);
  const Vec3 k0 = -unit(beam.direction), up = unit(beam.polarization_normal), side = cross(up, k0);
  const Vec3 k = std::cos(two_theta) * k0 +
                 std::sin(two_theta) * (std::cos(azimuth) * side + std::sin(azimuth) * up);
  const auto hit = detector.intersect(k);
  if (!hit) return std::nullopt;
  return SaltPeak{hit->panel, hit->px, line.d, photons, width};
}

/// Level of the rings of an image that has them: spread like the fluence, around its mean.
std::optional<double> draw_level(const SimulateRings& rings, RandomStream& random) {
  const double u = random.uniform(), spread = 0.5 * random.normal();
  if (u >= rings.fraction) return std::nullopt;
  return rings.level * std::exp(spread - 0.125);
}

std::int32_t saturated(double counts) {
  return counts >= 2147483647.0 ? 2147483647 : static_cast<std::int32_t>(std::lround(counts));
}

} // namespace

BadPixels draw_bad_pixels(const SimulateParams& params, const SimulatedDetector& detector) {
  const auto& wanted = params.challenges;
  BadPixels bad;
  std::vector<std::size_t> taken;
  for (int i = 0; i < wanted.hot_pixels.count; ++i) {
    RandomStream random(seed_of(params), run_wide, hot_pixel_stream, static_cast<std::uint32_t>(i));
    if (const auto pixel = draw_pixel(detector, random, taken))
      bad.hot.push_back(draw_glow(*pixel, random));
  }
  for (int i = 0; i < wanted.dead_pixels.count; ++i) {
    RandomStream random(seed_of(params), run_wide, dead_pixel_stream,
                        static_cast<std::uint32_t>(i));
    if (const auto pixel = draw_pixel(detector, random, taken)) bad.dead.push_back(*pixel);
  }
  std::vector<PixelBlock> left = detector.modules;
  core::require(wanted.dead_panels.count <= static_cast<int>(left.size()),
                "challenge.dead_panels.count={} is more than the detector has panels ({})",
                wanted.dead_panels.count, left.size());
  for (int i = 0; i < wanted.dead_panels.count; ++i) {
    RandomStream random(seed_of(params), run_wide, dead_panel_stream,
                        static_cast<std::uint32_t>(i));
    const auto chosen = left.begin() + static_cast<std::ptrdiff_t>(below(random, left.size()));
    bad.dead_blocks.push_back(*chosen);
    left.erase(chosen);
  }
  return bad;
}

namespace {

/// Calls visit(index) for the pixels of a block.
template <typename Visit>
void for_each_in(const PixelBlock& block, const models::Detector& detector,
                 const std::vector<std::size_t>& offsets, const Visit& visit) {
  const auto panel = static_cast<std::size_t>(block.panel);
  const auto width = static_cast<std::size_t>(detector.panels[panel].image_size[0]);
  for (int y = block.y0; y < block.y1; ++y)
    for (int x = block.x0; x < block.x1; ++x)
      visit(offsets[panel] + static_cast<std::size_t>(y) * width + static_cast<std::size_t>(x));
}

} // namespace

std::vector<std::uint8_t> file_mask(const SimulateChallenges& challenges,
                                    const SimulatedDetector& detector, const BadPixels& bad) {
  std::vector<std::uint8_t> mask = detector.mask;
  const bool named = (challenges.hot_pixels.masked && !bad.hot.empty()) ||
                     (challenges.dead_pixels.masked && !bad.dead.empty()) ||
                     (challenges.dead_panels.masked && !bad.dead_blocks.empty());
  if (!named) return mask;
  if (mask.empty()) mask.assign(static_cast<std::size_t>(detector.detector.pixel_count()), 1);
  if (challenges.hot_pixels.masked)
    for (const HotPixel& hot : bad.hot) mask[hot.pixel.index] = 0;
  if (challenges.dead_pixels.masked)
    for (const PlacedPixel& pixel : bad.dead) mask[pixel.index] = 0;
  const auto offsets = panel_offsets(detector.detector);
  if (challenges.dead_panels.masked)
    for (const PixelBlock& block : bad.dead_blocks)
      for_each_in(block, detector.detector, offsets, [&](std::size_t i) { mask[i] = 0; });
  return mask;
}

namespace {

/// Rings and peaks of salt, if this image has any.
void draw_salt(const SimulateParams& params, const models::Detector& detector,
               const models::Beam& beam, std::uint32_t image, DrawnArtefacts& drawn) {
  RandomStream random(seed_of(params), image, salt_stream);
  const auto level = draw_level(params.challenges.salt, random);
  if (!level) return;
  drawn.salt = *level;
  const auto lines = salt_lines(finest_ring);
  const int peaks = diffraction::poisson(random, params.challenges.salt_peaks);
  for (int i = 0; i < peaks; ++i) {
    RandomStream own(seed_of(params), image, salt_peak_stream, static_cast<std::uint32_t>(i));
    if (const auto peak = draw_salt_peak(params, detector, beam, lines, own))
      drawn.salt_peaks.push_back(*peak);
  }
}

void draw_zingers(const SimulateParams& params, const models::Detector& detector,
                  std::uint32_t image, DrawnArtefacts& drawn) {
  RandomStream random(seed_of(params), image, zinger_stream);
  const int count = diffraction::poisson(random, params.challenges.zingers);
  const auto pixels = static_cast<std::size_t>(detector.pixel_count());
  for (int i = 0; i < count; ++i) {
    RandomStream own(seed_of(params), image, zinger_stream, static_cast<std::uint32_t>(i) + 1);
    const PlacedPixel start = place_pixel(detector, below(own, pixels));
    const double angle = 2 * core::pi * own.uniform();
    const double length = std::min(60.0, 3 * exponential(own));
    drawn.zingers.push_back(
        {start, angle, length, params.challenges.zinger_photons * exponential(own)});
  }
}

} // namespace

DrawnArtefacts draw_artefacts(const SimulateParams& params, const models::Detector& detector,
                              const models::Beam& beam, std::uint32_t image) {
  DrawnArtefacts drawn;
  if (params.challenges.ice.fraction > 0) {
    RandomStream random(seed_of(params), image, ice_stream);
    drawn.ice = draw_level(params.challenges.ice, random).value_or(0);
  }
  if (params.challenges.salt.fraction > 0) draw_salt(params, detector, beam, image, drawn);
  if (params.challenges.zingers > 0) draw_zingers(params, detector, image, drawn);
  return drawn;
}

Challenger::Challenger(const SimulateParams& params, const SimulatedDetector& detector,
                       const models::Detector& planes, const models::Beam& beam,
                       const BadPixels& bad)
    : params_(params)
    , detector_(detector.detector)
    , bad_(bad)
    , offsets_(panel_offsets(detector.detector)) {
  const auto& wanted = params.challenges;
  if (wanted.ice.fraction > 0) ice_.emplace(ice_lines(finest_ring), wanted.ice.width);
  if (wanted.salt.fraction > 0) salt_.emplace(salt_lines(finest_ring), wanted.salt.width);
  if (ice_ || salt_) screen_.emplace(planes, beam);
}

void Challenger::add_photons(const DrawnArtefacts& drawn, double wavelength,
                             std::span<float> photons) const {
  if (drawn.ice > 0) screen_->add(*ice_, drawn.ice, wavelength, photons);
  if (drawn.salt > 0) screen_->add(*salt_, drawn.salt, wavelength, photons);
  for (const SaltPeak& peak : drawn.salt_peaks) add_peak(peak, photons);
}

void Challenger::add_peak(const SaltPeak& peak, std::span<float> photons) const {
  const auto number = static_cast<std::size_t>(peak.panel);
  const models::Panel& panel = detector_.panels[number];
  const int reach = static_cast<int>(std::ceil(4 * peak.width));
  const int x0 = static_cast<int>(peak.px.x), y0 = static_cast<int>(peak.px.y);
  const double scale = 1 / (std::sqrt(2.0) * peak.width);
  // Part of a Gaussian within the pixel that begins at `low`.
  const auto part = [scale](double low) {
    return (std::erf((low + 1) * scale) - std::erf(low * scale)) / 2;
  };
  for (int y = std::max(0, y0 - reach); y < std::min(panel.image_size[1], y0 + reach + 1); ++y)
    for (int x = std::max(0, x0 - reach); x < std::min(panel.image_size[0], x0 + reach + 1); ++x) {
      const std::size_t index =
          offsets_[number] +
          static_cast<std::size_t>(y) * static_cast<std::size_t>(panel.image_size[0]) +
          static_cast<std::size_t>(x);
      photons[index] +=
          static_cast<float>(peak.photons * part(x - peak.px.x) * part(y - peak.px.y));
    }
}

void Challenger::add_zinger(const Zinger& zinger, std::span<std::int32_t> counts) const {
  const models::Panel& panel = detector_.panels[static_cast<std::size_t>(zinger.start.panel)];
  const std::size_t base = offsets_[static_cast<std::size_t>(zinger.start.panel)];
  const double dx = std::cos(zinger.angle), dy = std::sin(zinger.angle);
  for (int step = 0; step <= static_cast<int>(zinger.length); ++step) {
    const int x = zinger.start.fast + static_cast<int>(std::lround(step * dx));
    const int y = zinger.start.slow + static_cast<int>(std::lround(step * dy));
    if (x < 0 || y < 0 || x >= panel.image_size[0] || y >= panel.image_size[1]) return;
    std::int32_t& count =
        counts[base + static_cast<std::size_t>(y) * static_cast<std::size_t>(panel.image_size[0]) +
               static_cast<std::size_t>(x)];
    count = saturated(count + panel.gain * zinger.photons);
  }
}

void Challenger::change_counts(const DrawnArtefacts& drawn, std::uint32_t image,
                               std::span<std::int32_t> counts) const {
  for (const Zinger& zinger : drawn.zingers) add_zinger(zinger, counts);
  for (std::size_t i = 0; i < bad_.hot.size(); ++i) {
    const HotPixel& hot = bad_.hot[i];
    const models::Panel& panel = detector_.panels[static_cast<std::size_t>(hot.pixel.panel)];
    RandomStream random(seed_of(params_), image, hot_noise_stream, static_cast<std::uint32_t>(i));
    std::int32_t& count = counts[hot.pixel.index];
    if (hot.photons > 0)
      count = saturated(count + panel.gain * diffraction::poisson(random, hot.photons));
    else
      count = saturated(panel.trusted_range[1] + 1);
  }
  for (const PlacedPixel& pixel : bad_.dead) counts[pixel.index] = 0;
  for (const PixelBlock& block : bad_.dead_blocks)
    for_each_in(block, detector_, offsets_, [&](std::size_t i) { counts[i] = 0; });
}

} // namespace kilobragg::programs
