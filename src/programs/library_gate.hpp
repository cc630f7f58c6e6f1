// One thread of a rank at a time may use the libraries that know nothing of threads (HDF5, libcbf).
#pragma once

#include "kilobragg/core/error.hpp"

#include <mutex>
#include <optional>

namespace kilobragg::programs {

/// The libraries can never be used again: a thread that was given up hangs in them.
class LibraryHangs : public core::Error {
public:
  using core::Error::Error;
};

/// The right to use them, for as long as it lives.
class LibraryPass {
public:
  /// Waits until they are free.
  LibraryPass();
  /// None while another thread uses them. Throws LibraryHangs if that one was given up.
  static std::optional<LibraryPass> if_free();
  /// Whoever uses them now was given up.
  static void give_up_holder();

private:
  explicit LibraryPass(std::unique_lock<std::mutex>&& lock);
  std::unique_lock<std::mutex> lock_;
};

} // namespace kilobragg::programs
