// Which pixels the spot finder may use: static mask, borders, resolution limits and ice rings.
#pragma once

#include "kernels/threshold/bit_image.hpp"

#include "kilobragg/models/beam.hpp"
#include "kilobragg/models/detector.hpp"
#include "kilobragg/models/image.hpp"
#include "kilobragg/spotfinding/spot_finder.hpp"

#include <array>
#include <memory>
#include <vector>

namespace kilobragg::spotfinding {

/// Range of d spacings (angstrom) whose pixels are masked, both ends included.
struct ResolutionRange {
  double d_min, d_max;
};

/// Makes one bit per pixel, panel after panel, and remembers: a new frame costs something only where
/// its static mask, its detector or its beam differ from those before. With resolution limits a new
/// wavelength costs one comparison per 8 pixels, and more only along the edges of the ranges.
class MaskBuilder {
public:
  explicit MaskBuilder(const SpotFilterParams& params)
      : params_(params) {}

  /// Brings the mask up to date for one frame.
  void update(const models::Image& image, const models::Detector& detector,
              const models::Beam& beam);
  /// Allowed pixels of a panel as rows of words, or null when every pixel is allowed. Valid until
  /// the next update().
  const threshold::Word* panel(std::size_t i) const {
    return all_allowed_ ? nullptr : allowed_.data() + first_word_[i];
  }

private:
  bool limits_resolution() const;
  void set_layout(const models::Image& image, const models::Detector& detector);
  void build_static(const models::Image& image, const models::Detector& detector);
  void measure_chords(const models::Detector& detector, const models::Beam& beam);
  void apply_ranges(const models::Panel& panel, std::size_t index, const Vec3& s0,
                    const std::vector<ResolutionRange>& ranges);
  std::vector<ResolutionRange> ranges(const models::Panel& panel, const Vec3& s0) const;

  SpotFilterParams params_;
  std::shared_ptr<const models::ImageLayout> layout_;
  std::shared_ptr<const models::PixelMask> mask_;
  std::vector<models::Panel> panels_; ///< the geometry that the words below belong to
  Vec3 beam_direction_;
  double wavelength_ = 0;
  bool all_allowed_ = false;
  std::vector<std::size_t> first_word_;
  std::vector<threshold::Word> static_, allowed_;
  /// |unit s1 - unit s0| at the middle of every 8 pixels of a row; d = wavelength / that.
  std::vector<float> chords_;
};

/// Ranges of 1/d^2 of the given width around every reflection of hexagonal ice with d >= d_min.
std::vector<ResolutionRange> ice_ring_ranges(double width, double d_min);
/// Sorted, overlapping ranges joined.
std::vector<ResolutionRange> joined(std::vector<ResolutionRange> ranges);

} // namespace kilobragg::spotfinding
