// Contributions of the forward model at |F|^2 = 1, sorted into segments and shared pixels.
#include "kilobragg/pixelrefinement/make_stream.hpp"

#include "kilobragg/pixelrefinement/partiality.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
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
  double by_size; ///< d ln kernel / d ln N
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
    if (!is_good(box.state)) continue;
    windows.boxes.push_back(box.box);
    for (std::size_t i = box.first; i < box.first + box.box.size(); ++i) {
      windows.pixel.push_back(pixels.used[i] != 0 ? static_cast<std::uint32_t>(i) : no_pixel);
      windows.left_out[i] = box.state == BoxState::LeftOut;
    }
  }
  return windows;
}

void join(Part& last, const Part& part) {
  const double kernel = last.kernel + part.kernel;
  last.by_size = (last.kernel * last.by_size + part.kernel * part.by_size) / kernel;
  last.kernel = kernel;
}

/// Adds up parts of one row in one pixel and lattice; they come sorted.
void join_equal_parts(std::vector<Part>& parts) {
  std::size_t out = 0;
  for (const Part& part : parts) {
    Part* last = out > 0 ? &parts[out - 1] : nullptr;
    if (last != nullptr && last->pixel == part.pixel && last->unknown == part.unknown &&
        last->lattice == part.lattice)
      join(*last, part);
    else
      parts[out++] = part;
  }
  parts.resize(out);
}

/// Adds the parts of one lattice in one layer of structure factors.
void add_parts(const ShotModel& shot, std::size_t lattice, const models::Detector& detector,
               const Windows& windows, const ShotReflections& near, std::size_t layer,
               const diffraction::DeviceReflections& ones, const StreamParams& params,
               std::vector<Part>& parts) {
  diffraction::ShoeboxShot one;
  one.shot.beam = shot.beam;
  one.shot.lattices = {shot.lattices[lattice]};
  one.boxes = windows.boxes;
  one.wavelength = shot.wavelength;
  const auto image = diffraction::model_shoeboxes(
      detector, shot.beam, one, ones,
      {.oversample = params.oversample, .tail = params.tail, .contributions = true});
  const auto first_row = static_cast<std::int32_t>(layer * near.layer_size);
  std::vector<double> by_size(near.size(), std::numeric_limits<double>::quiet_NaN());
  for (const diffraction::Contribution& c : image.contributions) {
    const std::uint32_t pixel = windows.pixel[c.pixel];
    if (pixel == no_pixel || !(c.photons > 0)) continue;
    double& change = by_size[c.reflection];
    if (std::isnan(change)) change = change_with_size(shot, lattice, near.hkl[c.reflection]);
    parts.push_back({pixel, first_row + near.row[c.reflection], static_cast<std::int32_t>(lattice),
                     near.inv_d2[c.reflection], double(c.photons), change});
  }
}

/// Parts of all lattices and layers, sorted by pixel; those of one row in one pixel and lattice are added
/// up.
std::vector<Part> list_parts(const ShotModel& shot, const Windows& windows,
                             const ShotReflections& near, const StreamParams& params) {
  const auto detector = moved_detector(shot);
  std::vector<Part> parts;
  for (std::size_t layer = 0; layer < near.layers(); ++layer) {
    const diffraction::DeviceReflections ones(with_ones(near, layer, shot.b_factor));
    for (std::size_t l = 0; l < shot.lattices.size(); ++l)
      add_parts(shot, l, *detector, windows, near, layer, ones, params, parts);
  }
  std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
    return std::tie(a.pixel, a.unknown, a.lattice) < std::tie(b.pixel, b.unknown, b.lattice);
  });
  join_equal_parts(parts);
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

/// Pixels that the parts say something of, in order.
std::vector<LitPixel> list_lit_pixels(std::vector<Part>& parts, const ShotPixels& pixels,
                                      const FactorTable& table,
                                      const std::vector<double>& f_squared, double negligible) {
  std::vector<LitPixel> lit;
  for (std::size_t begin = 0, end; begin < parts.size(); begin = end) {
    for (end = begin; end < parts.size() && parts[end].pixel == parts[begin].pixel;) ++end;
    const std::uint32_t pixel = parts[begin].pixel;
    const double noise = double(pixels.readout_of(pixel)),
                 background = double(pixels.background[pixel]);
    const auto [count, rest] =
        split_parts(std::span(parts).subspan(begin, end - begin), background + noise * noise, table,
                    f_squared, negligible);
    if (count > 0) lit.push_back({pixel, background + rest, begin, count});
  }
  return lit;
}

/// Parts that matter, their pixels, and the number of each part's segment.
struct Listing {
  std::vector<Part> parts;
  std::vector<LitPixel> lit;
  std::vector<std::int32_t> segment; ///< of parts that matter
};

/// Makes the segments, without pixels, and numbers the parts.
void add_segments(Listing& listing, const Windows& windows, ShotStream& stream) {
  std::vector<std::pair<SegmentKey, std::size_t>> keys;
  for (const LitPixel& l : listing.lit)
    for (std::size_t i = l.first; i < l.first + l.count; ++i)
      keys.emplace_back(key_of(listing.parts[i], windows), i);
  std::sort(keys.begin(), keys.end());
  listing.segment.resize(listing.parts.size());
  std::vector<double> light, change;
  for (std::size_t k = 0; k < keys.size(); ++k) {
    const auto& [key, part] = keys[k];
    if (k == 0 || keys[k - 1].first != key)
      stream.segments.push_back(
          {key.unknown, key.lattice, listing.parts[part].inv_d2, 0, 0, key.left_out});
    light.resize(stream.segments.size());
    change.resize(stream.segments.size());
    light.back() += listing.parts[part].kernel;
    change.back() += listing.parts[part].kernel * listing.parts[part].by_size;
    listing.segment[part] = static_cast<std::int32_t>(stream.segments.size()) - 1;
  }
  for (std::size_t i = 0; i < light.size(); ++i)
    stream.segments[i].by_size = static_cast<float>(change[i] / light[i]);
}

/// Counts the pixels that segments light alone, and makes room for them.
void place_segments(const Listing& listing, ShotStream& stream) {
  for (const LitPixel& l : listing.lit)
    if (l.count == 1) ++stream.segments[static_cast<std::size_t>(listing.segment[l.first])].count;
  std::int64_t singles = 0;
  for (StreamSegment& s : stream.segments) {
    s.first = singles;
    singles += s.count;
  }
  const auto size = static_cast<std::size_t>(singles);
  stream.kernel.resize(size);
  stream.value.resize(size);
  stream.background.resize(size);
}

void add_shared_pixel(const Listing& listing, const LitPixel& l, const ShotPixels& pixels,
                      bool left_out, ShotStream& stream) {
  stream.shared.push_back({pixels.value[l.pixel], static_cast<float>(l.background),
                           pixels.readout_of(l.pixel),
                           static_cast<std::int32_t>(stream.parts.size()),
                           static_cast<std::int32_t>(l.count), left_out});
  for (std::size_t i = l.first; i < l.first + l.count; ++i)
    stream.parts.push_back({listing.segment[i], static_cast<float>(listing.parts[i].kernel)});
}

void fill_pixels(const Listing& listing, const ShotPixels& pixels, const Windows& windows,
                 ShotStream& stream) {
  const bool noise_by_pixel = pixels.readout.size() > 1;
  if (noise_by_pixel)
    stream.readout.resize(stream.kernel.size());
  else
    stream.readout = pixels.readout;
  std::vector<std::size_t> next;
  for (const StreamSegment& s : stream.segments) next.push_back(static_cast<std::size_t>(s.first));
  for (const LitPixel& l : listing.lit) {
    if (l.count > 1) {
      add_shared_pixel(listing, l, pixels, windows.left_out[l.pixel], stream);
      continue;
    }
    const std::size_t at = next[static_cast<std::size_t>(listing.segment[l.first])]++;
    stream.kernel[at] = static_cast<float>(listing.parts[l.first].kernel);
    stream.value[at] = pixels.value[l.pixel];
    stream.background[at] = static_cast<float>(l.background);
    if (noise_by_pixel) stream.readout[at] = pixels.readout_of(l.pixel);
  }
}

} // namespace

ShotStream make_stream(const ShotModel& shot, const ShotPixels& pixels, const FactorTable& table,
                       const FactorSphere& sphere, const std::vector<double>& f_squared,
                       const StreamParams& params) {
  ShotStream stream;
  stream.lattices = static_cast<std::int32_t>(shot.lattices.size());
  const Windows windows = make_windows(pixels);
  const ShotReflections near = reflections_near(shot, sphere, 0);
  if (windows.boxes.empty() || near.size() == 0) return stream;
  Listing listing;
  listing.parts = list_parts(shot, windows, near, params);
  listing.lit = list_lit_pixels(listing.parts, pixels, table, f_squared, params.negligible);
  add_segments(listing, windows, stream);
  place_segments(listing, stream);
  fill_pixels(listing, pixels, windows, stream);
  return stream;
}

} // namespace kilobragg::pixelrefinement
