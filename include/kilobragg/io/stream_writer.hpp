// CrystFEL streams from shards: all images of a run in one text file that CrystFEL's programs read.
#pragma once

#include "kilobragg/models/symmetry.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace kilobragg::io {

struct StreamOptions {
  std::optional<models::UnitCell> unit_cell; ///< the cell that was asked for, for the header
  models::SpaceGroup space_group;            ///< its symmetry
  bool non_hits = true;                      ///< also images in which nothing was indexed
};

struct StreamSummary {
  std::vector<std::string> files;
  std::size_t images = 0, crystals = 0;
  std::size_t left_out = 0; ///< images without geometry: they could not be read
};

/// Writes the images of all shards as a stream (format 2.3) to `path`, sorted by file, data set and
/// frame: the bytes do not depend on the number of ranks. A stream has one geometry: images of a second
/// detector or beam direction go to "name_2.stream" and so on. An image that stands in several records
/// is written once, from the first that did not time out. Files appear under their names when whole.
/// Memory holds about 40 bytes per image besides the image in hand. Throws core::Error for what is no
/// shard, for more than 16 geometries, and when a file cannot be written.
StreamSummary write_stream(const std::vector<std::string>& shards, const std::string& path,
                           const StreamOptions& options = {});

} // namespace kilobragg::io
