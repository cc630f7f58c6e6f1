// Data sets of HDF5 files that users name for all pixels of a detector: masks, noise.
#pragma once

#include "hdf5.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace kilobragg::io {

struct LookupData {
  hdf5::Handle file, data;
  std::string shown; ///< file and data set, for messages
  std::vector<hsize_t> shape;
  std::size_t pixels() const;
  std::size_t row() const { return shape.empty() ? 0 : shape.back(); }
};

/// Opens "file.h5:/path", or of "file.h5" the first of the `usual` data sets that is there, or its only one;
/// a file whose own name has a colon is taken as it is. `what` names the thing in messages. Throws
/// core::Error where there is none, and for DIALS's pickles.
LookupData open_lookup(const std::string& name, const std::string& what,
                       std::span<const char* const> usual);

} // namespace kilobragg::io
