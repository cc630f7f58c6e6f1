// Names of images and identifiers of lattices.
#include "kilobragg/models/experiment.hpp"

#include "kilobragg/core/hash.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace kilobragg::models {

std::string ImageSource::tag() const {
  return fmt::format("{}_{:05d}", std::filesystem::path(path).stem().string(), frame);
}

std::string experiment_identifier(const std::string& content_id, std::int64_t frame, int lattice) {
  return core::md5_hex(fmt::format("{}:{}:{}", content_id, frame, lattice));
}

} // namespace kilobragg::models
