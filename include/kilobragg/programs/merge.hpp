// The program merge: integrated stills in, merged intensities out.
#pragma once

namespace kilobragg::programs {

/// Runs merge with the arguments of main(). Returns the exit status: 0 = merged, 1 = could not, 2 =
/// wrong options.
int merge(int argc, char** argv);

} // namespace kilobragg::programs
