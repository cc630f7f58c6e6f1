// The options of stills_process: one struct with every parameter, bound to DIALS's phil paths.
#pragma once

#include "kilobragg/core/options.hpp"
#include "kilobragg/io/image_finder.hpp"
#include "kilobragg/pipeline/process_still.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// input.*
struct InputOptions {
  std::vector<std::string> paths; ///< positional arguments
  std::vector<std::string> globs, image_tags;
  std::vector<std::string> maps, search_paths; ///< where moved images are
  std::string file_list, reference_geometry;
  bool show_image_tags = false, ignore_gain_mismatch = false;
  std::optional<int> max_images;
  int process_percent = 100; ///< dispatch.process_percent

  /// Where to look for images of an .expt. Throws core::Error for a map that is none.
  io::ImageSearch image_search() const;
};

/// geometry.*
struct GeometryOptions {
  std::optional<double> distance;   ///< mm; moves every panel along the beam
  std::optional<double> wavelength; ///< angstrom, for every image
};

/// output.* and mp.debug.*; %s in names becomes idx-NNNN
struct OutputOptions {
  std::string directory = ".", logging_dir;
  std::string strong = "%s_strong.refl", indexed = "%s_indexed.refl";
  std::string refined = "%s_refined.expt";
  std::string integrated = "%s_integrated.refl", integrated_experiments = "%s_integrated.expt";
  std::string stream; ///< one for the run; empty = not written
  bool debug_logs = false;
  std::string report =
      "report.html";       ///< output.report_filename, in the output folder; empty = none
  bool ledger = true;      ///< output.ledger
  std::string write_index; ///< event index to save, empty = none
};

/// pixel_model.*, for integration.integrator=pixel_model; the rest of it is in StillParams
struct PixelModelOptions {
  bool wanted = false;
  std::string mtz_file, mtz_column;
  double relative_sigma = 0.2; ///< of amplitudes without an error in the file
};

struct StillsOptions {
  InputOptions input;
  GeometryOptions geometry;
  OutputOptions output;
  bool check = false; ///< dispatch.check: a dry run
  std::string spotfinder_mask, integration_mask;
  std::string collect;                 ///< dispatch.collect: an output folder to bring to its end
  bool resume = false;                 ///< dispatch.resume
  std::optional<double> timeout = 300; ///< dispatch.timeout: the most that an image may take (s)
  std::optional<int> batch_size; ///< dispatch.batch_size: images handed out at once; none = by time
  bool has_cell = false, has_space_group = false; ///< known_symmetry.* were given
  PixelModelOptions pixel_model;
  pipeline::StillParams still; ///< without structure factors: load_pixel_model() brings them
  /// Options that other programs have and that change nothing here, with what was asked for.
  std::map<std::string, std::string> without_effect;

  /// Declares every option in `set`, bound to this object, which must outlive it.
  void declare(core::OptionSet& set);
  /// Values that contradict each other or cannot work, each as "problem (why) suggestion?".
  std::vector<std::string> problems() const;
  /// Throws core::Error with the first of the problems, before work starts.
  void validate() const;
};

} // namespace kilobragg::programs
