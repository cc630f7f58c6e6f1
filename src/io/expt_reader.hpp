// Reads the images that an .expt points at, with the models of the .expt.
#pragma once

#include "kilobragg/io/image_finder.hpp"
#include "kilobragg/models/experiment.hpp"

#include <map>
#include <memory>
#include <string>

namespace kilobragg::io {

/// `search`: where to look for images that are not where the .expt says.
std::unique_ptr<ImageReader> open_experiments(const std::string& path, const ImageSearch& search);
/// The same from what describe() of such a reader sends.
std::unique_ptr<ImageReader> open_described_experiments(const ImageDescription& description);
/// Number of distinct images that an .expt points at; opens none of them. Throws core::Error.
std::int64_t count_experiment_images(const std::string& path);

/// An experiment list with what it says of its images, by ImageSource::path.
struct PointedExperiments {
  std::vector<models::Experiment> experiments;
  std::map<std::string, ImagePointer> pointers;
};
/// As parse_experiments(); paths of images are those of likely_image().
PointedExperiments parse_pointed_experiments(const std::string& text, const std::string& path,
                                             const ImageSearch& search);

} // namespace kilobragg::io
