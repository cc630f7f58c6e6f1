// simulate_stills: a run of images with known truth.
#pragma once

#include "kilobragg/parallel/communicator.hpp"
#include "kilobragg/programs/simulate_params.hpp"

#include <string>
#include <utility>

namespace kilobragg::programs {

/// Images [first, second) of `rank` of `ranks`: contiguous blocks, sizes differing by at most one.
std::pair<int, int> image_block(int n_images, int rank, int ranks);

/// Name of the image file of a rank, without folder: "<prefix>_0000.h5".
std::string image_file_name(const SimulateParams& params, int rank);

/// Name of the file over those of all ranks: "<prefix>_master.h5".
std::string master_file_name(const SimulateParams& params);

/// Simulates all images: each rank writes its block, the first also <prefix>_master.h5 and
/// <prefix>_truth.{expt,json,mtz}.
/// Collective. Throws core::Error.
void simulate_run(const SimulateParams& params, const parallel::Communicator& communicator);

/// Runs simulate_stills with the arguments of main(). Returns the exit status: 0 = done,
/// 1 = could not run, 2 = wrong options or inputs.
int simulate_stills(int argc, char** argv);

} // namespace kilobragg::programs
