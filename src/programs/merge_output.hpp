// What merge writes: MTZ of all, odd and even lattices, and a JSON with the facts of the run.
#pragma once

#include "merge_options.hpp"

#include "kilobragg/merging/statistics.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// What the MTZ needs besides the merged indices.
struct OutputFrame {
  models::UnitCell cell;
  models::SpaceGroup space_group;
  double wavelength = 0;
  std::vector<std::string> history; ///< of inputs and options alone
};

/// "<dir>/<prefix>_<set>.mtz"
std::string mtz_path(const MergeOptions& options, const std::string& set);

/// Writes one set; indices outside the resolution range or measured too seldom are left out.
/// Returns the number of indices written, Bijvoet mates counted apart.
std::int64_t write_set(const std::vector<merging::MergedIndex>& merged,
                       const merging::ResolutionShells& shells, merging::SetChoice choice,
                       const OutputFrame& frame, const MergeOptions& options,
                       const std::string& path);

/// Lines for the MTZ history, each within 80 characters.
std::vector<std::string> history_lines(const std::vector<std::string>& facts);

/// Everything worth keeping about a run that must not be in the MTZ.
struct RunFacts {
  std::string options_phil;
  std::vector<std::string> files;
  int ranks = 1;
  std::map<std::string, std::int64_t> counts; ///< lattices and observations: read, rejected, merged
  std::map<std::string, double> scaling;
  std::map<std::string, double> truth;
  double seconds = 0;
};
void write_run_json(const RunFacts& facts, const OutputFrame& frame,
                    const merging::ResolutionShells& shells,
                    const merging::IntensityTable& intensities,
                    const merging::AgreementTable& agreement, const std::string& path);

} // namespace kilobragg::programs
