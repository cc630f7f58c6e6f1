// The mutex behind the gate.
#include "library_gate.hpp"

#include <fmt/format.h>

#include <chrono>

namespace kilobragg::programs {
namespace {

std::timed_mutex& gate() {
  static std::timed_mutex mutex;
  return mutex;
}

} // namespace

LibraryPass::LibraryPass(std::optional<double> timeout)
    : lock_(gate(), std::defer_lock) {
  if (!timeout)
    lock_.lock();
  else if (!lock_.try_lock_for(std::chrono::duration<double>(*timeout)))
    throw LibraryHangs(fmt::format(
        "the first rank cannot look at more inputs: it hangs in a read since {} s", *timeout));
}

} // namespace kilobragg::programs
