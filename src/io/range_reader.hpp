// Reads stretches of files by their offsets, without HDF5.
#pragma once

#include "kilobragg/io/file_range.hpp"

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace kilobragg::io {

/// Keeps the files that it reads from open.
class RangeReader {
public:
  RangeReader() = default;
  ~RangeReader();
  RangeReader(const RangeReader&) = delete;
  RangeReader& operator=(const RangeReader&) = delete;

  /// Fills `out`, which has range.length bytes. Throws core::Error naming the file where it cannot
  /// be opened or ends before the range does.
  void read(const FileRange& range, std::span<std::byte> out);

private:
  int descriptor(const std::string& path);
  std::map<std::string, int> open_;
};

/// The places of one frame's chunks in order of storage: followed if they are known, else noted as
/// the chunks are read.
struct RangeTrail {
  explicit RangeTrail(std::span<const FileRange> places = {})
      : known(places)
      , follow(!places.empty()) {}
  std::span<const FileRange> known; ///< still to be used
  bool follow;
  std::vector<FileRange> found;
  bool complete = true; ///< false once something was read whose place is not to be had

  /// The next known range. Throws core::Error if there are fewer than the frame has chunks.
  const FileRange& next();
};

} // namespace kilobragg::io
