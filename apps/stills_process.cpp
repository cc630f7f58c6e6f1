// Diffraction stills to integrated intensities; see `stills_process --help`.
#include "kilobragg/programs/stills_process.hpp"

int main(int argc, char** argv) { return kilobragg::programs::stills_process(argc, argv); }
