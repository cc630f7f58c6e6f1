// Results of one still as DIALS's reflection tables and experiments.
#pragma once

#include "kilobragg/models/experiment.hpp"
#include "kilobragg/models/reflection_table.hpp"
#include "kilobragg/models/still_result.hpp"

#include <vector>

namespace kilobragg::io {

/// Lattice number in the identifier of an experiment that is an image without a crystal.
inline constexpr int no_lattice = -1;

/// Whether the state leaves something for each kind of file. An image whose integration failed
/// still has its refined lattices.
bool has_strong(const models::StillResult& result);
bool has_refined(const models::StillResult& result);
bool has_integrated(const models::StillResult& result);

/// All tables have the columns, types and units that dials.stills_process 3.12 writes for them, also
/// with no rows. The column "id" and the identifiers count this still's experiments from 0.

/// Strong spots; shoeboxes hold the strong pixels (Valid | Foreground), zeros elsewhere.
models::ReflectionTable strong_table(const models::StillResult& result);
/// Indexed spots of every lattice. `imageset` is the position of the image in the .expt.
models::ReflectionTable indexed_table(const models::StillResult& result, std::int32_t imageset = 0);
/// Integrated reflections of the lattices that have any.
models::ReflectionTable integrated_table(const models::StillResult& result);

/// The experiments that the ids of each table count: the image; its lattices; those with
/// reflections.
models::Experiment strong_experiment(const models::StillResult& result);
std::vector<models::Experiment> refined_experiments(const models::StillResult& result);
std::vector<models::Experiment> integrated_experiments(const models::StillResult& result);

} // namespace kilobragg::io
