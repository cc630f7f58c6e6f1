// Integrated stills to merged structure factors; see `merge --help`.
#include "kilobragg/programs/merge.hpp"

int main(int argc, char** argv) { return kilobragg::programs::merge(argc, argv); }
