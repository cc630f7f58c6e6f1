// A value that a file may lack: there, or the reason why it is not.
#pragma once

#include "kilobragg/core/error.hpp"

#include <optional>
#include <string>

namespace kilobragg::io {

/// Geometry and beam may come from elsewhere, so a file that lacks them is opened all the same and the
/// reason is thrown only when they are asked for.
template <typename T>
struct Attempt {
  std::optional<T> value;
  std::string why;
  const T& get() const {
    if (!value) throw core::Error(why);
    return *value;
  }
};

template <typename Make>
auto attempt(const Make& make) {
  Attempt<decltype(make())> result;
  try {
    result.value = make();
  } catch (const core::Error& error) {
    result.why = error.what();
  }
  return result;
}

} // namespace kilobragg::io
