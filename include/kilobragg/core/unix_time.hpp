// The time of day as one number.
#pragma once

#include <chrono>

namespace kilobragg::core {

/// Seconds since 1970, as the clock of this machine has them.
inline double unix_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

} // namespace kilobragg::core
