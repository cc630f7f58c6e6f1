// Diffraction stills with known truth; see `simulate_stills --help`.
#include "kilobragg/programs/simulate.hpp"

int main(int argc, char** argv) { return kilobragg::programs::simulate_stills(argc, argv); }
