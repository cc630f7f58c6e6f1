// Cutting shoeboxes: photons, trust, planes of background, and whose a shared pixel is.
#include "kilobragg/pixelrefinement/shoeboxes.hpp"

#include "background_plane.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/hash.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>
#include <variant>

namespace kilobragg::pixelrefinement {
namespace {

using diffraction::Shoebox;
using models::PixelBox;

/// What is known of a pixel in one box.
enum Mark : std::uint8_t {
  trusted = 1,
  in_core = 2,       ///< of its own spot
  in_other_core = 4, ///< of any other
  in_bad_core =
      8, ///< of another that is saturated: which pixels are left there depends on their values
  outlier = 16,
  anothers = 32,  ///< counts in another box
  near_core = 64, ///< of any spot: may be its tail
};

/// The edges of a box in one direction, before it is cut at those of the panel.
std::pair<int, int> edges(int begin, int end, const ShoeboxParams& params) {
  const int width = end - begin + 2 * params.border;
  const int missing = std::max(params.smallest_edge - width, 0);
  return {begin - params.border - missing / 2, end + params.border + (missing + 1) / 2};
}

Shoebox box_about(const PredictedSpot& spot, const models::Panel& panel,
                  const ShoeboxParams& params) {
  const auto [x0, x1] = edges(spot.core.x0, spot.core.x1, params);
  const auto [y0, y1] = edges(spot.core.y0, spot.core.y1, params);
  // Also a spot beside the panel has a box with a pixel of it, untrusted: models refuse empty ones.
  const auto on_panel = [](int begin, int end, int size) {
    const int first = std::clamp(begin, 0, size - 1);
    return std::pair(first, std::clamp(end, first + 1, size));
  };
  const auto [left, right] = on_panel(x0, x1, panel.image_size[0]);
  const auto [top, bottom] = on_panel(y0, y1, panel.image_size[1]);
  return {spot.panel, left, right, top, bottom};
}

PixelBox common(const Shoebox& a, const PixelBox& b) {
  return {std::max(a.x0, b.x0), std::min(a.x1, b.x1), std::max(a.y0, b.y0), std::min(a.y1, b.y1)};
}

/// Calls visit(position in the columns, x, y) for the pixels of `part` of a box.
template <typename Visit>
void for_each_pixel(const ReflectionBox& box, const PixelBox& part, const Visit& visit) {
  const PixelBox inside = common(box.box, part);
  const auto width = static_cast<std::size_t>(box.box.x1 - box.box.x0);
  for (int y = inside.y0; y < inside.y1; ++y) {
    const std::size_t row =
        box.first + static_cast<std::size_t>(y - box.box.y0) * width - std::size_t(box.box.x0);
    for (int x = inside.x0; x < inside.x1; ++x) visit(row + std::size_t(x), x, y);
  }
}
PixelBox all_of(const Shoebox& box) { return {box.x0, box.x1, box.y0, box.y1}; }

/// True for a share of all hashes. CRC-32C is linear in its input, and has to be mixed.
bool is_left_out(const PredictedSpot& spot, std::uint32_t seed, double share) {
  const std::array<std::int32_t, 4> key{spot.lattice, spot.hkl.h, spot.hkl.k, spot.hkl.l};
  const std::uint64_t hash = core::mix_bits(core::crc32c(std::as_bytes(std::span(key)), seed));
  return static_cast<double>(hash >> 11) * 0x1p-53 < share;
}

/// One shot in hand.
class Cutter {
public:
  Cutter(const models::Image& image, const models::Detector& detector,
         std::span<const PredictedSpot> spots, const ShoeboxParams& params)
      : image_(image)
      , detector_(detector)
      , spots_(spots)
      , params_(params) {}

  ShotPixels cut(const std::string& identifier) {
    place_boxes();
    std::visit([this](const auto& raw) { load(raw); }, image_.pixels);
    find_neighbours();
    mark_other_cores();
    mark_tails();
    for (std::size_t i = 0; i < spots_.size(); ++i) fit_background(i);
    evaluate_backgrounds(out_);
    mark_bad_cores();
    give_to_nearest();
    if (drop_overlapped()) give_to_nearest();
    finish(identifier);
    return std::move(out_);
  }

private:
  void place_boxes() {
    out_.boxes.reserve(spots_.size());
    std::size_t first = 0;
    for (const PredictedSpot& spot : spots_) {
      core::require(spot.panel >= 0 && std::size_t(spot.panel) < detector_.panels.size(),
                    "a spot is predicted on panel {} (the detector has {})", spot.panel,
                    detector_.panels.size());
      const Shoebox box = box_about(spot, detector_.panels[std::size_t(spot.panel)], params_);
      out_.boxes.push_back({box, spot.hkl, spot.lattice, BoxState::Used, {}, first});
      first += box.size();
    }
    out_.value.resize(first);
    marks_.resize(first);
    set_readout(first);
  }

  void set_readout(std::size_t pixels) {
    const auto& panels = detector_.panels;
    const bool one_gain = std::all_of(panels.begin(), panels.end(), [&](const models::Panel& p) {
      return p.gain == panels[0].gain;
    });
    readout_per_pixel_ = !params_.dark_rms.empty() || (params_.readout > 0 && !one_gain);
    if (readout_per_pixel_)
      out_.readout.resize(pixels);
    else if (params_.readout > 0)
      out_.readout.assign(1, static_cast<float>(params_.readout * inverse_gain(panels[0])));
  }

  /// Photons per count of a panel.
  double inverse_gain(const models::Panel& panel) const { return 1 / (panel.gain * params_.gain); }

  template <typename T>
  void load(const std::vector<T>& raw) {
    for (std::size_t i = 0; i < spots_.size(); ++i) load_box(raw, i);
  }

  template <typename T>
  void load_box(const std::vector<T>& raw, std::size_t i) {
    const ReflectionBox& box = out_.boxes[i];
    const models::Panel& panel = detector_.panels[std::size_t(box.box.panel)];
    const models::PanelWindow& window = image_.layout->panels[std::size_t(box.box.panel)];
    const auto [low, high] = panel.trusted_range;
    const double scale = inverse_gain(panel);
    const std::uint8_t* usable =
        image_.mask && !image_.mask->empty() ? image_.mask->data() : nullptr;
    const auto place = [&](int x, int y) {
      return window.offset + std::size_t(y) * window.stride + std::size_t(x);
    };
    for_each_pixel(box, all_of(box.box), [&](std::size_t pixel, int x, int y) {
      const std::size_t at = place(x, y);
      const auto value = static_cast<double>(raw[at]);
      const bool good = value >= low && value <= high && (usable == nullptr || usable[at] != 0);
      out_.value[pixel] = good ? static_cast<float>((value - panel.pedestal) * scale) : 0;
      marks_[pixel] = good ? trusted : 0;
      if (!readout_per_pixel_) return;
      const double counts =
          params_.dark_rms.empty() ? params_.readout : double(params_.dark_rms[at]);
      out_.readout[pixel] = static_cast<float>(counts * scale);
    });
    int good = 0;
    bool saturated = false;
    for_each_pixel(box, spots_[i].core, [&](std::size_t pixel, int x, int y) {
      const std::size_t at = place(x, y);
      good += marks_[pixel];
      marks_[pixel] |= in_core;
      saturated = saturated ||
                  (static_cast<double>(raw[at]) >= high && (usable == nullptr || usable[at] != 0));
    });
    judge_core(i, good, saturated);
  }

  void judge_core(std::size_t i, int good, bool saturated) {
    const PixelBox& core = spots_[i].core;
    const double wanted = params_.min_core_share * core.width() * core.height();
    if (saturated)
      out_.boxes[i].state = BoxState::Saturated;
    else if (good < params_.min_core_pixels || good < wanted)
      out_.boxes[i].state = BoxState::Untrusted;
  }

  /// All pairs of boxes that share pixels, by a sweep down the panels.
  void find_neighbours() {
    std::vector<std::size_t> order(spots_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto box = [this](std::size_t i) -> const Shoebox& { return out_.boxes[i].box; };
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return std::tuple(box(a).panel, box(a).y0, a) < std::tuple(box(b).panel, box(b).y0, b);
    });
    for (std::size_t i = 0; i < order.size(); ++i) {
      const Shoebox& a = box(order[i]);
      for (std::size_t j = i + 1; j < order.size(); ++j) {
        const Shoebox& b = box(order[j]);
        if (b.panel != a.panel || b.y0 >= a.y1) break;
        if (b.x0 < a.x1 && a.x0 < b.x1) neighbours_.emplace_back(order[i], order[j]);
      }
    }
  }

  void mark(std::size_t box, const PixelBox& part, Mark with) {
    for_each_pixel(out_.boxes[box], part,
                   [&](std::size_t pixel, int, int) { marks_[pixel] |= with; });
  }

  void mark_other_cores() {
    for (const auto& [a, b] : neighbours_) {
      mark(a, spots_[b].core, in_other_core);
      mark(b, spots_[a].core, in_other_core);
    }
  }

  void mark_tails() {
    const auto around = [this](std::size_t spot) {
      const PixelBox& core = spots_[spot].core;
      const int t = params_.tail;
      return PixelBox{core.x0 - t, core.x1 + t, core.y0 - t, core.y1 + t};
    };
    for (std::size_t i = 0; i < spots_.size(); ++i) mark(i, around(i), near_core);
    for (const auto& [a, b] : neighbours_) {
      mark(a, around(b), near_core);
      mark(b, around(a), near_core);
    }
  }

  void mark_bad_cores() {
    for (const auto& [a, b] : neighbours_) {
      if (out_.boxes[b].state == BoxState::Saturated) mark(a, spots_[b].core, in_bad_core);
      if (out_.boxes[a].state == BoxState::Saturated) mark(b, spots_[a].core, in_bad_core);
    }
  }

  void gather_background(const ReflectionBox& box) {
    background_.clear();
    const double mx = 0.5 * (box.box.x0 + box.box.x1), my = 0.5 * (box.box.y0 + box.box.y1);
    for_each_pixel(box, all_of(box.box), [&](std::size_t pixel, int x, int y) {
      if ((marks_[pixel] & (trusted | in_core | in_other_core)) != trusted) return;
      const double noise = out_.readout_of(pixel);
      background_.push_back(
          {x + 0.5 - mx, y + 0.5 - my, out_.value[pixel], noise * noise, pixel, true});
    });
  }

  double mean_background() const {
    double sum = 0, count = 0;
    for (const BackgroundPixel& pixel : background_)
      if (pixel.kept) sum += pixel.photons, ++count;
    return sum / count;
  }

  void fit_background(std::size_t i) {
    constexpr double three_sigma = 11.83; // chi^2 of two degrees of freedom
    ReflectionBox& box = out_.boxes[i];
    if (!is_good(box.state)) return;
    gather_background(box);
    PlaneFit fit;
    if (!fit_robust_plane(background_, params_.outlier_nsigma,
                          std::size_t(params_.min_background_pixels), fit)) {
      box.state = BoxState::NoBackground;
      return;
    }
    if (!(lowest_in(box.box, fit.plane) > 0) && fit.slope_chi2 < three_sigma)
      fit.plane = {mean_background(), 0, 0};
    if (!(lowest_in(box.box, fit.plane) > 0)) box.state = BoxState::NegativeBackground;
    box.background = on_panel(box.box, fit.plane);
    for (const BackgroundPixel& pixel : background_)
      if (!pixel.kept && (marks_[pixel.at] & near_core) == 0) marks_[pixel.at] |= outlier;
  }

  double distance2(std::size_t spot, int x, int y) const {
    const double dx = x + 0.5 - spots_[spot].px.x, dy = y + 0.5 - spots_[spot].px.y;
    return dx * dx + dy * dy;
  }

  void give_to_nearest() {
    for (std::uint8_t& mark : marks_) mark &= static_cast<std::uint8_t>(~anothers);
    for (const auto& [i, j] : neighbours_) {
      const auto [a, b] = std::minmax(i, j);
      if (!is_good(out_.boxes[a].state) || !is_good(out_.boxes[b].state)) continue;
      const PixelBox shared = common(out_.boxes[a].box, all_of(out_.boxes[b].box));
      const auto give = [&](std::size_t box, bool to_first, std::size_t from_first,
                            std::size_t from_second) {
        for_each_pixel(out_.boxes[box], shared, [&](std::size_t pixel, int x, int y) {
          if ((distance2(from_first, x, y) <= distance2(from_second, x, y)) == to_first)
            marks_[pixel] |= anothers;
        });
      };
      give(a, false, a, b);
      give(b, true, a, b);
    }
  }

  bool drop_overlapped() {
    bool any = false;
    for (std::size_t i = 0; i < spots_.size(); ++i) {
      if (!is_good(out_.boxes[i].state)) continue;
      int good = 0, own = 0;
      for_each_pixel(out_.boxes[i], spots_[i].core, [&](std::size_t pixel, int, int) {
        const bool is_trusted = (marks_[pixel] & trusted) != 0;
        good += is_trusted;
        own += is_trusted && (marks_[pixel] & (anothers | in_bad_core)) == 0;
      });
      if (own >= params_.min_own_share * good && own > 0) continue;
      overlapped_.push_back(i);
      any = true;
    }
    for (const std::size_t i : overlapped_) out_.boxes[i].state = BoxState::Overlapped;
    return any;
  }

  void finish(const std::string& identifier) {
    const std::uint32_t seed = core::crc32c(std::as_bytes(std::span(identifier)));
    out_.used.assign(out_.value.size(), 0);
    for (std::size_t i = 0; i < spots_.size(); ++i) {
      ReflectionBox& box = out_.boxes[i];
      if (!is_good(box.state)) continue;
      if (is_left_out(spots_[i], seed, params_.left_out)) box.state = BoxState::LeftOut;
      for (std::size_t pixel = box.first; pixel < box.first + box.box.size(); ++pixel)
        out_.used[pixel] =
            (marks_[pixel] & (trusted | in_bad_core | outlier | anothers)) == trusted;
    }
  }

  const models::Image& image_;
  const models::Detector& detector_;
  std::span<const PredictedSpot> spots_;
  const ShoeboxParams& params_;
  ShotPixels out_;
  bool readout_per_pixel_ = false;
  std::vector<std::uint8_t> marks_; ///< Mark of each pixel of `out_`
  std::vector<std::pair<std::size_t, std::size_t>> neighbours_;
  std::vector<std::size_t> overlapped_;
  std::vector<BackgroundPixel> background_; ///< of the box in hand
};

/// The new plane of a box; false where there is none that is positive.
bool refit(const ReflectionBox& box, std::span<const BackgroundPixel> pixels,
           std::size_t min_pixels, Plane& plane) {
  constexpr int rounds = 2; // the second has weights of the plane of the first
  PlaneFit fit;
  fit.plane = plane;
  for (int round = 0; round < rounds; ++round) {
    const double mean = fit.plane.c; // in the middle of the box
    if (!(mean > 0) || !fit_plane(pixels, weights_from(fit.plane, mean), fit)) return false;
  }
  if (fit.pixels < min_pixels || !(lowest_in(box.box, fit.plane) > 0)) return false;
  plane = fit.plane;
  return true;
}

} // namespace

ShotPixels cut_shoeboxes(const models::Image& image, const models::Detector& detector,
                         std::span<const PredictedSpot> spots, const std::string& identifier,
                         const ShoeboxParams& params) {
  core::require(params.gain > 0, "the gain is {} counts per photon (it must be positive)",
                params.gain);
  core::require(params.dark_rms.empty() || params.dark_rms.size() == image.layout->size,
                "the dark map has {} pixels, the image {}", params.dark_rms.size(),
                image.layout->size);
  return Cutter(image, detector, spots, params).cut(identifier);
}

void fit_backgrounds(ShotPixels& pixels, std::span<const double> bragg,
                     const ShoeboxParams& params) {
  core::require(bragg.size() == pixels.size(), "the model has {} pixels, the shot {}", bragg.size(),
                pixels.size());
  std::vector<BackgroundPixel> used;
  for (ReflectionBox& box : pixels.boxes) {
    if (!is_good(box.state)) continue;
    used.clear();
    const double mx = 0.5 * (box.box.x0 + box.box.x1), my = 0.5 * (box.box.y0 + box.box.y1);
    for_each_pixel(box, all_of(box.box), [&](std::size_t pixel, int x, int y) {
      if (pixels.used[pixel] == 0) return;
      const double noise = pixels.readout_of(pixel);
      used.push_back({x + 0.5 - mx, y + 0.5 - my, pixels.value[pixel] - bragg[pixel],
                      bragg[pixel] + noise * noise, pixel, true});
    });
    Plane plane = box.background;
    plane.c = plane.at(mx, my);
    if (refit(box, used, std::size_t(params.min_background_pixels), plane))
      box.background = on_panel(box.box, plane);
  }
  evaluate_backgrounds(pixels);
}

void evaluate_backgrounds(ShotPixels& pixels) {
  pixels.background.resize(pixels.size());
  for (const ReflectionBox& box : pixels.boxes)
    for_each_pixel(box, all_of(box.box), [&](std::size_t pixel, int x, int y) {
      pixels.background[pixel] = static_cast<float>(box.background.at(x + 0.5, y + 0.5));
    });
}

BoxCounts count_boxes(std::span<const ReflectionBox> boxes) {
  BoxCounts counts{};
  for (const ReflectionBox& box : boxes) ++counts[std::size_t(box.state)];
  return counts;
}

} // namespace kilobragg::pixelrefinement
