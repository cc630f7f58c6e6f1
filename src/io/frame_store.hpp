// The frames of a run as one sequence, whichever data sets and files they lie in.
#pragma once

#include "pixel_source.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kilobragg::io {

/// Where a data set lies: in the master file (file empty) or in another one.
struct SourceName {
  std::string file, dataset;
};

/// A box of frames that one source provides: frame first + i * stride of the run is frame
/// source_first + i * source_stride of the source, i < count; and within the frame the box of `size`
/// at `at` is the one at `source_at`.
struct Piece {
  std::size_t source = 0;
  std::int64_t first = 0, stride = 1, count = 0, source_first = 0, source_stride = 1;
  FrameShape at{0, 0, 0}, source_at{0, 0, 0}, size{0, 0, 0};
  /// Position within the source of a frame of the run, or -1.
  std::int64_t source_frame(std::int64_t frame) const {
    const std::int64_t i = frame - first;
    if (i < 0 || i % stride != 0 || i / stride >= count) return -1;
    return source_first + i / stride * source_stride;
  }
};

/// Where all frames of a run lie and how they are stored: made once, then enough to read them.
struct FrameMap {
  struct Source {
    SourceName name;
    std::optional<PixelFormat> format; ///< known once it was opened
  };
  std::vector<Source> sources;
  std::vector<Piece> pieces; ///< sorted by first frame
  std::int64_t frames = 0;
  FrameShape shape{0, 0, 0};
  int frame_rank = 2;
  StoredType type = StoredType::u16;
  std::string type_text;
  double fill = 0; ///< for pixels that no piece covers
};

/// Reads frames from a plain data set, from several that follow each other (data_000001, ...; also
/// through external links), or from a virtual one, whose sources are read directly so that they take
/// the fast path and a missing one is an error instead of fill values. Keeps files open.
class FrameStore {
public:
  /// `datasets`: paths in `master`, in order; one may be virtual. `master` must outlive the store.
  /// Throws core::Error.
  FrameStore(hdf5::LazyFile& master, const std::vector<std::string>& datasets);
  /// From a map made before; opens nothing.
  FrameStore(hdf5::LazyFile& master, FrameMap map);

  const FrameMap& map() const { return map_; }
  std::int64_t frames() const { return map_.frames; }
  const FrameShape& shape() const { return map_.shape; }
  int frame_rank() const { return map_.frame_rank; }
  StoredType type() const { return map_.type; }
  const std::string& type_text() const { return map_.type_text; }
  /// Pixels of one frame, into a buffer that is reused where its kind and size fit. `ranges`, if not
  /// empty, says where its stored bytes lie; if empty it is filled, or left so where that cannot be
  /// known (filters of HDF5's own, chunks of several frames).
  void read(std::int64_t frame, models::PixelBuffer& pixels, std::vector<FileRange>& ranges);
  /// Stored bytes of one frame, for content ids.
  std::vector<std::byte> stored_bytes(std::int64_t frame);

private:
  PixelSource& source(std::size_t index);
  PixelSource::Open open(const SourceName& name) const;
  std::string shown(const SourceName& name) const;
  void add_source(SourceName name);
  void add_dataset(const std::string& dataset);
  bool add_virtual(const std::string& dataset, PixelSource& whole);
  template <typename T>
  void read_into(std::int64_t frame, std::vector<T>& pixels, RangeTrail& trail);
  template <typename T>
  void copy_box(const Piece& piece, std::int64_t source_frame, std::vector<T>& pixels,
                RangeTrail& trail);

  hdf5::LazyFile& master_;
  FrameMap map_;
  std::vector<std::unique_ptr<PixelSource>> open_; ///< as map_.sources
  std::size_t open_count_ = 0;
  models::PixelBuffer empty_; ///< the kind of buffer
  models::PixelBuffer box_;   ///< the source frame last read for copying boxes
  std::size_t box_source_ = 0;
  std::int64_t box_frame_ = -1;
};

} // namespace kilobragg::io
