// Reads the images that an .expt points at, with the models of the .expt.
#pragma once

#include "kilobragg/io/image_reader.hpp"

#include <memory>
#include <string>

namespace kilobragg::io {

std::unique_ptr<ImageReader> open_experiments(const std::string& path);
/// Number of distinct images that an .expt points at; opens none of them. Throws core::Error.
std::int64_t count_experiment_images(const std::string& path);

} // namespace kilobragg::io
