// Static mask bits once per mask, chords once per geometry, resolution cuts once per wavelength.
#include "kilobragg/spotfinding/mask_builder.hpp"

#include "kilobragg/models/symmetry.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kilobragg::spotfinding {
namespace {

using threshold::Word;
using threshold::word_bits;

/// Slack that covers the rounding of chords, at most 2, to float.
constexpr double chord_slack = 1e-6;

bool same_frame(const models::Frame& a, const models::Frame& b) {
  return a.fast == b.fast && a.slow == b.slow && a.origin == b.origin;
}

bool same_parallax(const models::Panel& a, const models::Panel& b) {
  return a.parallax.has_value() == b.parallax.has_value() &&
         (!a.parallax ||
          (a.parallax->mu == b.parallax->mu && a.parallax->thickness == b.parallax->thickness));
}

bool same_geometry(const models::Panel& a, const models::Panel& b) {
  return same_frame(a.frame, b.frame) && a.pixel_size == b.pixel_size &&
         a.image_size == b.image_size && a.mask == b.mask && same_parallax(a, b);
}

bool same_geometry(const std::vector<models::Panel>& a, const std::vector<models::Panel>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& p, const auto& q) { return same_geometry(p, q); });
}

/// Clears the pixels x0 <= x < x1, y0 <= y < y1 (clipped to the panel) of a panel's words.
void clear_rectangle(Word* words, int width, int height, std::array<int, 4> box) {
  const auto [x0, y0, x1, y1] = box;
  for (int y = std::max(y0, 0); y < std::min(y1, height); ++y)
    for (int x = std::max(x0, 0); x < std::min(x1, width); ++x)
      words[static_cast<std::size_t>(y) * threshold::words_for(width) + x / word_bits] &=
          ~(Word{1} << (x % word_bits));
}

void clear_border(Word* words, int width, int height, int border) {
  if (border <= 0) return;
  clear_rectangle(words, width, height, {0, 0, width, border});
  clear_rectangle(words, width, height, {0, height - border, width, height});
  clear_rectangle(words, width, height, {0, 0, border, height});
  clear_rectangle(words, width, height, {width - border, 0, width, height});
}

/// Bits of a panel from the frame's byte mask (null = all usable).
void copy_mask(const models::PanelWindow& window, const models::PixelMask* mask, Word* words) {
  const int per_row = threshold::words_for(window.width);
  for (int y = 0; y < window.height; ++y)
    for (int word = 0; word < per_row; ++word) {
      const int x0 = word * word_bits, n = std::min(window.width - x0, word_bits);
      Word bits = threshold::low_bits(n);
      if (mask) {
        const std::uint8_t* bytes =
            mask->data() + window.offset + static_cast<std::size_t>(y) * window.stride + x0;
        bits = 0;
        for (int i = 0; i < n; ++i) bits |= static_cast<Word>(bytes[i] != 0) << i;
      }
      words[static_cast<std::size_t>(y) * per_row + word] = bits;
    }
}

double chord(const models::Panel& panel, const Vec3& s0_direction, double x, double y) {
  return norm(unit(panel.pixel_to_lab({x, y})) - s0_direction);
}

/// Pixels of a row that share one chord.
constexpr int segment = 8, segments_per_word = word_bits / segment;

/// How far the chords of a segment's pixels may lie from that at its middle: they are within
/// (segment - 1) / 2 pixels of it, seen from at least the distance of the panel's plane. The tenth
/// more leaves room for parallax, which changes little over so few pixels.
double chord_reach(const models::Panel& panel) {
  return 1.1 * (segment - 1) / 2 * panel.pixel_size[0] / std::abs(panel.distance());
}

/// Those of the pixels x0 + (set bits) of row y that lie in a range.
Word in_range(const models::Panel& panel, const Vec3& s0, const ResolutionRange& range, int x0,
              int y, Word pixels) {
  Word inside = 0;
  for (Word left = pixels; left != 0; left &= left - 1) {
    const int bit = __builtin_ctzll(left);
    const double d = panel.resolution_at(s0, {x0 + bit + 0.5, y + 0.5});
    if (range.d_min <= d && d <= range.d_max) inside |= Word{1} << bit;
  }
  return inside;
}

} // namespace

std::vector<ResolutionRange> joined(std::vector<ResolutionRange> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const auto& a, const auto& b) { return a.d_min < b.d_min; });
  std::vector<ResolutionRange> result;
  for (const ResolutionRange& range : ranges)
    if (!result.empty() && range.d_min <= result.back().d_max)
      result.back().d_max = std::max(result.back().d_max, range.d_max);
    else
      result.push_back(range);
  return result;
}

std::vector<ResolutionRange> ice_ring_ranges(double width, double d_min) {
  const models::UnitCell ice{4.498, 4.498, 7.338, 90, 90, 120};
  std::vector<ResolutionRange> ranges;
  for (const models::Miller& hkl : models::SpaceGroup("P 63/m m c").unique_indices(ice, d_min)) {
    const double d = ice.d(hkl), low = 1 / (d * d) - width / 2, high = 1 / (d * d) + width / 2;
    ranges.push_back({std::sqrt(1 / high),
                      low > 0 ? std::sqrt(1 / low) : std::numeric_limits<double>::infinity()});
  }
  return joined(std::move(ranges));
}

bool MaskBuilder::limits_resolution() const {
  return params_.d_min || params_.d_max || !params_.resolution_range.empty() || params_.ice_rings;
}

std::vector<ResolutionRange> MaskBuilder::ranges(const models::Panel& panel, const Vec3& s0) const {
  std::vector<ResolutionRange> result;
  if (params_.d_min) result.push_back({0, *params_.d_min});
  if (params_.d_max) result.push_back({*params_.d_max, std::numeric_limits<double>::infinity()});
  for (const auto& [a, b] : params_.resolution_range)
    result.push_back({std::min(a, b), std::max(a, b)});
  if (params_.ice_rings) {
    models::Detector alone;
    alone.panels.push_back(panel);
    const auto rings = ice_ring_ranges(params_.ice_rings_width, alone.max_resolution(s0));
    result.insert(result.end(), rings.begin(), rings.end());
  }
  return joined(std::move(result));
}

void MaskBuilder::set_layout(const models::Image& image, const models::Detector& detector) {
  layout_ = image.layout;
  panels_ = detector.panels;
  first_word_.assign(1, 0);
  for (const models::PanelWindow& window : layout_->panels)
    first_word_.push_back(first_word_.back() + static_cast<std::size_t>(window.height) *
                                                   threshold::words_for(window.width));
}

void MaskBuilder::build_static(const models::Image& image, const models::Detector& detector) {
  mask_ = image.mask;
  const models::PixelMask* mask = mask_ && !mask_->empty() ? mask_.get() : nullptr;
  static_.resize(first_word_.back());
  all_allowed_ = mask == nullptr && params_.border <= 0;
  for (std::size_t i = 0; i < layout_->panels.size(); ++i) {
    const models::PanelWindow& window = layout_->panels[i];
    Word* words = static_.data() + first_word_[i];
    copy_mask(window, mask, words);
    clear_border(words, window.width, window.height, params_.border);
    for (const auto& box : detector.panels[i].mask)
      clear_rectangle(words, window.width, window.height, box);
    all_allowed_ = all_allowed_ && detector.panels[i].mask.empty();
  }
  allowed_ = static_;
}

void MaskBuilder::measure_chords(const models::Detector& detector, const models::Beam& beam) {
  beam_direction_ = beam.direction;
  chords_.resize(first_word_.back() * segments_per_word);
  const Vec3 s0 = unit(-beam.direction);
  for (std::size_t i = 0; i < layout_->panels.size(); ++i) {
    const models::PanelWindow& window = layout_->panels[i];
    float* next = chords_.data() + first_word_[i] * segments_per_word;
    for (int y = 0; y < window.height; ++y)
      for (int s = 0; s < threshold::words_for(window.width) * segments_per_word; ++s)
        *next++ =
            static_cast<float>(chord(detector.panels[i], s0, s * segment + segment / 2.0, y + 0.5));
  }
}

void MaskBuilder::apply_ranges(const models::Panel& panel, std::size_t index, const Vec3& s0,
                               const std::vector<ResolutionRange>& ranges) {
  const models::PanelWindow& window = layout_->panels[index];
  const int columns = threshold::words_for(window.width) * segments_per_word;
  const double lambda = 1 / norm(s0), reach = chord_reach(panel) + chord_slack;
  for (const ResolutionRange& range : ranges) {
    // In chords the range runs from lambda / d_max to lambda / d_min.
    const double low = lambda / range.d_max, high = lambda / range.d_min;
    const float* next = chords_.data() + first_word_[index] * segments_per_word;
    for (int y = 0; y < window.height; ++y)
      for (int s = 0; s < columns; ++s) {
        const double middle = *next++;
        if (middle < low - reach || middle > high + reach) continue;
        Word& word = allowed_[first_word_[index] +
                              static_cast<std::size_t>((y * columns + s) / segments_per_word)];
        const int shift = s % segments_per_word * segment;
        const Word own = threshold::low_bits(segment) << shift;
        if (middle > low + reach && middle < high - reach)
          word &= ~own;
        else
          word &= ~in_range(panel, s0, range, (s - s % segments_per_word) * segment, y, word & own);
      }
  }
}

void MaskBuilder::update(const models::Image& image, const models::Detector& detector,
                         const models::Beam& beam) {
  const bool new_geometry = image.layout != layout_ || !same_geometry(detector.panels, panels_);
  const bool new_static = new_geometry || image.mask != mask_;
  if (new_geometry) set_layout(image, detector);
  if (new_static) build_static(image, detector);
  if (!limits_resolution()) return;
  if (new_geometry || !(beam.direction == beam_direction_) || chords_.empty())
    measure_chords(detector, beam);
  else if (!new_static && beam.wavelength == wavelength_)
    return;
  wavelength_ = beam.wavelength;
  allowed_ = static_;
  all_allowed_ = false;
  for (std::size_t i = 0; i < detector.panels.size(); ++i)
    apply_ranges(detector.panels[i], i, beam.s0(), ranges(detector.panels[i], beam.s0()));
}

} // namespace kilobragg::spotfinding
