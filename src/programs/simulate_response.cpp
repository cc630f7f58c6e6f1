// The chain behind the sensor of a simulated detector: options, checks, counts and what files say.
#include "simulate_response.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/diffraction/renderer.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace kilobragg::programs {
namespace {

using diffraction::StagedResponse;

constexpr double largest_count = std::numeric_limits<std::int32_t>::max();
/// Readout noise that is looked after by trusted ranges, in standard deviations.
constexpr double noise_reach = 7;
/// nanoBragg's readout noise.
constexpr double usual_noise = 3;

void set_stages(const std::string& text, const std::string& name,
                double diffraction::GainStage::*field, std::size_t count,
                StagedResponse& response) {
  if (text.empty()) return;
  const auto values = parse_numbers(text, count, "detector.gain_stages." + name);
  for (std::size_t i = 0; i < count; ++i) response.pixel.stages[i].*field = values[i];
}

/// Stages at the run's photon energy: JUNGFRAU's with what the options change.
StagedResponse staged_response(const SimulateParams& params) {
  const SimulateResponse& wanted = params.response;
  StagedResponse response =
      diffraction::jungfrau(core::ev_angstrom / params.beam.wavelength / 1000);
  response.gain_spread = wanted.calibration_noise;
  response.calibration_seed = static_cast<std::uint64_t>(wanted.calibration_seed);
  if (wanted.readout_noise)
    for (diffraction::GainStage& stage : response.pixel.stages) stage.noise = *wanted.readout_noise;
  using diffraction::GainStage;
  set_stages(wanted.stage_gain, "gain", &GainStage::gain, 3, response);
  set_stages(wanted.stage_pedestal, "pedestal", &GainStage::pedestal, 3, response);
  set_stages(wanted.stage_noise, "noise", &GainStage::noise, 3, response);
  set_stages(wanted.stage_limit, "limit", &GainStage::limit, 2, response);
  return response;
}

/// Counts of a pixel in the last stage whose code ran against its end.
double overload_count(const StagedResponse& response, double counts_per_photon) {
  const double end = response.pixel.stages[2].gain > 0 ? diffraction::code_mask : 0;
  const double energy = (end - response.pixel.stages[2].pedestal) / response.pixel.stages[2].gain;
  return std::floor(counts_per_photon * energy / response.photon_energy + 0.5);
}

/// Lowest count that noise makes in any stage.
double lowest_count(const StagedResponse& response, double counts_per_photon) {
  double lowest = 0, start = 0; // keV
  for (const diffraction::GainStage& stage : response.pixel.stages) {
    lowest = std::min(lowest, start - noise_reach * stage.noise / std::abs(stage.gain));
    start = stage.limit;
  }
  return std::floor(counts_per_photon * lowest / response.photon_energy);
}

double linear_noise(const SimulateResponse& response) {
  return response.readout_noise.value_or(usual_noise);
}

/// Largest count that a response writes: detector.saturation, or where its counts end.
std::int32_t highest_count(const SimulateParams& params, const models::Detector& detector) {
  const SimulateResponse& response = params.response;
  double highest = largest_count;
  if (response.kind == ResponseKind::GainStages)
    highest = std::min(highest, overload_count(staged_response(params), params.detector.gain));
  if (response.saturation) {
    highest = std::min(highest, static_cast<double>(*response.saturation));
  } else if (response.kind == ResponseKind::Linear) {
    double trusted = 0;
    for (const models::Panel& panel : detector.panels)
      trusted = std::max(trusted, panel.trusted_range[1]);
    highest = std::min(highest, std::floor(trusted) + 1);
  }
  return static_cast<std::int32_t>(highest);
}

/// A converter with an offset has no negative counts.
bool ends_at_zero(const models::Detector& detector) {
  return std::all_of(detector.panels.begin(), detector.panels.end(),
                     [](const models::Panel& panel) { return panel.pedestal > 0; });
}

std::optional<diffraction::PointSpreadParams> point_spread(const SimulatePointSpread& wanted) {
  if (wanted.fwhm <= 0) return std::nullopt;
  return diffraction::PointSpreadParams{static_cast<diffraction::PointSpreadShape>(wanted.shape),
                                        wanted.fwhm, wanted.radius.value_or(0)};
}

diffraction::RecordParams record_params(const SimulateParams& params,
                                        const models::Detector& detector, std::int32_t highest) {
  diffraction::RecordParams record;
  record.poisson = params.poisson;
  record.point_spread = point_spread(params.response.point_spread);
  record.counts_per_photon = params.detector.gain;
  // The lowest number marks pixels that are not there.
  record.lowest = -std::numeric_limits<std::int32_t>::max();
  record.highest = highest;
  if (params.response.kind == ResponseKind::GainStages) {
    record.response = staged_response(params);
    return record;
  }
  diffraction::LinearResponse linear; // gain and pedestal are the panels'
  linear.noise = linear_noise(params.response);
  linear.gain_spread = params.response.calibration_noise;
  linear.calibration_seed = static_cast<std::uint64_t>(params.response.calibration_seed);
  linear.lowest = ends_at_zero(detector) ? 0 : record.lowest;
  linear.highest = highest;
  record.response = linear;
  return record;
}

/// Options that are of no use to a response name the one that they are of use to.
void require_unused(bool unused, const char* option, const char* response, const char* why) {
  core::require(
      unused, "{} has no effect with detector.response={} ({}) {}?", option, response, why,
      std::string(option).find("gain_stages") != std::string::npos ? "detector.response=gain_stages"
                                                                   : "detector.response=linear");
}

void check_photons(const SimulateResponse& response) {
  constexpr const char *name = "photons", *why = "it counts photons, whole and without noise";
  require_unused(!response.readout_noise, "detector.readout_noise", name, why);
  require_unused(response.adc_offset == 0, "detector.adc_offset", name, why);
  require_unused(response.calibration_noise == 0, "detector.calibration_noise", name, why);
  require_unused(!response.saturation, "detector.saturation", name, why);
  require_unused(response.point_spread.fwhm == 0, "detector.point_spread.fwhm", name, why);
}

void check_no_stages(const SimulateResponse& response, const char* name) {
  constexpr const char* why = "it has no stages";
  require_unused(response.stage_gain.empty(), "detector.gain_stages.gain", name, why);
  require_unused(response.stage_pedestal.empty(), "detector.gain_stages.pedestal", name, why);
  require_unused(response.stage_noise.empty(), "detector.gain_stages.noise", name, why);
  require_unused(response.stage_limit.empty(), "detector.gain_stages.limit", name, why);
}

void check_stages(const SimulateParams& params) {
  const SimulateResponse& wanted = params.response;
  core::require(wanted.adc_offset == 0,
                "detector.adc_offset={} cannot be with detector.response=gain_stages (calibration "
                "takes pedestals away) detector.gain_stages.pedestal?",
                wanted.adc_offset);
  core::require(!wanted.readout_noise || wanted.stage_noise.empty(),
                "detector.readout_noise and detector.gain_stages.noise say the same twice (one "
                "number for all stages, or three) leave one out?");
  const StagedResponse response = staged_response(params);
  for (int i = 0; i < 3; ++i) {
    const diffraction::GainStage& stage = response.pixel.stages[i];
    core::require(stage.gain != 0 && stage.noise >= 0,
                  "gain stage {} cannot be (gain {} ADU/keV, noise {} ADU; want a gain and no "
                  "negative noise) leave detector.gain_stages.* as JUNGFRAU's?",
                  i, stage.gain, stage.noise);
    core::require(stage.pedestal >= 0 && stage.pedestal <= diffraction::code_mask,
                  "detector.gain_stages.pedestal of stage {} is {} (its code goes from 0 to {})", i,
                  stage.pedestal, diffraction::code_mask);
    if (i == 2) break;
    const double code = stage.pedestal + stage.gain * stage.limit;
    core::require(stage.limit > (i == 0 ? 0 : response.pixel.stages[0].limit) && code >= 0 &&
                      code <= diffraction::code_mask,
                  "detector.gain_stages.limit={} keV of stage {} cannot be (must rise from 0, and "
                  "its code there would be {:.0f} of 0 to {}) raise detector.gain_stages.gain?",
                  stage.limit, i, code, diffraction::code_mask);
  }
  core::require(overload_count(response, params.detector.gain) >= 2,
                "gain stages end at {} counts (detector.gain={} counts per photon) a larger gain?",
                overload_count(response, params.detector.gain), params.detector.gain);
}

const char* name_of(ResponseKind kind) {
  constexpr const char* names[] = {"photons", "linear", "gain_stages"};
  return names[static_cast<int>(kind)];
}

} // namespace

void add_response_options(core::OptionSet& options, SimulateResponse& response) {
  options.add_choice(
      "detector.response", {"photons", "linear", "gain_stages"},
      [&response](int i) { response.kind = static_cast<ResponseKind>(i); },
      [&response] { return static_cast<int>(response.kind); },
      "photons: whole photons times detector.gain, no noise but theirs. linear: adc_offset + gain "
      "x photons + readout noise, as CCDs have it. gain_stages: pixels that lower their gain as "
      "charge grows (JUNGFRAU), calibrated back to photons times detector.gain.");
  options.add("detector.readout_noise", response.readout_noise,
              "Standard deviation of what reading out adds: counts (linear; None = 3), or ADU in "
              "each stage (gain_stages; None = detector.gain_stages.noise).");
  options.add("detector.adc_offset", response.adc_offset,
              "Counts without light (linear); with an offset counts end at 0.");
  options.add("detector.calibration_noise", response.calibration_noise,
              "Relative standard deviation of each pixel's gain, the same on all images, which "
              "calibration does not know of.");
  options.add("detector.calibration_seed", response.calibration_seed,
              "Of those gains: a detector stays the same in runs with other seeds.");
  options.add("detector.saturation", response.saturation,
              "Largest count that is written; files trust what is below. None = just above the "
              "detector's trusted range (linear), the end of the last stage (gain_stages).");
  options.add("detector.gain_stages.gain", response.stage_gain,
              "ADU per keV of the three stages, negative where light lowers the code. None = "
              "JUNGFRAU's, 41.5 -1.39 -0.11.");
  options.add("detector.gain_stages.pedestal", response.stage_pedestal,
              "ADU without light. None = 3000 15000 15000.");
  options.add("detector.gain_stages.noise", response.stage_noise,
              "Standard deviation of readout (ADU). None = 12.5 12.5 12.5.");
  options.add(
      "detector.gain_stages.limit", response.stage_limit,
      "keV in a pixel up to which the first and the second stage are used. None = 310 10000.");
  SimulatePointSpread& spread = response.point_spread;
  options.add_choice(
      "detector.point_spread.shape", {"gaussian", "fibre"}, [&spread](int i) { spread.shape = i; },
      [&spread] { return spread.shape; },
      "gaussian, or fibre: that of CCDs behind fibre optics, with long tails (nanoBragg's gauss "
      "and fiber).");
  options.add("detector.point_spread.fwhm", spread.fwhm,
              "Full width at half maximum (micrometre); 0 = none.");
  options.add("detector.point_spread.radius", spread.radius,
              "Pixels to each side that it reaches. None = all but 1e-7 of a Gaussian, all but 1 % "
              "of fibres' tails.");
}

void check_response(const SimulateParams& params) {
  const SimulateResponse& response = params.response;
  core::require(response.readout_noise.value_or(0) >= 0,
                "detector.readout_noise={} cannot be (must not be negative)",
                response.readout_noise.value_or(0));
  core::require(response.adc_offset >= 0, "detector.adc_offset={} cannot be (must not be negative)",
                response.adc_offset);
  core::require(response.calibration_noise >= 0 && response.calibration_noise <= 0.3,
                "detector.calibration_noise={} cannot be (want 0 to 0.3, relative)",
                response.calibration_noise);
  core::require(response.calibration_seed >= 0,
                "detector.calibration_seed={} cannot be (must not be negative)",
                response.calibration_seed);
  core::require(response.saturation.value_or(2) >= 2,
                "detector.saturation={} leaves nothing to count (want 2 or more)",
                response.saturation.value_or(0));
  core::require(response.saturation.value_or(largest_count) > response.adc_offset,
                "detector.adc_offset={} is all that can be counted (detector.saturation={}) lower "
                "the one or raise the other?",
                response.adc_offset, response.saturation.value_or(0));
  const SimulatePointSpread& spread = response.point_spread;
  core::require(spread.fwhm >= 0, "detector.point_spread.fwhm={} cannot be (must not be negative)",
                spread.fwhm);
  core::require(spread.radius.value_or(1) >= 1 && spread.radius.value_or(1) <= 1000,
                "detector.point_spread.radius={} cannot be (want 1 to 1000 pixels)",
                spread.radius.value_or(0));
  core::require(!spread.radius || spread.fwhm > 0,
                "detector.point_spread.radius={} has no effect (nothing is spread) "
                "detector.point_spread.fwhm?",
                spread.radius.value_or(0));
  if (response.kind == ResponseKind::Photons) check_photons(response);
  if (response.kind == ResponseKind::GainStages)
    check_stages(params);
  else
    check_no_stages(response, name_of(response.kind));
}

void describe_counts(const SimulateParams& params, models::Detector& detector) {
  const SimulateResponse& response = params.response;
  const double gain = params.detector.gain;
  for (models::Panel& panel : detector.panels) {
    const bool linear = response.kind == ResponseKind::Linear;
    panel.gain = linear ? panel.gain * gain : gain;
    panel.pedestal = linear ? panel.pedestal + response.adc_offset : 0;
  }
  if (response.kind == ResponseKind::Photons) return;
  const double top = highest_count(params, detector) - 1;
  for (models::Panel& panel : detector.panels) {
    auto& [low, high] = panel.trusted_range;
    if (response.kind == ResponseKind::GainStages)
      low = std::min(low, lowest_count(staged_response(params), gain));
    else if (ends_at_zero(detector))
      low = 0;
    else
      low = std::min(low, std::floor(panel.pedestal - noise_reach * linear_noise(response)));
    const bool own_end = response.saturation || response.kind == ResponseKind::GainStages;
    high = own_end ? top : std::min(high, top);
    core::require(panel.pedestal < top,
                  "no photon is counted above detector.adc_offset={} (counts of panel '{}' end at "
                  "{}) a smaller offset?",
                  response.adc_offset, panel.name, top);
  }
}

Recorder::Recorder(const SimulateParams& params, const models::Detector& detector)
    : params_(params)
    , detector_(detector)
    , highest_(highest_count(params, detector))
    , absent_(params.response.kind == ResponseKind::Photons
                  ? -1
                  : std::numeric_limits<std::int32_t>::min()) {
  if (params.response.kind != ResponseKind::Photons)
    record_ = record_params(params, detector, highest_);
}

void Recorder::record(std::span<const float> photons, std::uint32_t image,
                      std::span<std::int32_t> counts) const {
  const auto seed = static_cast<std::uint64_t>(params_.seed);
  if (params_.response.kind == ResponseKind::Photons)
    diffraction::count_photons(
        photons, {.poisson = params_.poisson, .gain = params_.detector.gain, .seed = seed}, image,
        counts);
  else
    diffraction::record_image(detector_, record_, photons, {seed, image, 0}, counts);
}

void Recorder::limit(std::span<std::int32_t> counts) const {
  if (params_.response.kind == ResponseKind::Photons) return;
  for (std::int32_t& count : counts) count = std::min(count, highest_);
}

namespace {

nlohmann::json stages_json(const StagedResponse& response) {
  nlohmann::json value = {{"photon_energy_kev", response.photon_energy},
                          {"stages", nlohmann::json::array()}};
  for (int i = 0; i < 3; ++i) {
    const diffraction::GainStage& stage = response.pixel.stages[i];
    value["stages"].push_back({{"gain_adu_per_kev", stage.gain},
                               {"pedestal_adu", stage.pedestal},
                               {"noise_adu", stage.noise}});
    if (i < 2) value["stages"].back()["limit_kev"] = stage.limit;
  }
  return value;
}

} // namespace

nlohmann::json response_json(const SimulateParams& params, const models::Detector& detector) {
  const SimulateResponse& response = params.response;
  nlohmann::json value = {{"response", name_of(response.kind)},
                          {"gain", detector.panels.front().gain}};
  const models::Panel& first = detector.panels.front();
  value["trusted_range"] = first.trusted_range;
  if (response.kind == ResponseKind::Photons) return value;
  value["calibration_noise"] = response.calibration_noise;
  value["calibration_seed"] = response.calibration_seed;
  value["saturation"] = highest_count(params, detector);
  if (response.kind == ResponseKind::Linear) {
    value["adc_offset"] = response.adc_offset;
    value["readout_noise"] = linear_noise(response);
  } else {
    value["gain_stages"] = stages_json(staged_response(params));
  }
  const SimulatePointSpread& spread = response.point_spread;
  if (spread.fwhm > 0)
    value["point_spread"] = {{"shape", spread.shape == 0 ? "gaussian" : "fibre"},
                             {"fwhm_um", spread.fwhm}};
  if (spread.fwhm > 0 && spread.radius) value["point_spread"]["radius"] = *spread.radius;
  return value;
}

} // namespace kilobragg::programs
