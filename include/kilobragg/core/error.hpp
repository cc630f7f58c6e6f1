// Errors that a user can act on: "problem (why) suggestion?".
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace kilobragg::core {

/// What a user did or has that cannot work: a wrong option, a broken file, a missing geometry.
/// The text reads "problem (why) suggestion?" and names file, frame and option where known.
class Error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Throws Error with a formatted text.
template <typename... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw Error(fmt::format(text, std::forward<Args>(args)...));
}

/// Throws Error unless `condition` holds; for what users can get wrong, always checked.
template <typename... Args>
void require(bool condition, fmt::format_string<Args...> text, Args&&... args) {
  if (!condition) fail(text, std::forward<Args>(args)...);
}

} // namespace kilobragg::core
