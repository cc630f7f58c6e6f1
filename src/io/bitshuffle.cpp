// Bitshuffle-LZ4 and plain LZ4 chunks: bit transposes in AVX2 and portable form over liblz4.
#include "kilobragg/io/bitshuffle.hpp"
