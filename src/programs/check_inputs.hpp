// The inputs of a dry run: which files open, which geometries they hold, whether frames can be read.
#pragma once

#include "check_report.hpp"

#include "kilobragg/io/event_index.hpp"
#include "kilobragg/io/reference_geometry.hpp"
#include "kilobragg/models/image.hpp"
#include "kilobragg/programs/stills_options.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// Time for files: with thousands of them some are looked at, spread over all.
struct CheckLimits {
  double header_seconds = 20; ///< for opening files
  double pixel_seconds = 10;  ///< for reading one frame of each opened file
  double sample_seconds = 20; ///< for processing some images
  int samples = 8;            ///< images processed
  double shard_seconds = 10;  ///< for reading the results of an earlier run
};

/// Files with the same detector in the same place.
struct GeometryGroup {
  std::size_t files = 0;
  std::string first_file;
  std::shared_ptr<const models::Detector> detector; ///< as the run would use it
  std::shared_ptr<const models::ImageLayout> layout;
  models::Beam beam; ///< of the first frame
  double shortest_wavelength = 0, longest_wavelength = 0;
};

struct InputSurvey {
  std::size_t opened = 0;
  std::vector<GeometryGroup> geometries;          ///< without those that have problems
  std::map<std::string, std::size_t> pixel_kinds; ///< files by kind of pixel
  std::map<std::string, std::size_t> masked;      ///< files by masked part
};

/// The reference geometry if the options name one; none, and a problem, if it cannot be read.
std::optional<io::ReferenceGeometry> check_reference(const StillsOptions& options,
                                                     CheckReport& report);

/// Opens the sources of the index, as many as the limits allow, and says what they hold.
InputSurvey check_inputs(const StillsOptions& options, const io::EventIndex& index,
                         const std::optional<io::ReferenceGeometry>& reference,
                         const CheckLimits& limits, CheckReport& report);

/// The masks that the options name, against every geometry.
void check_masks(const StillsOptions& options, const InputSurvey& survey, CheckReport& report);

/// 0 .. n-1 so ordered that any first part is spread over the whole range.
std::vector<std::size_t> spread_order(std::size_t n);

} // namespace kilobragg::programs
