// The sample of a merge: its cell and space group, from options, model or experiments; references.
#pragma once

#include "merge_input.hpp"

#include "kilobragg/merging/reference_scaling.hpp"
#include "kilobragg/models/symmetry.hpp"
#include "kilobragg/parallel/communicator.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// Reference intensities with the symmetry of their file.
struct Reference {
  models::UnitCell cell;
  models::SpaceGroup space_group;
  merging::ReferenceTable table;
};
/// Reads an MTZ, or coordinates as intensities to `d_min`, on the first rank; all get it. Collective.
Reference load_reference(const parallel::Communicator& communicator, const std::string& path,
                         const std::string& column, const MergeOptions& options, double d_min);

struct Sample {
  models::UnitCell cell;
  models::SpaceGroup space_group;
  std::string cell_source, group_source; ///< for the log
};
/// Cell: scaling.unit_cell, else the model's, else the median of all experiments. Group likewise; from
/// experiments only if all agree. Collective. Throws core::Error on contradictions, among them a
/// model in another Patterson group.
Sample decide_sample(const parallel::Communicator& communicator, const MergeOptions& options,
                     const std::vector<LoadedExperiments>& loaded,
                     const std::optional<Reference>& model);

} // namespace kilobragg::programs
