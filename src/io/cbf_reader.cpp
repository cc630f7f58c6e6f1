// Tells miniCBF and full imgCIF apart.
#include "cbf_reader.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/core/hash.hpp"

#include <filesystem>
#include <string_view>

namespace kilobragg::io {

CbfReader::CbfReader(std::string path, const std::string& text)
    : path_(std::move(path))
    , content_id_(core::md5_hex(text))
    , file_bytes_(text.size()) {}

void CbfReader::read_at(std::int64_t frame, models::Image& image, std::vector<FileRange>& ranges) {
  require_frame(frame);
  decode(image);
  image.layout = layout_;
  image.mask = nullptr;
  ranges = {{std::filesystem::absolute(path_).lexically_normal().string(), 0, file_bytes_}};
}

models::ImageSource CbfReader::source(std::int64_t frame) const {
  require_frame(frame);
  return {std::filesystem::absolute(path_).lexically_normal().string(), {}, 0, content_id_};
}

ImageDescription CbfReader::describe() const { return describe_single_image(path_); }

void CbfReader::require_frame(std::int64_t frame) const {
  core::require(frame == 0, "{} has no frame {} (it has 1)", path_, frame);
}

std::unique_ptr<ImageReader> open_cbf(const std::string& path) {
  const std::string text = core::read_text_file(path);
  // A full header lists its axes; a mini one has nothing but comments.
  const bool full = text.find("_axis.vector[1]") != std::string::npos;
  if (full) return open_imgcif(path, text);
  return open_minicbf(path, text);
}

} // namespace kilobragg::io
