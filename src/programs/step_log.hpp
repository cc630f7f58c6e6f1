// Per-rank detail on request: the step lines of debug_<rank>.txt and the words of each image.
#pragma once

#include "kilobragg/models/still_result.hpp"

#include <fstream>
#include <string>

namespace kilobragg::programs {

/// Writes lines "host,tag,timestamp,state,message", flushed one by one: the last line of a rank
/// that hangs or dies tells where. Does nothing until opened.
class StepLog {
public:
  /// debug_<rank>.txt in `directory`, which is made if absent. `append`: a run goes on, and what it
  /// wrote before stays. Throws core::Error.
  void open_steps(const std::string& directory, int rank, bool append);
  /// log_rankNNNN.out in `directory`.
  void open_details(const std::string& directory, int rank, bool append);

  void begin(const std::string& tag);
  void step(const std::string& message) { write("    ", message); }
  /// The last line of an image, with the state stop, fail or done that goes with its exit state.
  void end(const models::StillResult& result);

private:
  void write(const char* state, const std::string& message);

  std::ofstream steps_, details_;
  std::string host_, tag_;
};

/// What users look for in a still's log: RMSD, mosaicity, reflections by I/sigma.
std::string still_details(const models::StillResult& result);

} // namespace kilobragg::programs
