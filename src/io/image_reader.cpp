// Chooses the reader of an image file by what the file holds.
#include "kilobragg/io/image_reader.hpp"

#include "cbf_reader.hpp"
#include "expt_reader.hpp"
#include "file_kind.hpp"
#include "nxmx_reader.hpp"

#include "kilobragg/core/error.hpp"

namespace kilobragg::io {

std::unique_ptr<ImageReader> open_images(const std::string& path, const std::string& dataset) {
  switch (file_kind(path)) {
  case FileKind::hdf5:
    return open_nxmx(path, dataset);
  case FileKind::experiments:
    return open_experiments(path);
  case FileKind::cbf:
    return open_cbf(path);
  case FileKind::unknown:
    break;
  }
  core::fail("cannot read {} (it is neither HDF5 nor CBF nor an .expt)", path);
}

} // namespace kilobragg::io
