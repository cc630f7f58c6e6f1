// Makes an error of one rank one of all ranks.
#include "kilobragg/parallel/together.hpp"

#include <cstdio>

namespace kilobragg::parallel {

void together(const Communicator& communicator, int status, const std::function<void()>& work) {
  std::string problem;
  bool failed = false;
  try {
    work();
  } catch (const CommonError&) {
    throw; // on all ranks already
  } catch (const core::Error& error) {
    problem = error.what();
    failed = true;
  }
  if (!communicator.any(failed)) return; // the texts of all ranks cost as many messages
  for (const std::string& text : communicator.all_gather(problem))
    if (!text.empty()) throw CommonError(text, status);
}

int end_together(const Communicator& communicator, const char* program,
                 const std::function<int()>& body) {
  try {
    return body();
  } catch (const CommonError& error) {
    if (communicator.is_root()) std::fprintf(stderr, "%s: %s\n", program, error.what());
    return error.status();
  }
}

} // namespace kilobragg::parallel
