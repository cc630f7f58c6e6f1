// Opens image files of every supported format and gives their geometry and frames.
#pragma once

#include "kilobragg/io/file_range.hpp"
#include "kilobragg/io/image_description.hpp"
#include "kilobragg/models/experiment.hpp"
#include "kilobragg/models/image.hpp"

#include <memory>
#include <string>
#include <vector>

namespace kilobragg::io {

struct ImageSearch;

/// A file (or master file) of images with its geometry. Not shared between threads.
class ImageReader {
public:
  virtual ~ImageReader() = default;
  virtual std::int64_t frame_count() const = 0;
  /// Geometry, of the first frame where each has its own (.expt). Throws core::Error if the file has
  /// none: it can still be read with a geometry from elsewhere (replace_geometry).
  virtual std::shared_ptr<const models::Detector> detector() const = 0;
  /// Geometry of one frame; frames with the same share it.
  virtual std::shared_ptr<const models::Detector> detector_of(std::int64_t frame) const {
    static_cast<void>(frame);
    return detector();
  }
  /// Where the panels lie in the buffer of a frame, in the order of detector(); of the first frame
  /// that can be opened where frames lie in several files (.expt).
  virtual std::shared_ptr<const models::ImageLayout> layout() const = 0;
  /// Beam of one frame with its wavelength and spectrum. The wavelength of a shot for which the file
  /// has no value is not positive (0, NaN) or infinite.
  virtual models::Beam beam(std::int64_t frame) const = 0;
  /// Pixels of one frame, decoded, with layout and static mask, into an image whose buffer is used
  /// again where it fits. `ranges`: where the frame's stored bytes lie. If given they are read from
  /// there, without asking the file; if empty they are filled in, or left empty where the format does
  /// not tell. Throws core::Error naming file and frame when the frame cannot be read.
  virtual void read_at(std::int64_t frame, models::Image& image,
                       std::vector<FileRange>& ranges) = 0;
  /// The same wherever the frame lies.
  void read_into(std::int64_t frame, models::Image& image) {
    std::vector<FileRange> anywhere;
    read_at(frame, image, anywhere);
  }
  /// The same into a new image.
  models::Image read(std::int64_t frame) {
    models::Image image;
    read_into(frame, image);
    return image;
  }
  /// Fixed at first sight: hash of the first frame's raw bytes, its shape and type, start time.
  virtual std::string content_id() const = 0;
  /// Path, dataset and content id for a frame.
  virtual models::ImageSource source(std::int64_t frame) const = 0;
  /// For open_described() in another process. Reads the first frame's bytes once (content id).
  virtual ImageDescription describe() const = 0;
  /// What the description leaves out of a frame's beam.
  virtual Shot shot(std::int64_t frame) const {
    static_cast<void>(frame);
    return {};
  }
};

/// Chooses the reader by content: HDF5 (NXmx, DECTRIS master), CBF (miniCBF, imgCIF) or .expt.
/// `dataset` picks one of several; empty = the signal of the default entry. Throws core::Error.
std::unique_ptr<ImageReader> open_images(const std::string& path, const std::string& dataset = {});
/// The same; images that an .expt points at are looked for as `search` says (image_finder.hpp).
std::unique_ptr<ImageReader> open_images(const std::string& path, const std::string& dataset,
                                         const ImageSearch& search);

/// A reader of what was described, which gives the same frames; beam() gives the first frame's
/// wavelength and flux where they differ: shot() of the describing reader has the others. HDF5 files
/// are opened when a frame is read from them. Throws core::Error.
std::unique_ptr<ImageReader> open_described(const ImageDescription& description);
/// The description of a file that every process opens for itself, its header standing with its pixels
/// (CBF): made without opening it. With the geometry of another it takes that one's.
ImageDescription describe_single_image(const std::string& path);

} // namespace kilobragg::io
