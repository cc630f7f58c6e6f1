// Finding, sharing out and reading the integrated files of a merge.
#pragma once

#include "merge_options.hpp"

#include "kilobragg/models/experiment.hpp"
#include "kilobragg/parallel/communicator.hpp"

#include <map>
#include <string>
#include <vector>

namespace kilobragg::programs {

struct FilePair {
  std::string experiments, reflections;
  /// Of a list of shots: which experiments of the file are in it, and their spectrum files.
  std::map<int, std::string> spectra = {};
  bool whole = true; ///< all experiments, not only those in `spectra`
};

/// Every .expt that the paths name, with its .refl, sorted by name. Throws core::Error if nothing
/// matches or an .expt has no .refl.
std::vector<FilePair> find_pairs(const MergeOptions& options);

/// The same for a list of shots (input.exp_ref_spec).
std::vector<FilePair> pairs_of_list(const std::string& list);

/// The pairs of one rank: by size, so that ranks get about the same number of bytes.
std::vector<FilePair> share_of(const std::vector<FilePair>& pairs, int rank, int ranks);

/// The experiments of one pair. Averaging has no use for detectors, and they are dropped unless pixels
/// are to be refined.
struct LoadedExperiments {
  FilePair files;
  std::vector<models::Experiment> experiments;
  std::vector<models::Spectrum> spectra; ///< of each experiment, from a list of shots; else empty

  /// False for what a list of shots does not name.
  bool takes(std::size_t experiment) const {
    return files.whole || files.spectra.contains(static_cast<int>(experiment));
  }
  /// Calls visit(experiment) for each that it takes.
  template <typename Visit>
  void for_each_taken(const Visit& visit) const {
    for (std::size_t e = 0; e < experiments.size(); ++e)
      if (takes(e)) visit(experiments[e]);
  }
};
std::vector<LoadedExperiments> load_experiments(const std::vector<FilePair>& pairs,
                                                bool keep_detectors);

/// Reads the reflections of every pair and appends them, lattice by lattice. Throws core::Error on
/// missing columns and identifiers that do not match.
merging::ConversionCounts load_observations(const std::vector<LoadedExperiments>& loaded,
                                            const merging::ConversionParams& params,
                                            merging::Observations& observations);

} // namespace kilobragg::programs
