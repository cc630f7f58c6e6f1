// Failing together: an error on one rank becomes the same error on all, so that a job ends in order.
#pragma once

#include "kilobragg/core/error.hpp"
#include "kilobragg/parallel/communicator.hpp"

#include <functional>
#include <string>

namespace kilobragg::parallel {

/// An error that every rank of a group throws at the same place.
class CommonError : public core::Error {
public:
  CommonError(const std::string& text, int status)
      : core::Error(text)
      , status_(status) {}
  /// Exit status with which the program should end.
  int status() const { return status_; }

private:
  int status_;
};

/// Runs `work` on every rank. If it throws core::Error on any, all ranks throw CommonError with the
/// text of the lowest such rank and `status`. Collective: `work` does not communicate, or fails on
/// all ranks alike.
void together(const Communicator& communicator, int status, const std::function<void()>& work);

/// Runs a program's body on every rank; a CommonError is said once, as "program: text", and its
/// status returned, so that all ranks end without an abort.
int end_together(const Communicator& communicator, const char* program,
                 const std::function<int()>& body);

} // namespace kilobragg::parallel
