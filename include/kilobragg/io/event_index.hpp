// Where each image of a run lies: built by rank 0 without touching a pixel, read by workers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kilobragg::io {

/// Bytes of one chunk (or part of a frame) in a file.
struct ByteRange {
  std::uint32_t file = 0; ///< index into EventIndex::files
  std::uint64_t offset = 0, length = 0;
};

/// One data set of frames in one file as the user named it.
struct FrameSource {
  std::string path;    ///< as opened: the master file, CBF or image
  std::string dataset; ///< HDF5 path, empty for single-image formats
  std::int64_t frames = 1;
  std::string expt;    ///< the .expt that pointed here, or empty
};

/// One event: a source and a frame in it.
struct Event {
  std::uint32_t source = 0;
  std::int64_t frame = 0;
};

struct EventIndex {
  std::vector<FrameSource> sources;
  std::vector<Event> events;       ///< in order of the inputs, then by frame
  std::vector<std::string> files;  ///< files that ranges point into
  std::vector<std::vector<ByteRange>> ranges; ///< per event, empty until learnt
  /// Inputs that could not be opened: path and reason. Each counts as one failed input.
  std::vector<std::pair<std::string, std::string>> failed;
};

/// Expands globs and directories-free paths in order, then asks each file for its frames.
/// Throws core::Error if nothing matches a pattern.
EventIndex build_event_index(const std::vector<std::string>& paths_or_globs);

} // namespace kilobragg::io
