// --check: a dry run on one rank that says all that is wrong, and what would be done.
#pragma once

#include "check_inputs.hpp"

#include "kilobragg/core/options.hpp"

namespace kilobragg::programs {

/// Where the run was started.
struct CheckPlace {
  int ranks = 1, hosts = 0; ///< hosts: 0 = not known
  bool resume = false;      ///< the run would continue what lies in the output folder
};

/// Hosts of this job as Slurm or Open MPI say in the environment; 0 if they do not.
int hosts_of_job();

/// Looks at options, files, geometries, masks, symmetry, a sample of images, and the output folder.
/// Changes nothing but a temporary folder. Does not throw for what users can get wrong: all of it is
/// in the report. `options` bound to `set`, not yet validated.
CheckReport check(const StillsOptions& options, const core::OptionSet& set, const CheckPlace& place,
                  const CheckLimits& limits = {});

/// The report as text, ending in "would process N images on M ranks" or "N problems".
std::string format_check(const CheckReport& report);

/// check() printed to standard output. Returns the exit status: 0 would run, 2 problems.
int check_run(const StillsOptions& options, const core::OptionSet& set, const CheckPlace& place);

} // namespace kilobragg::programs
