// Finds images again that were moved after an .expt was written, and checks that they are the same.
#pragma once

#include "kilobragg/io/image_reader.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace kilobragg::io {

/// Where else to look for images (input.map, input.search_path).
struct ImageSearch {
  std::vector<std::pair<std::string, std::string>>
      maps; ///< what paths began with, and begin with now
  std::vector<std::string> folders;
};

/// Reads "old=new". Both are prefixes of paths, in whole components. Throws core::Error.
std::pair<std::string, std::string> parse_path_map(const std::string& text);

/// What an .expt says about the file of an image.
struct ImagePointer {
  std::string list;       ///< the .expt, which `written` is relative to
  std::string written;    ///< relative or absolute
  std::string absolute;   ///< where the file was when the .expt was written; empty = not known
  std::string content_id; ///< ImageReader::content_id() of the file; empty = not known
};

/// Paths at which the image may be, without repetitions, best first: what `written` and `absolute`
/// become by each map; `written`; `absolute`; then in each folder the file with as many of the folders
/// that it lay in as can be found, "new/run_12/master.h5" before "new/master.h5".
std::vector<std::string> image_candidates(const ImagePointer& pointer, const ImageSearch& search);

/// The first candidate that exists, or the first of all: nothing is opened, nothing checked.
std::string likely_image(const ImagePointer& pointer, const ImageSearch& search);

/// Opens the first candidate that exists and has the content id; without one in the pointer, the first
/// that exists. Throws core::Error: that names the pointer and every other file that was found in its
/// place, both with their content ids; or lists what was tried if nothing was there.
std::unique_ptr<ImageReader> open_image(const ImagePointer& pointer, const ImageSearch& search,
                                        const std::string& dataset, std::string* path = nullptr);

} // namespace kilobragg::io
