// The main job: images in, integrated stills out, over any number of ranks.
#pragma once

namespace kilobragg::programs {

/// Runs stills_process with the arguments of main(). Returns the exit status: 0 = ran to the end
/// (bad images are counted, not fatal), 1 = could not run, 2 = wrong options.
int stills_process(int argc, char** argv);

} // namespace kilobragg::programs
