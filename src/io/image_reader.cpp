// Chooses the reader of an image file by what the file holds.
#include "kilobragg/io/image_reader.hpp"

#include "cbf_reader.hpp"
#include "description_codec.hpp"
#include "expt_reader.hpp"
#include "file_kind.hpp"
#include "nxmx_reader.hpp"
#include "replaced_geometry.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/image_finder.hpp"

namespace kilobragg::io {

std::unique_ptr<ImageReader> open_images(const std::string& path, const std::string& dataset) {
  return open_images(path, dataset, {});
}

std::unique_ptr<ImageReader> open_images(const std::string& path, const std::string& dataset,
                                         const ImageSearch& search) {
  switch (file_kind(path)) {
  case FileKind::hdf5:
    return open_nxmx(path, dataset);
  case FileKind::experiments:
    return open_experiments(path, search);
  case FileKind::cbf:
    return open_cbf(path);
  case FileKind::unknown:
    break;
  }
  core::fail("cannot read {} (it is neither HDF5 nor CBF nor an .expt)", path);
}

ImageDescription describe_single_image(const std::string& path) {
  return {{}, pack_json({{"kind", "file"}, {"path", path}, {"dataset", ""}})};
}

std::unique_ptr<ImageReader> open_described(const ImageDescription& description) {
  const Json source = unpack_json(description.source);
  if (source.at("kind") == "nxmx") return open_described_nxmx(description);
  auto reader = source.at("kind") == "experiments"
                    ? open_described_experiments(description)
                    : open_images(source.at("path"), source.at("dataset"));
  if (description.geometry.empty()) return reader;
  const DescribedGeometry geometry = unpack_geometry(description.geometry);
  core::require(reader->layout()->size == geometry.layout->size,
                "{} has {} pixels, the geometry to use has {} is it the image of another detector?",
                source.at("path").get<std::string>(), reader->layout()->size,
                geometry.layout->size);
  return with_geometry(std::move(reader), geometry.detector.get(), geometry.layout);
}

} // namespace kilobragg::io
