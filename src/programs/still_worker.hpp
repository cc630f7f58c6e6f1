// What a rank does with the events it is handed: open, read, process, append, report.
#pragma once

#include "step_log.hpp"

#include "kilobragg/io/event_index.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/reference_geometry.hpp"
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
  /// Readers give the geometry of `reference` if there is one.
  explicit ReaderCache(std::optional<io::ReferenceGeometry> reference = {}, std::size_t most = 8)
      : reference_(std::move(reference))
      , most_(most) {}
  /// A reader and the detector to use for its images, which whoever opens it sets.
  struct Open {
    std::string key;
    std::unique_ptr<io::ImageReader> reader;
    std::shared_ptr<const models::Detector> detector;
  };
  /// Throws core::Error if the file cannot be opened, or the reference does not fit it.
  Open& get(const io::FrameSource& source);

private:
  std::optional<io::ReferenceGeometry> reference_;
  std::size_t most_;
  std::list<Open> entries_;
};

/// A lookup.mask joined with the masks of images; made once for images with the same mask.
class LookupMask {
public:
  explicit LookupMask(std::string path)
      : path_(std::move(path)) {}
  /// Null without a path. Throws core::Error if the mask does not fit the image.
  std::shared_ptr<const models::PixelMask> for_image(const models::Image& image);

private:
  std::string path_;
  std::shared_ptr<const models::ImageLayout> layout_;
  std::shared_ptr<const models::PixelMask> own_, joined_;
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
  /// `reference` replaces the images' own geometry if given. The shard is made with the first
  /// event, so that ranks that only serve leave none.
  StillWorker(const StillsOptions& options, const io::EventIndex& index,
              std::optional<io::ReferenceGeometry> reference, StepLog& log, Shard shard);
  /// Whether reports hold the details of each still besides its line.
  void report_details(bool on) { report_details_ = on; }
  BatchReport work(std::int64_t first, std::int64_t count);
  /// Closes the shard; returns its path, empty if this rank had no event.
  std::string close_shard();

private:
  models::StillResult process(const io::Event& event);
  models::StillResult read_and_process(const io::Event& event);
  std::shared_ptr<const models::Detector> adjusted_detector(const io::ImageReader& reader);

  const StillsOptions& options_;
  const io::EventIndex& index_;
  StepLog& log_;
  ReaderCache readers_;
  pipeline::StillProcessor processor_;
  Shard shard_;
  std::optional<io::ShardWriter> writer_;
  bool report_details_ = false;
  models::Image image_; ///< its buffer is used again
  LookupMask spotfinder_mask_, integration_mask_;
};

} // namespace kilobragg::programs
