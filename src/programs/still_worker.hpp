// What a rank does with the events it is handed: open, read, process, append, report.
#pragma once

#include "step_log.hpp"

#include "kilobragg/io/event_index.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/shard.hpp"
#include "kilobragg/programs/stills_options.hpp"
#include "kilobragg/report/run_summary.hpp"

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// Open readers, the most recently used first; the oldest is closed when there are too many.
class ReaderCache {
public:
  explicit ReaderCache(std::size_t most = 8)
      : most_(most) {}
  /// Throws core::Error if the file cannot be opened.
  io::ImageReader& get(const io::FrameSource& source);

private:
  struct Entry {
    std::string key;
    std::unique_ptr<io::ImageReader> reader;
  };
  std::size_t most_;
  std::list<Entry> entries_;
};

/// The report that goes to the first rank with the next request: totals and a line per image.
struct BatchReport {
  report::RunSummary summary;
  std::vector<std::string> lines;

  std::string pack() const;
  static BatchReport unpack(const std::string& bytes);
};

/// One line about a finished image: tag, exit state, and what was found.
std::string state_line(const std::string& tag, const models::StillResult& result);

/// Processes events one by one and appends each to the shard before it takes the next.
class StillWorker {
public:
  /// Where results go: the path of the shard and its header record.
  struct Shard {
    std::string path, run;
  };
  /// `reference` replaces the images' own detector if not null. The shard is made with the first
  /// event, so that ranks that only serve leave none.
  StillWorker(const StillsOptions& options, const io::EventIndex& index,
              std::shared_ptr<const models::Detector> reference, StepLog& log, Shard shard);
  BatchReport work(std::int64_t first, std::int64_t count);
  /// Closes the shard; returns its path, empty if this rank had no event.
  std::string close_shard();

private:
  models::StillResult process(const io::Event& event);
  models::StillResult read_and_process(const io::Event& event);
  std::shared_ptr<const models::Detector> detector_of(const io::ImageReader& reader);

  const StillsOptions& options_;
  const io::EventIndex& index_;
  std::shared_ptr<const models::Detector> reference_;
  StepLog& log_;
  ReaderCache readers_;
  pipeline::StillProcessor processor_;
  Shard shard_;
  std::optional<io::ShardWriter> writer_;
  /// The last detector seen and what geometry.* made of it, so that images share one model.
  std::shared_ptr<const models::Detector> seen_, adjusted_;
};

} // namespace kilobragg::programs
