// One thread of a rank at a time may use the libraries that know nothing of threads (HDF5, libcbf).
#pragma once

#include "kilobragg/core/error.hpp"

#include <mutex>
#include <optional>

namespace kilobragg::programs {

/// The libraries cannot be used: who uses them hangs.
class LibraryHangs : public core::Error {
public:
  using core::Error::Error;
};

/// The right to use them, for as long as it lives.
class LibraryPass {
public:
  /// Throws LibraryHangs if another thread does not come back within `timeout` (s; none = wait for
  /// ever): it hangs in a read.
  explicit LibraryPass(std::optional<double> timeout = {});

private:
  std::unique_lock<std::timed_mutex> lock_;
};

} // namespace kilobragg::programs
