// One HDF5 data set of frames: raw chunks through our own decoder, everything else through HDF5.
#pragma once

#include "hdf5.hpp"
#include "range_reader.hpp"

#include "kilobragg/models/image.hpp"

#include <array>
#include <cstddef>
#include <functional>
#include <span>

namespace kilobragg::io {

/// Panels, slow, fast extents of one frame; panels is 1 for frames of two dimensions.
using FrameShape = std::array<std::size_t, 3>;

inline std::size_t pixels_in(const FrameShape& shape) { return shape[0] * shape[1] * shape[2]; }

/// Types of stored pixels that the fast path converts itself.
enum class StoredType { u8, i8, u16, i16, u32, i32, f32, f64, other_integer };

/// The kind of buffer for pixels of a type, empty.
models::PixelBuffer buffer_for(StoredType type);

/// Copies `count` stored pixels to `out`, as models::PixelBuffer says; out of range saturates.
template <typename T>
void convert_pixels(const std::byte* stored, StoredType type, T* out, std::size_t count);

/// How the frames of a data set are stored: all that reading them needs besides their bytes.
struct PixelFormat {
  enum class Codec { library, none, lz4, bitshuffle };
  int rank = 0; ///< of the data set
  std::int64_t frames = 0;
  FrameShape shape{1, 1, 1}, chunk_shape{1, 1, 1};
  StoredType type = StoredType::u16;
  std::size_t element = 0; ///< bytes of a stored pixel
  Codec codec = Codec::library;
  /// Where the first frame begins if all follow each other without chunks; no path otherwise.
  FileRange contiguous = {};
};

/// A data set of frames x [panels x] slow x fast, or of one frame of two dimensions.
class PixelSource {
public:
  /// An open data set and what keeps its file open.
  struct Open {
    hdf5::Handle file, dataset;
  };
  /// `file` keeps the file open where the data set does not. Throws core::Error naming `name` on a
  /// wrong rank, pixels that are no numbers, or a filter that nothing here can undo.
  PixelSource(Open open, std::string name);
  /// One whose format is known: it is opened only if HDF5 must read it.
  PixelSource(PixelFormat format, std::function<Open()> opener, std::string name);

  const PixelFormat& format() const { return format_; }
  std::int64_t frames() const { return format_.frames; }
  const FrameShape& shape() const { return format_.shape; }
  /// Dimensions of a frame in the file: 2 or 3.
  int frame_rank() const { return format_.rank == 4 ? 3 : 2; }
  StoredType type() const { return format_.type; }
  std::string type_text() const;
  hid_t dataset();
  const std::string& name() const { return name_; }
  /// Pixels of one frame in order of storage; `out` has pixels_in(shape()) elements. T is uint16_t,
  /// int32_t or float. Stored bytes come from the places that `trail` knows, or their places are
  /// added to it. Throws core::Error naming the data set and the frame.
  template <typename T>
  void read(std::int64_t frame, T* out, RangeTrail& trail);
  /// The stored bytes of a frame, compressed as they are; decoded pixels where HDF5 gives no access
  /// to chunks. For content ids.
  std::vector<std::byte> stored_bytes(std::int64_t frame);
  /// Calls `visit` with the offset of each chunk of a frame, in order of storage.
  template <typename Visit>
  void for_each_chunk(std::int64_t frame, const Visit& visit) const;

private:
  using Codec = PixelFormat::Codec;

  void inspect_type();
  void inspect_storage();
  void inspect_chunks(hid_t plist);
  void inspect_contiguous();
  bool has_plain_elements();
  Codec usable_codec(hid_t plist) const;
  template <typename T>
  void read_through_library(std::int64_t frame, T* out);
  template <typename T>
  bool read_chunks(std::int64_t frame, T* out, RangeTrail& trail);
  template <typename T>
  bool read_one_chunk(const std::array<hsize_t, 4>& offset, T* out, RangeTrail& trail);
  /// Reads a raw chunk into raw_; false if it was never written.
  bool fetch(const std::array<hsize_t, 4>& offset, RangeTrail& trail);
  bool fetch_through_library(const std::array<hsize_t, 4>& offset, RangeTrail& trail);
  void fetch_range(const FileRange& range);
  void decode(std::span<std::byte> out);
  bool chunk_is_frame() const { return format_.chunk_shape == format_.shape; }

  std::function<Open()> opener_;
  Open open_;
  std::string name_;
  PixelFormat format_;
  bool chunk_is_raw_ = false; ///< the chunk in raw_ skipped its filter
  std::vector<std::byte> raw_, decoded_, scratch_;
  RangeReader files_;
};

extern template void PixelSource::read(std::int64_t, std::uint16_t*, RangeTrail&);
extern template void PixelSource::read(std::int64_t, std::int32_t*, RangeTrail&);
extern template void PixelSource::read(std::int64_t, float*, RangeTrail&);

} // namespace kilobragg::io
