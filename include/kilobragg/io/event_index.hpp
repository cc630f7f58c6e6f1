// Where each image of a run lies: built by rank 0 without touching a pixel, read by workers.
#pragma once

#include "kilobragg/io/file_range.hpp"
#include "kilobragg/io/image_finder.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
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
  std::string expt; ///< the .expt that pointed here, or empty
};

/// One event: a source and a frame in it.
struct Event {
  std::uint32_t source = 0;
  std::int64_t frame = 0;
};

struct EventIndex {
  std::vector<FrameSource> sources;
  std::vector<Event> events;      ///< in order of the inputs, then by frame
  std::vector<std::string> files; ///< files that ranges point into, by file_number()
  std::unordered_map<std::string, std::uint32_t> file_numbers; ///< of each in `files`
  std::vector<std::vector<ByteRange>> ranges;                  ///< per event, empty until learnt
  /// Inputs that could not be opened: path and reason. Each counts as one failed input.
  std::vector<std::pair<std::string, std::string>> failed;
};

/// Expands globs and plain paths in order, then asks each file for its frames: headers are read, no
/// pixels and no chunk offsets (each query of those walks HDF5's index of chunks). Files that cannot
/// be opened, and links of a master file that lead nowhere, land in `failed`. A file counts once,
/// however often and by whichever path it is named. Throws core::Error if nothing matches a pattern.
EventIndex build_event_index(const std::vector<std::string>& paths_or_globs);

/// The same input by input, for programs that work on the first while the others are looked at.
class EventIndexBuilder {
public:
  /// Expands patterns; opens nothing. Throws core::Error if nothing matches one.
  /// `search`: where files may have been moved that an index or list names.
  explicit EventIndexBuilder(const std::vector<std::string>& paths_or_globs,
                             ImageSearch search = {});
  /// Looks at the next input; false, and nothing done, if there is none left.
  bool step(EventIndex& index);
  std::size_t inputs_left() const { return paths_.size() - next_; }

private:
  std::vector<std::string> paths_;
  ImageSearch search_;
  std::size_t next_ = 0;
};

/// Files of an event index end so.
inline constexpr const char* event_index_suffix = ".kbi";
/// Appends the events, sources and ranges of another index.
void append_events(EventIndex& index, const EventIndex& more);

/// The number of a file that ranges may point into; it gets one if it has none.
std::uint32_t file_number(EventIndex& index, const std::string& path);
/// Notes where the bytes of one event lie.
void record_ranges(EventIndex& index, std::size_t event, const std::vector<FileRange>& ranges);
/// What is known of that; empty if nothing.
std::vector<FileRange> ranges_of(const EventIndex& index, std::size_t event);
/// Takes from an earlier index where the events lie of which that is not known here: frames of
/// sources with the same path, data set and number of frames.
void adopt_ranges(EventIndex& index, const EventIndex& earlier);

/// Writes the index with what was learnt, for the next time; a temporary file is renamed.
/// Throws core::Error (disk full, ...).
void save_event_index(const EventIndex& index, const std::string& path);
/// Reads it back, files that were moved being found by `search`. Ranges into files whose size has
/// changed since are dropped. `failed` is as it was saved: EventIndexBuilder looks for them again. Throws core::Error naming `path` if it holds no index.
EventIndex load_event_index(const std::string& path, const ImageSearch& search = {});

} // namespace kilobragg::io
