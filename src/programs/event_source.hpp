// Which events of the index a run processes, and the batches in which they are handed out.
#pragma once

#include "kilobragg/io/event_index.hpp"
#include "kilobragg/programs/stills_options.hpp"

#include <optional>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// Tag of an event: file stem and, where the file has several frames, "_" and the frame counted
/// from 0 in five digits.
std::string event_tag(const io::EventIndex& index, const io::Event& event);

/// All paths that the options name: positional, globs, lines of the file list. Throws core::Error
/// if there are none.
std::vector<std::string> input_paths(const InputOptions& options);

/// Builds the index and keeps what image_tag, process_percent and max_images leave. Each input that
/// cannot be opened becomes one event of a source without frames, so that a worker records it like
/// any other image; these sources stand at the end, in the order of EventIndex::failed.
io::EventIndex select_events(const InputOptions& options);

/// Why the source cannot be opened; null if it can.
const std::string* failure_of(const io::EventIndex& index, std::uint32_t source);

/// Batches of consecutive events: large at first, single at the end, so that ranks end together.
class BatchSource {
public:
  BatchSource(std::int64_t events, int workers)
      : events_(events)
      , workers_(workers) {}
  /// First and count of the next batch; none when all are out.
  std::optional<std::pair<std::int64_t, std::int64_t>> next();
  std::int64_t handed_out() const { return next_; }

private:
  std::int64_t events_, next_ = 0;
  int workers_;
};

} // namespace kilobragg::programs
