// The mutex behind the gate.
#include "library_gate.hpp"

#include <atomic>
#include <utility>

namespace kilobragg::programs {
namespace {

std::atomic<bool> holder_given_up = false;

std::mutex& gate() {
  static std::mutex mutex;
  return mutex;
}

} // namespace

LibraryPass::LibraryPass()
    : lock_(gate()) {}

LibraryPass::LibraryPass(std::unique_lock<std::mutex>&& lock)
    : lock_(std::move(lock)) {}

std::optional<LibraryPass> LibraryPass::if_free() {
  std::unique_lock lock(gate(), std::try_to_lock);
  if (lock) return LibraryPass(std::move(lock));
  if (holder_given_up)
    throw LibraryHangs("the first rank cannot look at more inputs: it hangs in a read");
  return std::nullopt;
}

void LibraryPass::give_up_holder() { holder_given_up = true; }

} // namespace kilobragg::programs
