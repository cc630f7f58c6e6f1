// The steps of integrating one lattice: spot size, prediction, summation, filters.
#include "kilobragg/integration/integrate_still.hpp"

#include "box_geometry.hpp"
#include "box_summation.hpp"
#include "significance_filter.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"

#include <algorithm>
#include <numeric>

namespace kilobragg::integration {
namespace {

using models::IntegratedReflection;

/// The image must be laid out as the detector is.
void check_layout(const models::Image& image, const models::Detector& detector) {
  core::require(image.layout != nullptr && image.layout->panels.size() == detector.panels.size(),
                "image and detector do not match ({} panels in the image, {} in the detector)",
                image.layout ? image.layout->panels.size() : 0, detector.panels.size());
  for (std::size_t i = 0; i < detector.panels.size(); ++i) {
    const models::PanelWindow& window = image.layout->panels[i];
    const auto& size = detector.panels[i].image_size;
    core::require(window.width == size[0] && window.height == size[1],
                  "image and detector do not match (panel {} has {} x {} pixels in the image, "
                  "{} x {} in the detector)",
                  i, window.width, window.height, size[0], size[1]);
  }
}

/// Positions ordered by panel and row, so that neighbours in memory are summed one after another.
std::vector<std::size_t> memory_order(const std::vector<IntegratedReflection>& reflections) {
  std::vector<std::size_t> order(reflections.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) {
    const auto& a = reflections[i];
    const auto& b = reflections[j];
    return a.panel != b.panel ? a.panel < b.panel : a.px_cal.y < b.px_cal.y;
  });
  return order;
}

PixelCalibration calibration(const models::Panel& panel) {
  return {panel.trusted_range[0], panel.trusted_range[1], panel.pedestal, 1 / panel.gain};
}

/// Sums reflections one panel after another.
class StillSummation {
public:
  StillSummation(const models::Image& image, const models::Detector& detector, const Vec3& s0,
                 double sigma_b_deg, const IntegrationParams& params)
      : image_(image)
      , detector_(detector)
      , s0_(s0)
      , radius_(params.n_sigma * sigma_b_deg * core::degree)
      , half_width_(radius_ * params.sigma_b_multiplier)
      , params_{params.background_outlier_nsigma, params.detector_gain} {}

  /// Integrates what can be integrated; the rest stays without flag_integrated_sum.
  void run(std::vector<IntegratedReflection>& reflections) {
    const std::vector<std::size_t> order = memory_order(reflections);
    const std::uint8_t* usable =
        image_.mask && !image_.mask->empty() ? image_.mask->data() : nullptr;
    std::visit(
        [&](const auto& pixels) {
          std::optional<BoxGeometry> geometry;
          int panel = -1;
          for (const std::size_t i : order) {
            IntegratedReflection& reflection = reflections[i];
            if (reflection.panel != panel) {
              panel = reflection.panel;
              geometry.emplace(at(panel), radius_, half_width_);
            }
            integrate(reflection, *geometry, pixels.data(), usable);
          }
        },
        image_.pixels);
  }

private:
  const models::Panel& at(int panel) const {
    return detector_.panels[static_cast<std::size_t>(panel)];
  }

  template <typename T>
  void integrate(IntegratedReflection& reflection, BoxGeometry& geometry, const T* pixels,
                 const std::uint8_t* usable) {
    const KabschFrame frame = kabsch_frame(reflection.s1, s0_);
    const auto box = geometry.box(frame);
    if (!box || !geometry.foreground(frame, foreground_)) return;
    reflection.box = *box;
    const models::Panel& panel = at(reflection.panel);
    const auto& window = image_.layout->panels[static_cast<std::size_t>(reflection.panel)];
    if (!pixels_.load(*box, foreground_, window, pixels, usable, calibration(panel))) return;
    if (!pixels_.sum(params_, reflection)) return;
    reflection.mm_obs = panel.pixel_to_mm(reflection.px_obs);
    const auto [fast, slow] = panel.pixel_size;
    reflection.mm_variance = {reflection.px_variance.x * fast * fast,
                              reflection.px_variance.y * slow * slow};
  }

  const models::Image& image_;
  const models::Detector& detector_;
  Vec3 s0_;
  double radius_, half_width_;
  SummationParams params_;
  ForegroundMask foreground_;
  BoxPixels pixels_;
};

/// Marks reflections of which the lattice has a strong spot, with the flags of that spot.
void mark_reference_spots(const models::Lattice& lattice, const models::SpotList& spots,
                          std::vector<IntegratedReflection>& reflections) {
  for (const models::IndexedSpot& indexed : lattice.spots) {
    const auto found = std::lower_bound(
        reflections.begin(), reflections.end(), indexed.hkl,
        [](const IntegratedReflection& r, const models::Miller& hkl) { return r.hkl < hkl; });
    if (found == reflections.end() || found->hkl != indexed.hkl) continue;
    const models::Spot& spot = spots.spots.at(indexed.spot);
    if (found->panel != spot.panel) continue;
    found->flags |= indexed.flags | spot.flags | models::flag_reference_spot;
  }
}

void apply_set_mosaicity(models::Crystal& crystal, const IntegrationParams& params) {
  if (!params.set_domain_size_angstrom && !params.set_half_mosaicity_deg) return;
  core::require(crystal.mosaicity ||
                    (params.set_domain_size_angstrom && params.set_half_mosaicity_deg),
                "only one of indexing.stills.set_domain_size_ang_value and "
                "set_mosaic_half_deg_value is given (and nothing was fitted) give both?");
  models::Mosaicity mosaicity = crystal.mosaicity.value_or(models::Mosaicity{});
  mosaicity.domain_size_angstrom =
      params.set_domain_size_angstrom.value_or(mosaicity.domain_size_angstrom);
  mosaicity.half_mosaicity_deg =
      params.set_half_mosaicity_deg.value_or(mosaicity.half_mosaicity_deg);
  crystal.mosaicity = mosaicity;
}

void set_sigma_b(models::Lattice& lattice, const models::SpotList& spots, const models::Beam& beam,
                 const models::Detector& detector, const IntegrationParams& params) {
  lattice.sigma_b_deg = measure_sigma_b(lattice, spots, detector, beam, params);
  core::require(lattice.sigma_b_deg < params.sigma_b_cutoff_deg,
                "spots are too large (sigma_b {:.4f} deg, at most {} allowed) raise "
                "profile.gaussian_rs.parameters.sigma_b_cutoff?",
                lattice.sigma_b_deg, params.sigma_b_cutoff_deg);
}

/// Sums the predicted reflections, sorted by index, and drops those that cannot be.
void sum_reflections(const models::Lattice& lattice, const models::SpotList& spots,
                     const models::Image& image, const models::Beam& beam,
                     const models::Detector& detector, const IntegrationParams& params,
                     std::vector<IntegratedReflection>& reflections) {
  const std::size_t predicted = reflections.size();
  mark_reference_spots(lattice, spots, reflections);
  StillSummation(image, detector, beam.s0(), lattice.sigma_b_deg, params).run(reflections);
  std::erase_if(reflections, [](const IntegratedReflection& r) {
    return (r.flags & models::flag_integrated_sum) == 0;
  });
  core::require(!reflections.empty(), "no reflection could be integrated ({} predicted)",
                predicted);
  if (!params.significance_filter) return;
  cut_insignificant(reflections, params.significance_bins, params.isigi_cutoff);
  core::require(!reflections.empty(),
                "nothing is left by the significance filter (mean I/sigma of the lowest "
                "resolution shell is below {})",
                params.isigi_cutoff);
}

} // namespace

std::vector<IntegratedReflection>
integrate_still(models::Lattice& lattice, const models::SpotList& spots, const models::Image& image,
                const models::Beam& beam, const models::Detector& detector,
                const IntegrationParams& params) {
  check_layout(image, detector);
  core::require(params.prediction_widening > 0, "prediction.widening={} must be positive",
                params.prediction_widening);
  set_sigma_b(lattice, spots, beam, detector, params);
  apply_set_mosaicity(lattice.crystal, params);
  auto reflections = predict_still(lattice.crystal, beam, detector, params.d_min,
                                   params.prediction_widening, lattice.psi_spread);
  sum_reflections(lattice, spots, image, beam, detector, params, reflections);
  return reflections;
}

std::vector<IntegratedReflection>
integrate_predicted(models::Lattice& lattice, const models::SpotList& spots,
                    const models::Image& image, const models::Beam& beam,
                    const models::Detector& detector, const IntegrationParams& params,
                    std::vector<IntegratedReflection> predicted) {
  check_layout(image, detector);
  set_sigma_b(lattice, spots, beam, detector, params);
  std::sort(predicted.begin(), predicted.end(),
            [](const auto& a, const auto& b) { return a.hkl < b.hkl; });
  sum_reflections(lattice, spots, image, beam, detector, params, predicted);
  return predicted;
}

} // namespace kilobragg::integration
