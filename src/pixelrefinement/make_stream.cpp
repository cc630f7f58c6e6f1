// Contributions of the forward model at |F|^2 = 1, sorted into segments and shared pixels.
#include "kilobragg/pixelrefinement/make_stream.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <tuple>
#include <utility>

namespace kilobragg::pixelrefinement {
namespace {

/// What one reflection of one lattice gives one pixel.
struct Part {
  std::uint32_t pixel; ///< in ShotPixels
  std::int32_t unknown;
  std::int32_t lattice;
  float inv_d2;
  double kernel;
};

/// Windows of the boxes that count, and the pixel of ShotPixels at each place of the model's image.
struct Windows {
  std::vector<diffraction::Shoebox> boxes;
  std::vector<std::uint32_t> pixel;
  std::vector<bool> left_out; ///< by pixel of ShotPixels
};

constexpr auto no_pixel = ~std::uint32_t(0);

Windows make_windows(const ShotPixels& pixels) {
  Windows windows;
  windows.left_out.resize(pixels.size());
  for (const ReflectionBox& box : pixels.boxes) {
    if (box.state != BoxState::Used && box.state != BoxState::LeftOut) continue;
    windows.boxes.push_back(box.box);
    for (std::size_t i = box.first; i < box.first + box.box.size(); ++i) {
      windows.pixel.push_back(pixels.used[i] != 0 ? static_cast<std::uint32_t>(i) : no_pixel);
      windows.left_out[i] = box.state == BoxState::LeftOut;
    }
  }
  return windows;
}

/// Parts of all lattices, sorted by pixel; those of one row in one pixel and lattice are added up.
std::vector<Part> list_parts(const ShotModel& shot, const Windows& windows,
                             const ShotReflections& near, const StreamParams& params) {
  diffraction::ReflectionSphere ones;
  ones.hkl = near.hkl;
  for (const float s : near.inv_d2)
    ones.f_squared.push_back(std::exp(-0.5 * shot.b_factor * double(s)));
  const diffraction::DeviceReflections reflections(ones);
  const models::Detector detector = moved_detector(shot);
  std::vector<Part> parts;
  for (std::size_t l = 0; l < shot.lattices.size(); ++l) {
    diffraction::ShoeboxShot one;
    one.shot.beam = shot.beam;
    one.shot.lattices = {shot.lattices[l]};
    one.boxes = windows.boxes;
    one.wavelength = shot.wavelength;
    const auto image = diffraction::model_shoeboxes(
        detector, shot.beam, one, reflections,
        {.oversample = params.oversample, .tail = params.tail, .contributions = true});
    for (const diffraction::Contribution& c : image.contributions)
      if (const std::uint32_t pixel = windows.pixel[c.pixel]; pixel != no_pixel)
        parts.push_back({pixel, near.row[c.reflection], static_cast<std::int32_t>(l),
                         near.inv_d2[c.reflection], double(c.photons)});
  }
  std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
    return std::tie(a.pixel, a.unknown, a.lattice) < std::tie(b.pixel, b.unknown, b.lattice);
  });
  std::size_t out = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool same = out > 0 && parts[out - 1].pixel == parts[i].pixel &&
                      parts[out - 1].unknown == parts[i].unknown &&
                      parts[out - 1].lattice == parts[i].lattice;
    if (same)
      parts[out - 1].kernel += parts[i].kernel;
    else
      parts[out++] = parts[i];
  }
  parts.resize(out);
  return parts;
}

/// The parts of a pixel that matter move to the front; returns how many, and the photons of the rest.
std::pair<std::size_t, double> split_parts(std::span<Part> parts, double variance,
                                           const FactorTable& table,
                                           const std::vector<double>& f_squared,
                                           double negligible) {
  const double least = negligible * std::sqrt(variance);
  double rest = 0;
  const auto end = std::stable_partition(parts.begin(), parts.end(), [&](const Part& p) {
    return f_squared[static_cast<std::size_t>(p.unknown)] * p.kernel >= least;
  });
  for (auto p = end; p != parts.end(); ++p) {
    const double f = table.f[static_cast<std::size_t>(p->unknown)];
    rest += f * f * p->kernel;
  }
  return {static_cast<std::size_t>(end - parts.begin()), rest};
}

struct SegmentKey {
  std::int32_t unknown, lattice;
  bool left_out;
  auto operator<=>(const SegmentKey&) const = default;
};

/// A pixel with the parts that matter.
struct LitPixel {
  std::uint32_t pixel;
  double background;
  std::size_t first, count; ///< parts
};

SegmentKey key_of(const Part& part, const Windows& windows) {
  return {part.unknown, part.lattice, windows.left_out[part.pixel]};
}

} // namespace

ShotStream make_stream(const ShotModel& shot, const ShotPixels& pixels, const FactorTable& table,
                       const FactorSphere& sphere, const std::vector<double>& f_squared,
                       const StreamParams& params) {
  const Windows windows = make_windows(pixels);
  const ShotReflections near = reflections_near(shot, sphere, 0);
  ShotStream stream;
  if (windows.boxes.empty() || near.size() == 0) return stream;
  std::vector<Part> parts = list_parts(shot, windows, near, params);
  std::vector<LitPixel> lit;
  std::vector<std::pair<SegmentKey, float>> segments;
  for (std::size_t begin = 0, end; begin < parts.size(); begin = end) {
    for (end = begin; end < parts.size() && parts[end].pixel == parts[begin].pixel;) ++end;
    const std::uint32_t pixel = parts[begin].pixel;
    const double noise = double(pixels.readout_of(pixel)),
                 background = double(pixels.background[pixel]);
    const auto [count, rest] =
        split_parts(std::span(parts).subspan(begin, end - begin), background + noise * noise, table,
                    f_squared, params.negligible);
    if (count == 0) continue;
    lit.push_back({pixel, background + rest, begin, count});
    for (std::size_t i = begin; i < begin + count; ++i)
      segments.emplace_back(key_of(parts[i], windows), parts[i].inv_d2);
  }
  std::sort(segments.begin(), segments.end());
  segments.erase(std::unique(segments.begin(), segments.end(),
                             [](const auto& a, const auto& b) { return a.first == b.first; }),
                 segments.end());
  const auto segment_of = [&](const Part& part) {
    const auto at =
        std::lower_bound(segments.begin(), segments.end(), key_of(part, windows),
                         [](const auto& s, const SegmentKey& key) { return s.first < key; });
    return static_cast<std::size_t>(at - segments.begin());
  };
  for (const auto& [key, inv_d2] : segments)
    stream.segments.push_back({key.unknown, key.lattice, inv_d2, 0, 0, key.left_out});
  // Single pixels are counted, numbered by segment, then filled in.
  for (const LitPixel& l : lit)
    if (l.count == 1) ++stream.segments[segment_of(parts[l.first])].count;
  std::vector<std::size_t> next;
  std::size_t singles = 0;
  for (StreamSegment& s : stream.segments) {
    s.first = static_cast<std::int64_t>(singles);
    next.push_back(singles);
    singles += static_cast<std::size_t>(s.count);
  }
  const bool noisy = pixels.readout.size() > 1 || pixels.readout_of(0) > 0;
  stream.kernel.resize(singles);
  stream.value.resize(singles);
  stream.background.resize(singles);
  if (noisy) stream.readout.resize(singles);
  for (const LitPixel& l : lit) {
    if (l.count > 1) {
      stream.shared.push_back({pixels.value[l.pixel], static_cast<float>(l.background),
                               pixels.readout_of(l.pixel),
                               static_cast<std::int32_t>(stream.parts.size()),
                               static_cast<std::int32_t>(l.count), windows.left_out[l.pixel]});
      for (std::size_t i = l.first; i < l.first + l.count; ++i)
        stream.parts.push_back(
            {static_cast<std::int32_t>(segment_of(parts[i])), static_cast<float>(parts[i].kernel)});
      continue;
    }
    const std::size_t at = next[segment_of(parts[l.first])]++;
    stream.kernel[at] = static_cast<float>(parts[l.first].kernel);
    stream.value[at] = pixels.value[l.pixel];
    stream.background[at] = static_cast<float>(l.background);
    if (noisy) stream.readout[at] = pixels.readout_of(l.pixel);
  }
  return stream;
}

} // namespace kilobragg::pixelrefinement
