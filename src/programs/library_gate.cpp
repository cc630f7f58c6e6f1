// The mutex behind the gate.
#include "library_gate.hpp"

#include "kilobragg/core/error.hpp"

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
    core::fail("the first rank cannot look at more inputs (it hangs in a read since {} s) go on by "
               "--resume when the file system answers again?",
               *timeout);
}

} // namespace kilobragg::programs
