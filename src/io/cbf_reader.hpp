// Reads single CBF images: miniCBF by its header's comments, full imgCIF through libcbf.
#pragma once

#include "kilobragg/io/image_reader.hpp"

#include <memory>
#include <string>

namespace kilobragg::io {

std::unique_ptr<ImageReader> open_cbf(const std::string& path);

/// The two kinds; `text` is the file.
std::unique_ptr<ImageReader> open_minicbf(const std::string& path, const std::string& text);
std::unique_ptr<ImageReader> open_imgcif(const std::string& path, const std::string& text);

/// The one frame of a CBF: what both kinds share.
class CbfReader : public ImageReader {
public:
  CbfReader(std::string path, const std::string& text);
  std::int64_t frame_count() const final { return 1; }
  std::shared_ptr<const models::ImageLayout> layout() const final { return layout_; }
  std::string content_id() const final { return content_id_; }
  models::ImageSource source(std::int64_t frame) const final;
  ImageDescription describe() const final;
  /// The file is read whole when it is opened, for its header stands before its pixels.
  void read_at(std::int64_t frame, models::Image& image, std::vector<FileRange>& ranges) final;

protected:
  /// Decodes the pixels into `image`; layout and mask are set by the caller.
  virtual void decode(models::Image& image) = 0;
  /// Throws core::Error unless `frame` is 0.
  void require_frame(std::int64_t frame) const;
  std::string path_, content_id_;
  std::uint64_t file_bytes_ = 0;
  std::shared_ptr<const models::ImageLayout> layout_;
};

} // namespace kilobragg::io
