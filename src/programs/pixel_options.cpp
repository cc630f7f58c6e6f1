// Declaring and checking the options of refinement against pixels.
#include "pixel_options.hpp"

#include "photon_energies.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/image_finder.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>

namespace kilobragg::programs {
namespace {

using core::OptionSet;
using pixelrefinement::ParameterRule;

constexpr std::size_t most_energies = 20; // each takes the model once more

void declare_steps(OptionSet& set, PixelOptions& o) {
  set.add("pixels.refine", o.all,
          "After merging, refine shots and structure factors against the pixels, in cycles.");
  set.add_flag("--pixels", "pixels.refine",
               "merge, then stages 1 and 2 against the pixels, in cycles");
  set.add("pixels.steps.stage1", o.stage1, "Only refine each shot against its shoeboxes.");
  set.add_flag("--stage1", "pixels.steps.stage1",
               "cut shoeboxes, refine each shot, and keep both in PREFIX_shots-NNNN.shard");
  set.add("pixels.steps.predict", o.predict,
          "Only cut shoeboxes anew about what the refined shots excite.");
  set.add_flag("--predict", "pixels.steps.predict",
               "cut shoeboxes anew about all that the refined shots excite");
  set.add("pixels.steps.stage2", o.stage2,
          "Only refine the structure factors against the shoeboxes.");
  set.add_flag("--stage2", "pixels.steps.stage2",
               "refine all structure factors against the shoeboxes of all shots");
  set.add("pixels.resume", o.resume,
          "Go on with a refinement against pixels that was stopped or killed.");
  set.add_flag("--resume", "pixels.resume", "go on with a refinement that was stopped or killed");
  set.add("pixels.cycles", o.cycles, "Most cycles of shoeboxes, stage 1 and stage 2.");
  set.add("pixels.tolerance", o.tolerance,
          "Cycles end when structure factors move by less than this part of their errors (rms).");
}

void declare_inputs(OptionSet& set, PixelOptions& o) {
  set.add("input.map", o.maps,
          "old=new: images whose paths begin with old are at new; several times.");
  set.add_flag("--map", "input.map",
               "images whose paths begin with old are found at new (old=new)");
  set.add("input.search_path", o.search_path, "Folders in which images that moved are looked for.");
  set.add("input.exp_ref_spec", o.shot_list,
          "A list of shots as hopper reads it: experiment.expt reflections.refl [spectrum.lam] "
          "[exp_idx] on each line; in place of input.path, and gives shots their spectra.");
  set.add("pixels.start.mtz_file", o.start_mtz,
          "Structure factors to begin with; None = those of the merge.");
  set.add("pixels.start.mtz_column_F", o.start_column, "Their column.");
  set.add("pixels.energies", o.energies,
          "Photon energies (eV, separated by commas) at which structure factors are refined, with "
          "|F|^2 linear between them; None = the same at all energies.");
  set.add("pixels.gain", o.gain, "Counts per photon (refiner.adu_per_photon of diffBragg).");
  set.add("pixels.readout_noise", o.readout,
          "Root mean square noise of the readout in counts (refiner.sigma_r of diffBragg).");
  set.add(
      "pixels.lookup.readout_noise", o.noise_map,
      "The same for each pixel, an HDF5 data set (file.h5 or file.h5:/path) of the shape of the "
      "images; takes the place of pixels.readout_noise.");
  set.add("pixels.lookup.mask", o.mask,
          "Pixels that may be used, as spotfinder.lookup.mask of stills_process.");
  set.add("pixels.left_out", o.left_out,
          "Part of the shoeboxes that refines nothing; their likelihood is reported.");
  set.add_choice(
      "pixels.likelihood", {"Auto", "normal", "poisson", "noisy_poisson"},
      [&o](int i) { o.likelihood = static_cast<LikelihoodChoice>(i); },
      [&o] { return static_cast<int>(o.likelihood); },
      "normal: variance of the model, as in diffBragg; poisson: counted photons; noisy_poisson: "
      "photons read with noise. Auto = poisson without readout noise, else normal. noisy_poisson "
      "is right for a few "
      "photons, and takes fifty times as long.");
  set.add(
      "pixels.oversample", o.oversample,
      "Points per pixel edge at which the model is evaluated; 1 = pixel centres, as nanoBragg does "
      "unless told otherwise.");
}

/// fix, mins, maxs and sigmas of one kind of parameter.
void declare_rule(OptionSet& set, const std::string& name, ParameterRule& rule,
                  const std::string& what, bool limits = true) {
  set.add("pixels.fix." + name, rule.fixed, "Do not refine " + what + ".");
  if (limits) {
    set.add("pixels.mins." + name, rule.low, "Least value of " + what + ".");
    set.add("pixels.maxs." + name, rule.high, "Largest value of " + what + ".");
  }
  set.add("pixels.restraint_sigmas." + name, rule.sigma,
          "Standard deviation of a restraint of " + what +
              " to its start; 0 = none "
              "(diffBragg's betas are its square).");
}

void declare_parameters(OptionSet& set, PixelOptions& o) {
  auto& r = o.rules;
  declare_rule(set, "G", r.scale, "the scale of a shot", false);
  declare_rule(set, "RotXYZ", r.rotation, "the orientation (rad, from its start)");
  declare_rule(set, "ucell", r.cell, "the free parameters of the cell (relative change)");
  declare_rule(set, "Nabc", r.size, "the size of mosaic blocks (unit cells)");
  declare_rule(set, "Ndef", r.size_off_diagonal,
               "the off-diagonal elements of N (unit cells; fixed with Nabc)");
  declare_rule(set, "eta_abc", r.spread, "the mosaic spread (rad, standard deviation)");
  declare_rule(set, "detz_shift", r.distance, "the detector's distance (mm, from its start)");
  declare_rule(set, "spec_offset", r.wavelength_offset, "the offset of wavelengths (angstrom)");
  declare_rule(set, "spec_scale", r.wavelength_scale, "the scale of wavelengths");
  declare_rule(set, "B", r.b_factor, "the B of a shot in stage 1 (angstrom^2)");
  set.add("pixels.init.Nabc", o.init_cells,
          "First size of mosaic blocks (unit cells); None = from the domain size of each still, "
          "at most 20.");
  set.add("pixels.init.eta_abc", o.init_eta_deg,
          "First mosaic spread (degrees); None = from the mosaicity of each still.");
  set.add("pixels.Nabc_elements", o.size_elements,
          "Elements of N that are free: 1, 3 (as diffBragg's Nabc) or 6 (with Ndef).");
  set.add("pixels.eta_elements", o.spread_elements, "Elements of the mosaic spread: 1 or 3.");
}

void declare_stages(OptionSet& set, PixelOptions& o) {
  auto& s1 = o.stage1_params;
  set.add("pixels.stage1.max_evaluations", s1.max_evaluations, "Most evaluations of a shot.");
  set.add("pixels.stage1.free_intensities", s1.target.free_intensities,
          "Let the intensity of each shoebox follow its pixels within the error of its F.");
  set.add("pixels.stage1.outlier_z", s1.outlier_z,
          "Pixels further from the model are left out (robust deviations of their shoebox).");
  set.add("pixels.stage1.max_sigma_z", s1.max_sigma_z, "Shots that fit worse are given up.");
  set.add("pixels.stage1.max_sigma_z_ratio", o.max_sigma_z_ratio,
          "... or worse than the median of all shots by this factor.");
  set.add("pixels.stage1.min_boxes", s1.min_boxes, "Fewest shoeboxes of a shot.");
  set.add(
      "pixels.stage1.shots_per_launch", o.shots_per_launch,
      "Shots of a rank that are refined in step, so that a GPU has enough to do; results do not "
      "depend on it. 0 = 1 on CPUs, 32 on a GPU.");
  set.add("pixels.predict.threshold", o.predict_params.threshold,
          "Least photons of a predicted spot, at the mean intensity of its resolution.");
  auto& s2 = o.stage2_params;
  set.add("pixels.stage2.max_iterations", s2.lbfgs.max_iterations, "Most iterations of L-BFGS.");
  set.add("pixels.stage2.history", s2.lbfgs.history, "Steps that L-BFGS remembers.");
  set.add("pixels.stage2.tolerance", s2.tolerance,
          "Converged when variables are this near to the minimum, in their errors (rms).");
  set.add("pixels.stage2.checkpoint_every", s2.checkpoint_every, "Iterations between checkpoints.");
  set.add("pixels.stage2.wilson", s2.priors.wilson, "Weight of the Wilson prior; 0 = none.");
  set.add("pixels.stage2.friedel_sigma", s2.priors.friedel_sigma,
          "Expected difference of ln F of Bijvoet mates, as a restraint; 0 = none.");
  set.add("pixels.stage2.energy_sigma", s2.priors.energy_sigma,
          "Expected difference of ln F of neighbouring pixels.energies, as a restraint; 0 = none.");
  set.add("pixels.stage2.start_sigma", s2.priors.start_sigma,
          "Standard deviation of a restraint of ln F to its start; 0 = none.");
  set.add("pixels.stage2.scale_sigma", s2.priors.scale_sigma,
          "Standard deviation of a restraint of ln G to stage 1.");
  set.add("pixels.stage2.b_sigma", s2.priors.b_sigma,
          "Expected spread of B between shots (angstrom^2).");
  set.add("pixels.stage2.size_sigma", s2.priors.size_sigma,
          "Standard deviation of a restraint of ln N to stage 1.");
}

} // namespace

pixelrefinement::Likelihood usual_likelihood(bool silent) {
  return silent ? pixelrefinement::Likelihood::Poisson : pixelrefinement::Likelihood::Normal;
}

void declare(core::OptionSet& set, PixelOptions& o) {
  declare_steps(set, o);
  declare_inputs(set, o);
  declare_parameters(set, o);
  declare_stages(set, o);
  set.add("output.free_flags.mtz_file", o.free_flags_file,
          "Free flags to carry over; None = flags made from the indices.");
  set.add("output.free_flags.column", o.free_flags_column, "Their column; None = by usual names.");
  set.add("output.free_flags.fraction", o.free_flags_fraction,
          "Part of the indices that is free where flags are made; 0 = no flags.");
  set.add("output.report_boxes", o.report_boxes, "Shoeboxes shown in the report.");
}

void validate(const PixelOptions& o) {
  core::require(
      o.any() || !o.resume,
      "--resume goes on with a refinement against pixels, but none is asked for (--pixels, "
      "--stage1, --predict, --stage2)");
  if (!o.any()) return;
  core::require(
      !o.all || !(o.stage1 || o.predict || o.stage2),
      "--pixels does all steps in cycles; --stage1, --predict and --stage2 are single steps "
      "(give one or the others)");
  const std::vector<double> energies = parse_energies(o.energies, "pixels.energies");
  core::require(std::adjacent_find(energies.begin(), energies.end(), std::greater_equal<>()) ==
                        energies.end() &&
                    energies.size() <= most_energies,
                "pixels.energies={} (must ascend, and be no more than {})", o.energies,
                most_energies);
  for (const std::string& map : o.maps) io::parse_path_map(map);
  core::require(o.cycles >= 1, "pixels.cycles={} (at least 1)", o.cycles);
  core::require(o.gain > 0 && std::isfinite(o.gain), "pixels.gain={} (must be above 0)", o.gain);
  core::require(
      o.max_sigma_z_ratio > 1,
      "pixels.stage1.max_sigma_z_ratio={} (must be above 1: half the shots are worse than the "
      "median)",
      o.max_sigma_z_ratio);
  core::require(o.readout >= 0 && std::isfinite(o.readout),
                "pixels.readout_noise={} (must not be below 0)", o.readout);
  core::require(o.left_out >= 0 && o.left_out <= 0.5, "pixels.left_out={} (0 to 0.5)", o.left_out);
  core::require(o.oversample >= 1 && o.oversample <= 20, "pixels.oversample={} (1 to 20)",
                o.oversample);
  core::require(o.size_elements == 1 || o.size_elements == 3 || o.size_elements == 6,
                "pixels.Nabc_elements={} (1, 3 or 6)", o.size_elements);
  core::require(o.spread_elements == 1 || o.spread_elements == 3, "pixels.eta_elements={} (1 or 3)",
                o.spread_elements);
  core::require(!o.init_cells || *o.init_cells > 0, "pixels.init.Nabc={} (must be above 0)",
                o.init_cells.value_or(0));
  core::require(!o.init_eta_deg || *o.init_eta_deg > 0, "pixels.init.eta_abc={} (must be above 0)",
                o.init_eta_deg.value_or(0));
  const auto ordered = [](const ParameterRule& rule, const char* name) {
    core::require(rule.low < rule.high, "pixels.mins.{}={} is not below pixels.maxs.{}={}", name,
                  rule.low, name, rule.high);
    core::require(rule.sigma >= 0, "pixels.restraint_sigmas.{}={} (must not be below 0)", name,
                  rule.sigma);
  };
  ordered(o.rules.rotation, "RotXYZ");
  ordered(o.rules.cell, "ucell");
  ordered(o.rules.size, "Nabc");
  ordered(o.rules.size_off_diagonal, "Ndef");
  ordered(o.rules.spread, "eta_abc");
  ordered(o.rules.distance, "detz_shift");
  ordered(o.rules.wavelength_offset, "spec_offset");
  ordered(o.rules.wavelength_scale, "spec_scale");
  ordered(o.rules.b_factor, "B");
  core::require(o.rules.size.low > 0 && o.rules.spread.low > 0,
                "pixels.mins.Nabc={} or pixels.mins.eta_abc={} (must be above 0)", o.rules.size.low,
                o.rules.spread.low);
  core::require(o.stage2_params.lbfgs.history >= 1 && o.stage2_params.lbfgs.max_iterations >= 1,
                "pixels.stage2.history={} or max_iterations={} (at least 1)",
                o.stage2_params.lbfgs.history, o.stage2_params.lbfgs.max_iterations);
  core::require(o.stage2_params.priors.size_sigma > 0,
                "pixels.stage2.size_sigma={} (must be above 0; pixels.fix.Nabc=True fixes N)",
                o.stage2_params.priors.size_sigma);
  core::require(o.stage2_params.priors.scale_sigma > 0 && o.stage2_params.priors.b_sigma > 0,
                "pixels.stage2.scale_sigma={} or b_sigma={} (must be above 0: they settle the "
                "common scale)",
                o.stage2_params.priors.scale_sigma, o.stage2_params.priors.b_sigma);
  core::require(o.tolerance >= 0, "pixels.tolerance={} (must not be below 0)", o.tolerance);
  const auto& s1 = o.stage1_params;
  core::require(s1.max_evaluations >= 1, "pixels.stage1.max_evaluations={} (at least 1)",
                s1.max_evaluations);
  core::require(o.shots_per_launch >= 0, "pixels.stage1.shots_per_launch={} (must not be below 0)",
                o.shots_per_launch);
  core::require(s1.min_boxes >= 1, "pixels.stage1.min_boxes={} (at least 1)", s1.min_boxes);
  core::require(s1.outlier_z > 0, "pixels.stage1.outlier_z={} (must be above 0)", s1.outlier_z);
  core::require(s1.max_sigma_z > 0, "pixels.stage1.max_sigma_z={} (must be above 0)",
                s1.max_sigma_z);
  core::require(o.predict_params.threshold >= 0,
                "pixels.predict.threshold={} (must not be below 0)", o.predict_params.threshold);
  const auto& s2 = o.stage2_params;
  core::require(s2.tolerance > 0, "pixels.stage2.tolerance={} (must be above 0)", s2.tolerance);
  core::require(s2.checkpoint_every >= 1, "pixels.stage2.checkpoint_every={} (at least 1)",
                s2.checkpoint_every);
  for (const auto& [value, name] :
       {std::pair(s2.priors.wilson, "wilson"), std::pair(s2.priors.friedel_sigma, "friedel_sigma"),
        std::pair(s2.priors.energy_sigma, "energy_sigma"),
        std::pair(s2.priors.start_sigma, "start_sigma")})
    core::require(value >= 0 && std::isfinite(value), "pixels.stage2.{}={} (must not be below 0)",
                  name, value);
  core::require(o.report_boxes >= 0, "output.report_boxes={} (must not be below 0)",
                o.report_boxes);
  core::require(o.free_flags_fraction >= 0 && o.free_flags_fraction <= 0.5,
                "output.free_flags.fraction={} (0 to 0.5)", o.free_flags_fraction);
  for (const auto& [file, option] : {std::pair(o.start_mtz, "pixels.start.mtz_file"),
                                     std::pair(o.free_flags_file, "output.free_flags.mtz_file"),
                                     std::pair(o.shot_list, "input.exp_ref_spec")})
    core::require(file.empty() || std::filesystem::is_regular_file(file),
                  "cannot read '{}' (option {}: no such file)", file, option);
}

} // namespace kilobragg::programs
