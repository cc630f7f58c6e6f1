// How long something took, by the clock and by the CPU.
#pragma once

#include <chrono>
#include <ctime>

namespace kilobragg::programs {

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// CPU time of this process so far.
inline double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

} // namespace kilobragg::programs
