// Stage 1: starting scale, descents, outlying pixels, states of shots that fail, many shots in step.
#include "kilobragg/pixelrefinement/refine_shot.hpp"

#include "descent.hpp"

#include "kilobragg/core/numbers.hpp"
#include "kilobragg/pixelrefinement/shot_image.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>
#include <optional>

namespace kilobragg::pixelrefinement {
namespace {

double squared_length(const std::vector<double>& v) {
  return std::inner_product(v.begin(), v.end(), v.begin(), 0.0);
}

/// Calls visit(box, pixel, z) for each pixel that counts.
template <typename Visit>
void for_each_z(const ShotPixels& pixels, const std::vector<double>& bragg, const Visit& visit) {
  for (std::size_t b = 0; b < pixels.boxes.size(); ++b) {
    const ReflectionBox& box = pixels.boxes[b];
    if (box.state != BoxState::Used) continue;
    for (std::size_t i = box.first; i < box.first + box.box.size(); ++i)
      if (pixels.used[i] != 0) visit(b, i, pixels.z(i, bragg[i]));
  }
}

/// z^2 of each pixel that counts.
std::vector<double> squares(const ShotPixels& pixels, const std::vector<double>& bragg) {
  std::vector<double> z2;
  for_each_z(pixels, bragg, [&](std::size_t, std::size_t, double z) { z2.push_back(z * z); });
  return z2;
}

double root_mean(const std::vector<double>& z2) {
  return z2.empty() ? 0 : std::sqrt(std::accumulate(z2.begin(), z2.end(), 0.0) / double(z2.size()));
}

bool all_finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

/// Root mean square without the worst thousandth, which a few bad pixels may be: a wrong model is wrong in more.
double typical_deviation(std::vector<double> z2) {
  const auto kept = static_cast<std::ptrdiff_t>(z2.size() - (z2.size() + 999) / 1000);
  std::nth_element(z2.begin(), z2.begin() + kept, z2.end());
  z2.erase(z2.begin() + kept, z2.end());
  return root_mean(z2);
}

/// Marks pixels that outshine whatever the model has to offer anywhere: before a model is refined it may
/// miss spots, so that only they are surely bad. `bragg` with all t = 0.
std::size_t drop_impossible(ShotPixels& pixels, const std::vector<double>& bragg, double limit) {
  constexpr double beyond = 10;
  const double brightest = beyond * *std::max_element(bragg.begin(), bragg.end());
  std::size_t dropped = 0;
  for_each_z(pixels, bragg, [&](std::size_t, std::size_t i, double z) {
    if (z < limit || double(pixels.value[i] - pixels.background[i]) < brightest) return;
    pixels.used[i] = 0;
    ++dropped;
  });
  return dropped;
}

/// Marks pixels that lie apart from the others of their box; returns how many.
std::size_t drop_outliers(ShotPixels& pixels, const std::vector<double>& bragg, double limit) {
  std::vector<std::vector<std::pair<std::size_t, double>>> of_box(pixels.boxes.size());
  for_each_z(pixels, bragg,
             [&](std::size_t b, std::size_t i, double z) { of_box[b].emplace_back(i, z); });
  std::size_t dropped = 0;
  for (const auto& members : of_box) {
    if (members.empty()) continue;
    std::vector<double> z, away;
    for (const auto& [i, value] : members) z.push_back(value);
    const double middle = core::median(z);
    for (const double value : z) away.push_back(std::abs(value - middle));
    const double deviation = std::max(1.0, 1.4826 * core::median(away));
    for (const auto& [i, value] : members) {
      if (std::abs(value - middle) <= limit * deviation) continue;
      pixels.used[i] = 0;
      ++dropped;
    }
  }
  return dropped;
}

std::size_t boxes_in_use(const ShotPixels& pixels) {
  return static_cast<std::size_t>(
      std::count_if(pixels.boxes.begin(), pixels.boxes.end(),
                    [](const ReflectionBox& b) { return b.state == BoxState::Used; }));
}

std::vector<RefinedParameter> list_parameters(const ParameterSpace& space,
                                              const std::vector<double>& x,
                                              const std::vector<double>& information) {
  const std::size_t n = space.size();
  const std::vector<double> l = cholesky(information, n);
  std::vector<RefinedParameter> list;
  for (std::size_t i = 0; i < n; ++i) {
    RefinedParameter p{space.name(i), space.value(i, x[i]), 0};
    if (!l.empty()) { // element i of the inverse is |L^-1 e_i|^2
      std::vector<double> e(n);
      e[i] = 1;
      solve_forward(l, n, e);
      p.sigma = std::abs(space.slope(i, x[i])) * std::sqrt(squared_length(e));
    }
    list.push_back(p);
  }
  return list;
}

/// The refinement of one shot, which asks for light and takes it, so that many can share launches.
class ShotRefinement {
public:
  ShotRefinement(const ShotToRefine& of, const FactorTable& table, const FactorSphere& sphere,
                 const Stage1Params& params)
      : shot_(*of.shot)
      , pixels_(*of.pixels)
      , table_(table)
      , params_(params)
      , space_(shot_, params.rules)
      , near_(reflections_near(shot_, sphere, params.slack))
      , x_(space_.start()) {
    result_.boxes = boxes_in_use(pixels_);
    if (result_.boxes < static_cast<std::size_t>(params.min_boxes))
      end_as(ShotState::NoPixels);
    else
      take_pixels();
  }

  bool finished() const { return step_ == Step::Finished; }
  LightRequest request() const { return target_->request(x_); }
  const Stage1Result& result() const { return result_; }
  /// Goes on as far as light at this point leads: often the next step begins where the last one ended.
  void take(const diffraction::ShoeboxView& light) {
    const std::vector<double> lit = x_;
    while (!finished() && x_ == lit) advance(light);
  }

private:
  enum class Step { LookAtStart, Descend, LookAtFit, DescendAgain, Conclude, Finished };

  void advance(const diffraction::ShoeboxView& light) {
    switch (step_) {
    case Step::LookAtStart:
      return look_at_start(light);
    case Step::Descend:
      return descend(light);
    case Step::LookAtFit:
      return look_at_fit(light);
    case Step::DescendAgain:
      return descend_again(light);
    case Step::Conclude:
      return conclude(light);
    case Step::Finished:
      return;
    }
  }

  void look_at_start(const diffraction::ShoeboxView& light) {
    const std::vector<double> known = target_->image_as_known(light).bragg;
    if (!all_finite(known) || !all_finite(squares(pixels_, known)))
      return end_as(ShotState::NotFinite);
    result_.outliers = drop_impossible(pixels_, known, 2 * params_.outlier_z);
    take_pixels();
    descent_.emplace(*target_, params_, x_, 0);
    step_ = Step::Descend;
  }

  void descend(const diffraction::ShoeboxView& light) {
    if (!follow_descent(light)) return;
    if (!ended_well()) return end_as(descent_->state());
    step_ = Step::LookAtFit;
  }

  void look_at_fit(const diffraction::ShoeboxView& light) {
    const std::vector<double> bragg = target_->image(light).bragg, z2 = squares(pixels_, bragg);
    result_.sigma_z = root_mean(z2);
    result_.pixels = z2.size();
    if (!std::isfinite(result_.sigma_z)) return end_as(ShotState::NotFinite);
    // A model that explains less than its parameters would by chance explains nothing.
    const bool dark = target_->dark() - result_.f < double(space_.size());
    if (dark || typical_deviation(z2) > params_.max_sigma_z) return end_as(ShotState::BadFit);
    const std::size_t dropped = drop_outliers(pixels_, bragg, params_.outlier_z);
    result_.outliers += dropped;
    step_ = Step::Conclude;
    if (dropped == 0) return;
    take_pixels();
    if (result_.evaluations >= params_.max_evaluations) return;
    descent_.emplace(*target_, params_, x_, result_.evaluations);
    step_ = Step::DescendAgain;
  }

  void descend_again(const diffraction::ShoeboxView& light) {
    if (follow_descent(light)) step_ = Step::Conclude;
  }

  void conclude(const diffraction::ShoeboxView& light) {
    const std::vector<double> z2 = squares(pixels_, target_->image(light).bragg);
    result_.sigma_z = root_mean(z2);
    result_.pixels = z2.size();
    result_.sigma_z_known = root_mean(squares(pixels_, target_->image_as_known(light).bragg));
    result_.parameters = list_parameters(space_, x_, target_->information(x_, light));
    shot_ = space_.model(x_);
    end_as(state_);
  }

  /// Pixels count as they are marked now.
  void take_pixels() { target_.emplace(space_, pixels_, table_, near_, params_.target); }

  bool ended_well() const {
    return descent_->state() == ShotState::Refined || descent_->state() == ShotState::Limit;
  }

  /// True once the descent has ended; x is then where it led, or where it began if it failed.
  bool follow_descent(const diffraction::ShoeboxView& light) {
    descent_->take(light);
    x_ = descent_->point();
    if (!descent_->finished()) return false;
    if (ended_well()) {
      best_ = descent_->x();
      state_ = descent_->state();
      result_.f = descent_->f();
      result_.evaluations = descent_->evaluations();
    }
    x_ = best_;
    return true;
  }

  void end_as(ShotState state) {
    shot_.state = state;
    step_ = Step::Finished;
  }

  ShotModel& shot_;
  ShotPixels& pixels_;
  const FactorTable& table_;
  const Stage1Params& params_;
  ParameterSpace space_;
  ShotReflections near_;
  std::optional<ShotTarget> target_;
  std::optional<Descent> descent_;
  Step step_ = Step::LookAtStart;
  ShotState state_ = ShotState::Fresh;
  std::vector<double> x_, best_; ///< where light is wanted; where the last descent ended well
  Stage1Result result_;
};

} // namespace

double set_first_scale(ShotModel& shot, const ShotPixels& pixels, const FactorTable& table,
                       const FactorSphere& sphere, const Stage1Params& params) {
  Stage1Params exact = params;
  exact.target.free_intensities = false;
  const ShotImage image = model_image(shot, pixels, table, sphere, exact);
  double seen = 0, modelled = 0;
  for_each_z(pixels, image.bragg, [&](std::size_t, std::size_t i, double) {
    const double b = double(pixels.background[i]), noise = double(pixels.readout_of(i));
    const double weight = image.bragg[i] / (b + noise * noise);
    seen += weight * (double(pixels.value[i]) - b);
    modelled += weight * image.bragg[i];
  });
  if (!(seen > 0) || !(modelled > 0)) return 0;
  for (diffraction::ShotLattice& lattice : shot.lattices) lattice.scale *= seen / modelled;
  return seen / modelled;
}

std::vector<Stage1Result> refine_shots(std::span<const ShotToRefine> shots,
                                       const FactorTable& table, const FactorSphere& sphere,
                                       const Stage1Params& params) {
  std::deque<ShotRefinement> refinements;
  for (const ShotToRefine& of : shots) refinements.emplace_back(of, table, sphere, params);
  const diffraction::ShoeboxOptions options = options_of(params.target);
  for (;;) {
    std::vector<ShotRefinement*> waiting;
    std::vector<LightRequest> requests;
    for (ShotRefinement& refinement : refinements) {
      if (refinement.finished()) continue;
      waiting.push_back(&refinement);
      requests.push_back(refinement.request());
    }
    if (waiting.empty()) break;
    const ShotLight light = model_light(requests, options);
    for (std::size_t i = 0; i < waiting.size(); ++i) waiting[i]->take(light.of_request[i]);
  }
  std::vector<Stage1Result> results;
  results.reserve(refinements.size());
  for (const ShotRefinement& refinement : refinements) results.push_back(refinement.result());
  return results;
}

Stage1Result refine_shot(ShotModel& shot, ShotPixels& pixels, const FactorTable& table,
                         const FactorSphere& sphere, const Stage1Params& params) {
  const ShotToRefine one{&shot, &pixels};
  return refine_shots(std::span(&one, 1), table, sphere, params)[0];
}

} // namespace kilobragg::pixelrefinement
