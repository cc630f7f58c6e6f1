// The program merge: integrated stills in, merged intensities out.
#pragma once

#include "kilobragg/parallel/communicator.hpp"

#include <string>
#include <vector>

namespace kilobragg::programs {

/// Runs merge with the arguments of main(). Returns the exit status: 0 = merged, 1 = could not, 2 =
/// wrong options or inputs, 3 = nothing was left to merge.
int merge(int argc, char** argv);

/// The same on a given group of ranks, all of which call it; `arguments` as on the command line,
/// without the program's name. Throws core::Error where the program would end with another status than
/// 0.
void merge_with(const parallel::Communicator& communicator,
                const std::vector<std::string>& arguments);

} // namespace kilobragg::programs
