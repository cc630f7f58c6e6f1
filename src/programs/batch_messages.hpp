// What travels between the rank that hands out events and those that process them.
#pragma once

#include "kilobragg/io/file_range.hpp"
#include "kilobragg/io/image_description.hpp"
#include "kilobragg/report/run_summary.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// Geometry and masks that sources share, as the first rank read them.
struct SharedGeometry {
  std::uint32_t id = 0;
  std::string description; ///< ImageDescription::geometry
  /// lookup.mask of spot finding and of integration, one byte per pixel of the frame's buffer; empty
  /// = none. Where a mask does not fit, why.
  std::string spotfinder_mask, integration_mask, mask_problem;
};

/// A file of images as a worker must know it.
struct SourceInfo {
  std::uint32_t id = 0;
  std::string path, dataset; ///< as in the event index
  bool several_frames = false;
  std::string problem;     ///< why no frame of it can be read; empty = it can
  std::string description; ///< ImageDescription::source
  std::shared_ptr<const SharedGeometry> geometry; ///< null with a problem
};

/// One frame to process.
struct BatchEvent {
  std::int64_t number = 0; ///< position in the event index
  std::uint32_t source = 0;
  std::int64_t frame = 0;
  io::Shot shot;
  std::vector<io::FileRange> ranges; ///< where it lies, empty = unknown
};

/// Events to process, with what the receiving rank does not know of their sources yet.
struct Batch {
  std::vector<std::shared_ptr<const SharedGeometry>> geometries;
  /// In messages the geometry is named by its number.
  std::vector<std::shared_ptr<const SourceInfo>> sources;
  std::vector<BatchEvent> events;

  std::string pack() const;
};

/// What a worker keeps of the batches that it got: sources in the order of their last use. The first
/// rank keeps the same list for each rank, to know what it must send.
inline constexpr std::size_t remembered_sources = 8;

/// Takes batches apart; remembers geometries, and sources as long as they are in use.
class BatchReceiver {
public:
  /// Throws core::Error on a message that refers to what was never sent.
  std::vector<BatchEvent> unpack(const std::string& bytes);
  /// A source of the batch last unpacked.
  std::shared_ptr<const SourceInfo> source(std::uint32_t id) const;

private:
  std::vector<std::shared_ptr<const SharedGeometry>> geometries_;
  std::vector<std::shared_ptr<const SourceInfo>> sources_; ///< the last used first
};

/// Moves `id` to the front of `recent`, which keeps at most remembered_sources; true if it was there.
bool touch_recent(std::vector<std::uint32_t>& recent, std::uint32_t id);

/// What comes back, riding on the request for the next batch.
struct BatchReport {
  report::RunSummary summary;
  double seconds = 0;               ///< wall time of the batch
  int stop = 0;                     ///< the signal that asked this rank to stop, 0 = none
  bool leaves = false;              ///< this rank takes no more events: it hangs in a read
  std::vector<std::int64_t> undone; ///< numbers of events that it gives back
  struct Learnt {
    std::int64_t number = 0;
    std::vector<io::FileRange> ranges;
  };
  std::vector<Learnt> learnt;     ///< where frames lie, if that is asked for
  std::vector<std::string> lines; ///< an entry per image, if that is asked for

  std::string pack() const;
  static BatchReport unpack(const std::string& bytes);
};

} // namespace kilobragg::programs
