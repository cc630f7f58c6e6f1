// Declares the options of stills_process and checks them before work starts.
#include "kilobragg/programs/stills_options.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/phil.hpp"
#include "kilobragg/io/event_index.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace kilobragg::programs {
namespace {

using core::OptionSet;

void declare_input(OptionSet& set, InputOptions& input) {
  set.add("input.glob", input.globs,
          "Images to process, as a pattern; may be given several times.");
  set.add("input.file_list", input.file_list, "A text file with one image path per line.");
  set.add("input.image_tag", input.image_tags,
          "Only images with this tag: <file> or <file>_<number, five digits>; several times.");
  set.add("input.show_image_tags", input.show_image_tags, "Print the tags of all images and stop.");
  set.add("input.max_images", input.max_images, "Process only so many images.");
  set.add("input.reference_geometry", input.reference_geometry,
          "Take the positions of the panels from this .expt instead of from the images.");
  set.add("input.map", input.maps,
          "old=new: images of an .expt whose paths begin with old now lie at new; several times.");
  set.add("input.search_path", input.search_paths,
          "A folder in which to look for images that are not where an .expt says, by name and by "
          "name with the folders above; several times.");
  set.add_flag("--map", "input.map",
               "old=new: images of an .expt that lay below old now lie below new");
  set.add("input.ignore_gain_mismatch", input.ignore_gain_mismatch,
          "Go on although both the detector model and spotfinder.threshold.dispersion.gain give a "
          "gain other than 1.");
}

void declare_geometry(OptionSet& set, GeometryOptions& geometry) {
  set.add("geometry.beam.wavelength", geometry.wavelength,
          "Wavelength (angstrom) of every image, instead of the images' own.");
  set.add("geometry.detector.distance", geometry.distance,
          "Distance (mm) from the sample to the detector; all panels move along the beam.");
}

void declare_dispatch(OptionSet& set, pipeline::StillParams& still, InputOptions& input) {
  set.add("dispatch.find_spots", still.find_spots, "Find strong spots.");
  set.add("dispatch.index", still.index, "Find the crystal's orientation and cell.");
  set.add("dispatch.refine", still.refine,
          "Refine once more after indexing, which refines already.");
  set.add("dispatch.integrate", still.integrate, "Predict and integrate reflections.");
  set.add("dispatch.squash_errors", still.squash_errors,
          "An image that fails is recorded with its exit state and the run goes on; if False, the "
          "first failure ends the run.");
  set.add("dispatch.process_percent", input.process_percent,
          "Process this percentage of the images, evenly spread.");
  auto& hits = still.hit_finder;
  set.add("dispatch.hit_finder.enable", hits.enable, "Drop images by their number of spots.");
  set.add("dispatch.hit_finder.minimum_number_of_reflections", hits.minimum_number_of_reflections,
          "Images with fewer strong spots are not indexed (not_enough_spots).");
  set.add("dispatch.hit_finder.maximum_number_of_reflections", hits.maximum_number_of_reflections,
          "Images with more strong spots are not indexed (too_many_spots).");
}

void declare_output(OptionSet& set, OutputOptions& output) {
  set.add("output.output_dir", output.directory, "Where results and the log go; made if absent.");
  set.add("output.logging_dir", output.logging_dir,
          "If set, each rank writes the details of its images to log_rankNNNN.out in here.");
  set.add("output.strong_filename", output.strong,
          "Strong spots; %s becomes idx- and the rank. None: not written.");
  set.add("output.indexed_filename", output.indexed, "Indexed spots. None: not written.");
  set.add("output.refined_experiments_filename", output.refined,
          "Experiments of the indexed spots. None: not written.");
  set.add("output.integrated_filename", output.integrated,
          "Integrated reflections. None: not written.");
  set.add("output.integrated_experiments_filename", output.integrated_experiments,
          "Experiments of the integrated reflections. None: not written.");
  set.add("output.report_filename", output.report,
          "The report of the run, one HTML file in output.output_dir. None: not written.");
  set.add("output.ledger", output.ledger,
          "Keep ledger.sqlite: options, inputs, every batch and every image of the run.");
  set.add(
      "output.write_index", output.write_index,
      "Save where every frame lies, to the byte, as a file named *.kbi: as an input it starts a "
      "run that need not look for them.");
  set.add_flag("--write-index", "output.write_index",
               "save where every frame lies as a file named *.kbi");
  set.add("output.stream_filename", output.stream,
          "One CrystFEL stream of all images, in order of file and frame. None: not written.");
  set.add("mp.debug.output_debug_logs", output.debug_logs,
          "Each rank writes debug/debug_<rank>.txt with a line per step of each image: host, tag, "
          "timestamp, state, message.");
}

/// A range "high low" in angstrom that adds to a list.
core::Option resolution_ranges(std::vector<std::array<double, 2>>& ranges) {
  const auto set = [&ranges](const std::string& text) {
    if (text == "None") return;
    std::array<double, 2> range{};
    char blank = 0, rest = 0;
    const int n = std::sscanf(text.c_str(), "%lf%c%lf%c", &range[0], &blank, &range[1], &rest);
    core::require(n == 3, "two numbers are expected");
    std::sort(range.begin(), range.end());
    ranges.push_back(range);
  };
  const auto show = [&ranges]() -> std::string {
    std::string text;
    for (const auto& range : ranges)
      text += fmt::format("{}{} {}", text.empty() ? "" : "\n", range[0], range[1]);
    return text.empty() ? "None" : text;
  };
  return {.path = "spotfinder.filter.resolution_range",
          .type = "floats(2)",
          .help = "Leave out spots between these resolutions (angstrom); several times.",
          .choices = {},
          .set = set,
          .show = show,
          .multiple = true};
}

void declare_threshold(OptionSet& set, spotfinding::SpotfinderParams& params) {
  set.add_choice(
      "spotfinder.threshold.algorithm", {"dispersion", "dispersion_extended"},
      [&params](int i) { params.algorithm = static_cast<spotfinding::ThresholdAlgorithm>(i); },
      [&params] { return static_cast<int>(params.algorithm); }, "How strong pixels are told.");
  auto& dispersion = params.dispersion;
  const std::string scope = "spotfinder.threshold.dispersion.";
  set.add(scope + "gain", dispersion.gain, "Gain of the detector; None = 1.");
  set.add(scope + "kernel_size", dispersion.kernel_size.data(), 2,
          "Half widths of the window around a pixel.");
  set.add(scope + "sigma_background", dispersion.sigma_background,
          "Standard deviations of the index of dispersion above which there is signal.");
  set.add(scope + "sigma_strong", dispersion.sigma_strong,
          "Standard deviations above the local mean of a strong pixel.");
  set.add(scope + "min_local", dispersion.min_local, "Fewest usable pixels in a window.");
  set.add(scope + "global_threshold", dispersion.global_threshold,
          "Pixels at or below this are never strong.");
}

void declare_spot_filters(OptionSet& set, spotfinding::SpotFilterParams& filter) {
  const std::string scope = "spotfinder.filter.";
  set.add(scope + "min_spot_size", filter.min_spot_size,
          "Fewest pixels of a spot; Auto = 3 for pixel array detectors, 6 for others.");
  set.add(scope + "max_spot_size", filter.max_spot_size, "Most pixels of a spot.");
  set.add(scope + "max_separation", filter.max_separation,
          "Largest distance (pixels) between centroid and brightest pixel.");
  set.add(scope + "max_strong_pixel_fraction", filter.max_strong_pixel_fraction,
          "More strong pixels than this fraction make the image a failure.");
  set.add(scope + "border", filter.border, "Pixels ignored along the edges of panels.");
  set.add(scope + "d_min", filter.d_min, "Finest resolution of spots (angstrom).");
  set.add(scope + "d_max", filter.d_max, "Coarsest resolution of spots (angstrom).");
  set.add(resolution_ranges(filter.resolution_range));
  set.add(scope + "ice_rings.filter", filter.ice_rings, "Leave out spots on ice rings.");
  set.add(scope + "ice_rings.width", filter.ice_rings_width, "Width of a ring in 1/d^2.");
  set.add(scope + "background_gradient.filter", filter.background_gradient_filter,
          "Leave out spots where the background is steep.");
  set.add(scope + "background_gradient.background_size", filter.background_size,
          "Pixels around a spot in which the gradient is taken.");
  set.add(scope + "background_gradient.gradient_cutoff", filter.gradient_cutoff,
          "Steepest background kept.");
  set.add(scope + "spot_density.filter", filter.spot_density_filter,
          "Leave out regions crowded with spots.");
  set.add(scope + "spot_density.nbins", filter.nbins, "Bins across the detector.");
}

core::Option unit_cell(models::UnitCell& cell, bool& given) {
  return {.path = "indexing.known_symmetry.unit_cell",
          .type = "unit_cell",
          .help = "a b c alpha beta gamma (angstrom, degrees) of the sample.",
          .choices = {},
          .set =
              [&cell, &given](const std::string& text) {
                given = text != "None";
                if (given) cell = models::UnitCell::parse(text);
              },
          .show = [&cell, &given] { return given ? cell.to_string() : std::string("None"); }};
}

core::Option space_group(models::SpaceGroup& group, bool& given) {
  return {.path = "indexing.known_symmetry.space_group",
          .type = "space_group",
          .help = "Space group of the sample, as a symbol or number.",
          .choices = {},
          .set =
              [&group, &given](const std::string& text) {
                given = text != "None";
                if (given) group = models::SpaceGroup(text);
              },
          .show = [&group,
                   &given] { return given ? core::quote_phil(group.hm()) : std::string("None"); }};
}

void declare_indexing(OptionSet& set, StillsOptions& options) {
  auto& params = options.still.indexing;
  set.add(unit_cell(params.unit_cell, options.has_cell));
  set.add(space_group(params.space_group, options.has_space_group));
  set.add("indexing.known_symmetry.relative_length_tolerance", params.relative_length_tolerance,
          "Largest relative deviation of a cell length from the known one.");
  set.add("indexing.known_symmetry.absolute_angle_tolerance", params.absolute_angle_tolerance,
          "Largest deviation (degrees) of a cell angle from the known one.");
  set.add("indexing.index_assignment.simple.hkl_tolerance", params.hkl_tolerance,
          "Largest distance of a spot's fractional index from a whole one.");
  set.add("indexing.refinement_protocol.d_min_start", params.d_min_start,
          "Finest resolution (angstrom) of spots used for indexing.");
  set.add("indexing.stills.rmsd_min_px", params.rmsd_min_px,
          "Largest RMSD (pixels) of a lattice that is accepted.");
  set.add("indexing.stills.ewald_proximal_volume_max", params.ewald_proximal_volume_max,
          "Largest volume (1/angstrom^3) around the Ewald sphere in which spots may lie.");
  set.add_choice(
      "indexing.stills.candidate_outlier_rejection", {"False", "True"},
      [&params](int i) {
        params.refinement.outlier =
            i ? refinement::OutlierAlgorithm::SauterPoon : refinement::OutlierAlgorithm::None;
      },
      [&params] { return params.refinement.outlier == refinement::OutlierAlgorithm::None ? 0 : 1; },
      "Reject outliers as Sauter and Poon (2010).");
}

void declare_refinement(OptionSet& set, refinement::RefinementParams& params) {
  set.add("refinement.reflections.weighting_strategy.delpsi_constant", params.delpsi_constant,
          "Weight (1/rad^2) of the distance from the Ewald sphere beside the spot positions.");
  set.add("refinement.parameterisation.auto_reduction.min_nref_per_parameter",
          params.min_nref_per_parameter, "With fewer spots per parameter nothing is refined.");
  set.add("refinement.refinery.max_iterations", params.max_iterations, "Most cycles.");
}

void declare_integration(OptionSet& set, integration::IntegrationParams& params) {
  set.add("prediction.d_min", params.d_min,
          "Finest resolution (angstrom) of predictions; None = the farthest panel corner.");
  set.add("prediction.widening", params.prediction_widening,
          "Factor on how far from the Ewald sphere reflections are predicted; 1 = as DIALS.");
  set.add("indexing.stills.set_domain_size_ang_value", params.set_domain_size_angstrom,
          "Domain size (angstrom) for prediction, instead of the fitted one.");
  set.add("indexing.stills.set_mosaic_half_deg_value", params.set_half_mosaicity_deg,
          "Half mosaicity (degrees) for prediction, instead of the fitted one.");
  const std::string profile = "profile.gaussian_rs.";
  set.add_choice(
      profile + "centroid_definition", {"s1", "com"},
      [&params](int i) { params.centroid_definition_com = i == 1; },
      [&params] { return params.centroid_definition_com ? 1 : 0; },
      "Measure spot widths about the predicted ray (s1) or the centroid (com).");
  set.add(profile + "parameters.n_sigma", params.n_sigma, "Radius of the foreground in sigma_b.");
  set.add(profile + "parameters.sigma_b_multiplier", params.sigma_b_multiplier,
          "Size of the box around the foreground.");
  set.add(profile + "parameters.sigma_b_cutoff", params.sigma_b_cutoff_deg,
          "Images with wider spots (degrees) are not integrated.");
  set.add("integration.background.simple.outlier.plane.n_sigma", params.background_outlier_nsigma,
          "Background pixels farther from the plane are left out.");
  set.add("integration.summation.detector_gain", params.detector_gain, "Multiplies variances.");
  set.add("significance_filter.enable", params.significance_filter,
          "Cut each lattice where its intensities become insignificant.");
  set.add("significance_filter.n_bins", params.significance_bins, "Resolution bins.");
  set.add("significance_filter.isigi_cutoff", params.isigi_cutoff, "Mean I/sigma of the last bin.");
}

void declare_pixel_model(OptionSet& set, PixelModelOptions& options,
                         pipeline::PixelModelParams& params) {
  set.add_choice(
      "integration.integrator", {"stills", "auto", "pixel_model"},
      [&options](int i) { options.wanted = i == 2; }, [&options] { return options.wanted ? 2 : 0; },
      "stills, auto: reflections near the Ewald sphere, as DIALS; pixel_model: refine each still "
      "against its pixels with the structure factors of pixel_model.mtz_file, and integrate what "
      "the refined model lights.");
  const std::string scope = "pixel_model.";
  set.add(scope + "mtz_file", options.mtz_file,
          "Structure factors, as amplitudes or intensities on any scale, in the setting of "
          "indexing.known_symmetry.");
  set.add(scope + "mtz_column_F", options.mtz_column,
          "Their column; with (+) in its label the mate is read too. None = by usual types.");
  set.add(scope + "relative_sigma_F", options.relative_sigma,
          "Relative error of amplitudes for which the file has none.");
  set.add(scope + "adu_per_photon", params.shoeboxes.gain,
          "Counts per photon, on top of a gain that the detector model gives.");
  set.add(scope + "sigma_r", params.shoeboxes.readout,
          "Root mean square noise of the readout in counts.");
  set.add(scope + "predictions.threshold", params.prediction.threshold,
          "Least photons that the refined model expects of a reflection at the mean intensity of "
          "its resolution: all of these are integrated, strong and weak.");
  set.add(scope + "init.Nabc", params.first.cells,
          "First size of mosaic blocks (unit cells); None = from the fitted domain size.");
  set.add(scope + "init.eta_abc", params.first.spread_deg,
          "First mosaic spread (degrees); None = from the fitted half mosaicity.");
  set.add(scope + "oversample", params.oversample,
          "Points per pixel edge at which the model is evaluated; None = as many as the narrowest "
          "peaks of a still need.");
  set.add(scope + "free_intensities", params.stage1.target.free_intensities,
          "Let the intensity of each spot follow its pixels within the error of its F.");
  set.add(scope + "max_evaluations", params.stage1.max_evaluations,
          "Most evaluations of the model in the refinement of a still.");
  set.add(scope + "max_sigma_z", params.stage1.max_sigma_z,
          "A still whose pixels are farther from the model (root mean square, in standard "
          "deviations) is integrated as usual.");
  set.add(scope + "min_boxes", params.stage1.min_boxes,
          "A still with fewer usable spots is integrated as usual.");
}

/// An option with one possible value here, the first of `words`; the others mean the same.
core::Option fixed(const std::string& path, const std::vector<std::string>& words,
                   const std::string& help) {
  return {.path = path,
          .type = "only " + words.front(),
          .help = help,
          .choices = {},
          .set =
              [words](const std::string& text) {
                core::require(std::find(words.begin(), words.end(), text) != words.end(),
                              "only {} is possible here", words.front());
              },
          .show = [words] { return words.front(); }};
}

void declare_fixed(OptionSet& set) {
  set.add(fixed("output.composite_output", {"True", "true", "1"},
                "The results of a rank share one file of each kind."));
  set.add(fixed("integration.profile.fitting", {"False", "false", "0"}, "No profile fitting."));
  set.add(fixed("integration.background.algorithm", {"simple", "Auto"}, "The background."));
  set.add(fixed("integration.background.simple.outlier.algorithm", {"plane"},
                "How background outliers are told."));
  set.add(fixed("integration.background.simple.model.algorithm", {"linear2d"}, "A plane."));
  set.add(fixed("refinement.parameterisation.beam.fix", {"all"}, "The beam is not refined."));
  set.add(
      fixed("refinement.parameterisation.detector.fix", {"all"}, "The detector is not refined."));
  set.add(fixed("refinement.parameterisation.auto_reduction.action", {"fix"},
                "What happens with too few spots."));
  set.add(fixed("refinement.reflections.weighting_strategy.override", {"stills"},
                "How spots are weighted."));
  set.add(fixed("refinement.reflections.outlier.algorithm",
                {"null", "None", "auto", "Auto", "sauter_poon"},
                "Outliers are rejected while indexing (candidate_outlier_rejection)."));
}

/// Options that select between the search methods of DIALS or its ways to run: accepted so that
/// parameter files work unmodified.
void declare_without_effect(OptionSet& set, std::map<std::string, std::string>& asked) {
  for (const char* path :
       {"indexing.method", "indexing.stills.method_list", "indexing.stills.indexer",
        "indexing.stills.refine_candidates_with_known_symmetry",
        "indexing.stills.refine_all_candidates", "indexing.refinement_protocol.mode",
        "indexing.refinement_protocol.n_macro_cycles",
        "indexing.basis_vector_combinations.max_refine", "indexing.fft1d.characteristic_grid",
        "indexing.max_cell", "mp.method", "mp.nproc", "dispatch.pre_import",
        "output.logging_option", "profile.gaussian_rs.min_spots.overall"})
    set.add({.path = path,
             .type = "str",
             .help = "Accepted from DIALS's parameter files; has no effect here.",
             .choices = {},
             .set =
                 [&asked, path](const std::string& text) {
                   if (text == "None")
                     asked.erase(path);
                   else
                     asked[path] = text;
                 },
             .show =
                 [&asked, path] {
                   const auto it = asked.find(path);
                   return it == asked.end() ? std::string("None") : core::quote_phil(it->second);
                 }});
}

void require_file(const std::string& path, const char* option) {
  core::require(path.empty() || std::filesystem::is_regular_file(path),
                "the file '{}' of {} cannot be opened (there is no such file) is the path right?",
                path, option);
}

void require_search(const InputOptions& input) {
  input.image_search();
  for (const std::string& folder : input.search_paths)
    core::require(std::filesystem::is_directory(folder),
                  "the folder '{}' of input.search_path cannot be opened (there is no such folder) "
                  "is the path right?",
                  folder);
}

/// The folder of output.write_index, unless the run makes it, must be there: the file is written last.
void require_place_of_index(const OutputOptions& output) {
  namespace fs = std::filesystem;
  const auto absolute = [](const fs::path& path) { return fs::absolute(path).lexically_normal(); };
  const fs::path folder = absolute(output.write_index).parent_path();
  const std::string made = absolute(fs::path(output.directory) / "").string();
  if (made.rfind(folder.string() + "/", 0) == 0 && !fs::exists(folder)) return;
  core::require(fs::is_directory(folder) && ::access(folder.c_str(), W_OK | X_OK) == 0,
                "output.write_index={} cannot be written (the folder '{}' {}) is the path right?",
                output.write_index, folder.string(),
                fs::is_directory(folder) ? "is not writable" : "is not there");
}

/// The file of "file.h5:/path/of/dataset".
std::string without_dataset(const std::string& mask) { return mask.substr(0, mask.find(":/")); }

/// output.integrated_filename and its experiments share one stem: they are written as a pair.
void require_pair(const std::string& reflections, const std::string& experiments) {
  const auto stem = [](const std::string& name) {
    return std::filesystem::path(name).replace_extension().string();
  };
  core::require(
      stem(reflections) == stem(experiments),
      "output.integrated_filename={} and output.integrated_experiments_filename={} differ "
      "(they are written as a pair) give both the same name but for .refl and .expt",
      reflections, experiments);
}

void validate_known_symmetry(const StillsOptions& options) {
  if (!options.still.index || !options.still.find_spots) return;
  core::require(
      options.has_cell && options.has_space_group,
      "indexing needs the sample's cell and space group (indexing.known_symmetry.{} is not "
      "set) give both, or dispatch.index=False to find spots only",
      options.has_cell ? "space_group" : "unit_cell");
  const auto& params = options.still.indexing;
  const std::string problem = params.space_group.contradiction(params.unit_cell);
  core::require(
      problem.empty(),
      "indexing.known_symmetry.unit_cell={} contradicts space_group={} ({}) is one of them "
      "mistyped?",
      params.unit_cell.to_string(), params.space_group.hm(), problem);
}

/// Limits that no spot can meet.
void validate_spot_filter(const spotfinding::SpotFilterParams& filter) {
  core::require(!filter.min_spot_size || *filter.min_spot_size > 0,
                "spotfinder.filter.min_spot_size={} must be 1 or more",
                filter.min_spot_size.value_or(0));
  core::require(filter.max_spot_size > 0 &&
                    filter.max_spot_size >= filter.min_spot_size.value_or(0),
                "spotfinder.filter.max_spot_size={} leaves no spot (it is below 1 or "
                "spotfinder.filter.min_spot_size)",
                filter.max_spot_size);
  core::require(!filter.d_min || !filter.d_max || *filter.d_min < *filter.d_max,
                "spotfinder.filter.d_min={} leaves no spot (spotfinder.filter.d_max={} is not "
                "above it) are they exchanged?",
                filter.d_min.value_or(0), filter.d_max.value_or(0));
}

/// What can be seen without reading structure factors.
void validate_pixel_model(const PixelModelOptions& options,
                          const pipeline::PixelModelParams& params) {
  if (!options.wanted) return;
  core::require(!options.mtz_file.empty(),
                "integration.integrator=pixel_model needs structure factors (pixel_model.mtz_file "
                "is not set) give those of an earlier merge?");
  require_file(options.mtz_file, "pixel_model.mtz_file");
  const auto positive = [](double value, const char* name) {
    core::require(value > 0, "pixel_model.{}={} must be above 0", name, value);
  };
  positive(options.relative_sigma, "relative_sigma_F");
  positive(params.shoeboxes.gain, "adu_per_photon");
  core::require(params.shoeboxes.readout >= 0, "pixel_model.sigma_r={} must not be below 0",
                params.shoeboxes.readout);
  positive(params.prediction.threshold, "predictions.threshold");
  positive(params.first.cells.value_or(1), "init.Nabc");
  positive(params.first.spread_deg.value_or(1), "init.eta_abc");
  positive(params.stage1.max_evaluations, "max_evaluations");
  positive(params.stage1.max_sigma_z, "max_sigma_z");
  positive(params.stage1.min_boxes, "min_boxes");
  core::require(params.oversample.value_or(1) >= 1 && params.oversample.value_or(1) <= 20,
                "pixel_model.oversample={} is out of range (1 to 20 is possible)",
                params.oversample.value_or(1));
}

/// What core::require would throw, gathered.
struct Problems {
  std::vector<std::string> found;
  template <typename... Args>
  void require(bool condition, fmt::format_string<Args...> text, Args&&... args) {
    if (!condition) found.push_back(fmt::format(text, std::forward<Args>(args)...));
  }
  template <typename Test>
  void collect(const Test& test) {
    try {
      test();
    } catch (const core::Error& error) {
      found.emplace_back(error.what());
    }
  }
};

} // namespace

io::ImageSearch InputOptions::image_search() const {
  io::ImageSearch search;
  for (const std::string& map : maps) search.maps.push_back(io::parse_path_map(map));
  search.folders = search_paths;
  return search;
}

void StillsOptions::declare(OptionSet& set) {
  declare_input(set, input);
  declare_dispatch(set, still, input);
  set.add("dispatch.check", check,
          "A dry run: say all that is wrong and what would be done, and stop.");
  set.add_flag("--check", "dispatch.check",
               "say all that is wrong and what would be done, and stop");
  declare_output(set, output);
  declare_geometry(set, geometry);
  declare_threshold(set, still.spotfinder);
  declare_spot_filters(set, still.spotfinder.filter);
  set.add("spotfinder.lookup.mask", spotfinder_mask,
          "A mask besides the images' own, for spot finding: file.h5 or file.h5:/path/of/dataset.");
  declare_indexing(set, *this);
  declare_refinement(set, still.indexing.refinement);
  declare_integration(set, still.integration);
  declare_pixel_model(set, pixel_model, still.pixel_model);
  set.add("integration.lookup.mask", integration_mask,
          "A mask besides the images' own, for integration: file.h5 or file.h5:/path/of/dataset.");
  set.add(
      "dispatch.resume", resume,
      "Process what output.output_dir has no results of yet, with the options of the run before; "
      "do nothing if that is nothing.");
  set.add_flag("--resume", "dispatch.resume", "go on with the run in output.output_dir");
  set.add("dispatch.collect", collect,
          "Process nothing: make .expt and .refl files, ledger and report of the results in this "
          "folder.");
  set.add_flag("--collect", "dispatch.collect",
               "make the files of a run that was killed from its shards");
  set.add("dispatch.batch_size", batch_size,
          "Images that a rank is handed at once; None = by the time that they take. Results do not "
          "depend on it.");
  set.add(
      "dispatch.timeout", timeout,
      "An image that takes longer (seconds) is given up with the exit state timeout and the run "
      "goes on; None = images may take any time.");
  declare_fixed(set);
  declare_without_effect(set, without_effect);
}

std::vector<std::string> StillsOptions::problems() const {
  Problems all;
  all.require(input.process_percent > 0 && input.process_percent <= 100,
              "dispatch.process_percent={} is out of range (1 to 100 is possible)",
              input.process_percent);
  all.require(!input.max_images || *input.max_images > 0,
              "input.max_images={} leaves nothing to do (give 1 or more, or None)",
              input.max_images.value_or(0));
  // The spot finder itself says what it cannot do.
  all.collect([&] { [[maybe_unused]] const spotfinding::SpotFinder tried(still.spotfinder); });
  all.collect([&] { validate_spot_filter(still.spotfinder.filter); });
  all.require(!geometry.distance || *geometry.distance > 0,
              "geometry.detector.distance={} must be above 0 (mm)", geometry.distance.value_or(0));
  all.require(!geometry.wavelength || *geometry.wavelength > 0,
              "geometry.beam.wavelength={} must be above 0 (angstrom)",
              geometry.wavelength.value_or(0));
  all.require(!batch_size || *batch_size > 0, "dispatch.batch_size={} must be 1 or more, or None",
              batch_size.value_or(0));
  all.require(!timeout || (*timeout > 0 && *timeout < 1e7),
              "dispatch.timeout={} must be above 0 and below 1e7 (s), or None",
              timeout.value_or(0));
  all.require(output.write_index.empty() || output.write_index.ends_with(io::event_index_suffix),
              "output.write_index={} should end in {} (that is how it is told from images)",
              output.write_index, io::event_index_suffix);
  if (!output.write_index.empty()) all.collect([&] { require_place_of_index(output); });
  all.require(!output.directory.empty(), "output.output_dir must be a folder, not None");
  all.require(still.find_spots || !still.index,
              "dispatch.index needs spots (dispatch.find_spots is False) set dispatch.index=False "
              "too?");
  all.collect([&] { require_file(without_dataset(spotfinder_mask), "spotfinder.lookup.mask"); });
  all.collect([&] { require_file(without_dataset(integration_mask), "integration.lookup.mask"); });
  all.collect([&] { require_file(input.reference_geometry, "input.reference_geometry"); });
  all.collect([&] { require_file(input.file_list, "input.file_list"); });
  all.collect([&] { require_search(input); });
  all.collect([&] { require_pair(output.integrated, output.integrated_experiments); });
  all.collect([&] { validate_known_symmetry(*this); });
  all.collect([&] { validate_pixel_model(pixel_model, still.pixel_model); });
  const auto& hits = still.hit_finder;
  const int fewest = hits.minimum_number_of_reflections.value_or(0);
  const int most = hits.maximum_number_of_reflections.value_or(fewest);
  all.require(!hits.enable || fewest <= most,
              "dispatch.hit_finder lets no image pass (minimum_number_of_reflections={} is above "
              "maximum_number_of_reflections={}) are they exchanged?",
              fewest, most);
  return std::move(all.found);
}

void StillsOptions::validate() const {
  const auto found = problems();
  core::require(found.empty(), "{}", found.empty() ? std::string() : found.front());
}

} // namespace kilobragg::programs
