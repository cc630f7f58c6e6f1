// What a rank does with one event: read the frame, and run the stages on it.
#pragma once

#include "batch_messages.hpp"

#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/models/still_result.hpp"
#include "kilobragg/programs/stills_options.hpp"

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// An event with its source, ready to be processed.
struct Task {
  std::shared_ptr<const SourceInfo> source;
  BatchEvent event;
};

/// What became of it.
struct TaskResult {
  models::StillResult still;
  std::vector<io::FileRange> ranges; ///< where the frame lies; empty = unknown
};

/// A failed image that was never read.
models::StillResult unread_still(const Task& task, models::ExitState state,
                                 const std::string& message);

/// Keeps files open and scratch allocated from event to event. Not shared between threads.
class EventProcessor {
public:
  explicit EventProcessor(const StillsOptions& options);
  /// Every failure is an exit state (unless dispatch.squash_errors is off). `reading` is true while
  /// the frame is read, which can hang where computing cannot.
  TaskResult process(const Task& task, std::atomic<bool>& reading,
                     const std::function<void(const std::string&)>& step);

private:
  /// An open source and what is derived from it once.
  struct Open {
    std::shared_ptr<const SourceInfo> info;
    std::unique_ptr<io::ImageReader> reader;
    /// The detector of the last frame, and as the options want it for this direction of the beam.
    std::shared_ptr<const models::Detector> own, adjusted;
    Vec3 direction;
  };
  /// A lookup.mask joined with the mask of the images; made once for images with the same mask.
  struct JoinedMask {
    std::shared_ptr<const SharedGeometry> geometry;
    std::shared_ptr<const models::PixelMask> own, joined;
  };
  TaskResult read_and_process(const Task& task, std::atomic<bool>& reading,
                              const std::function<void(const std::string&)>& step);
  Open& open(const std::shared_ptr<const SourceInfo>& info);
  std::shared_ptr<const models::Detector> detector_of(Open& open, const Task& task,
                                                      const models::Beam& beam) const;
  models::Beam beam_of(const Open& open, const Task& task) const;
  std::shared_ptr<const models::PixelMask> mask(JoinedMask& joined, const SourceInfo& source,
                                                const std::string& packed) const;

  const StillsOptions& options_;
  pipeline::StillProcessor processor_;
  std::list<Open> open_; ///< the last used first
  models::Image image_;  ///< its buffer is used again
  JoinedMask spotfinder_mask_, integration_mask_;
};

} // namespace kilobragg::programs
