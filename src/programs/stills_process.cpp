// The event loop of stills_process.
#include "kilobragg/programs/stills_process.hpp"

namespace kilobragg::programs {

int stills_process(int, char**) { return 0; }

} // namespace kilobragg::programs
