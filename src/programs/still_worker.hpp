// A rank that processes batches: every image goes to the shard before the next is taken.
#pragma once

#include "batch_messages.hpp"
#include "step_log.hpp"
#include "watched_processor.hpp"

#include "kilobragg/io/shard.hpp"
#include "kilobragg/programs/stills_options.hpp"

#include <functional>
#include <optional>
#include <string>

namespace kilobragg::programs {

/// One line about a finished image: tag, exit state, and what was found.
std::string state_line(const std::string& tag, const models::StillResult& result);

/// Processes batches and appends each image to the shard before it takes the next.
class StillWorker {
public:
  struct Setup {
    int rank = 0;
    std::string shard, run; ///< path of the shard and its header record
    bool report_lines =
        false; ///< a line and the details of every image with the reports, not only of those that could not be read
    bool report_ranges = false;       ///< where frames lie, with the reports
    std::function<int()> stop_signal; ///< asked between images: not 0 = give the rest back
  };
  /// The shard is opened with the first batch, so that ranks that only serve leave none.
  StillWorker(const StillsOptions& options, StepLog& log, Setup setup);
  /// A packed Batch to a packed BatchReport.
  BatchReport work(const std::string& batch);
  void close_shard() { writer_.reset(); }

private:
  void finish(const Task& task, TaskResult&& done, BatchReport& report);

  StepLog& log_;
  Setup setup_;
  std::string host_;
  BatchReceiver receiver_;
  WatchedProcessor processor_;
  std::optional<io::ShardWriter> writer_;
};

} // namespace kilobragg::programs
