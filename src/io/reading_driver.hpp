// HDF5's access to files that are only read: no locks, and it can tell where raw data lay.
#pragma once

#include "hdf5.hpp"

#include "kilobragg/io/file_range.hpp"

#include <vector>

namespace kilobragg::io::hdf5 {

/// File access through a driver of our own, for reading alone. HDF5 tells where a chunk lies only by
/// walking its whole index of chunks (before 1.14), but its file driver sees where it reads: so the
/// places are learnt at no cost.
Handle reading_access();

/// While one lives, reads of raw data by this thread, from files opened with reading_access(), are
/// noted. They do not nest.
class RawReads {
public:
  RawReads();
  ~RawReads();
  RawReads(const RawReads&) = delete;
  RawReads& operator=(const RawReads&) = delete;
  const std::vector<FileRange>& ranges() const { return ranges_; }

private:
  std::vector<FileRange> ranges_;
};

} // namespace kilobragg::io::hdf5
