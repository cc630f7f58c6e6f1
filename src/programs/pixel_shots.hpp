// The shots of a merge as refinement against pixels takes them, and their images.
#pragma once

#include "merge_input.hpp"

#include "kilobragg/io/image_finder.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/lookup_mask.hpp"
#include "kilobragg/parallel/communicator.hpp"
#include "kilobragg/pixelrefinement/shot_record.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// What options say of each pixel of the detector; empty where they say nothing.
struct PixelLookups {
  io::LookupMask mask;
  std::vector<float> noise; ///< rms counts
};
/// Read by the first rank. Collective; throws parallel::CommonError (merge_usage).
PixelLookups load_lookups(const parallel::Communicator& communicator, const PixelOptions& options);

/// Images of shots, read where they lie now, less the pixels that a mask takes out. The last few files stay
/// open.
class ShotImages {
public:
  explicit ShotImages(io::ImageSearch search)
      : search_(std::move(search)) {}
  /// Where it is not empty, for all images from now on; it must outlive them.
  void set_mask(const io::LookupMask& mask) { lookup_ = &mask; }
  /// Throws core::Error naming file and frame. The image lives until the next call.
  const models::Image& read(const pixelrefinement::ShotModel& shot);
  /// The beam that the image's file gives, with its spectrum.
  models::Beam beam(const models::ImageSource& source);

private:
  io::ImageReader& open(const models::ImageSource& source);
  void take_mask();
  io::ImageSearch search_;
  std::map<std::string, std::unique_ptr<io::ImageReader>> readers_;
  models::Image image_;
  const io::LookupMask* lookup_ = nullptr;
  std::shared_ptr<const models::PixelMask> own_,
      joined_; ///< of the last image, and with the lookup
};

/// Shots with images that lie next to each other, an even share for each rank, sorted by identifier. The
/// lattices of one image are one shot, whichever ranks hold them, in the order of their identifiers. Those
/// not in `accepted` are left out; an image that has no other is a shot in state Contradiction. Collective.
/// N and mosaic spread begin with what the options say, else as pixelrefinement::first_lattice() has them.
/// Spectra come from the list of shots, else from the image's file; where neither has one the beam is monochromatic.
std::vector<pixelrefinement::ShotModel> make_shots(const parallel::Communicator& communicator,
                                                   const std::vector<LoadedExperiments>& loaded,
                                                   const std::set<std::string>& accepted,
                                                   const PixelOptions& options, ShotImages& images);

/// What is said of a shot whose image cannot be used.
std::string no_pixels_text(const pixelrefinement::ShotModel& shot, const std::string& why);
/// Warns in the log, on the first rank, of what all ranks found, the first 20 in order. Collective.
void warn_of(const parallel::Communicator& communicator, const std::vector<std::string>& problems);

/// Numbers of shots in the order in which their images lie, which is how files are read best.
std::vector<std::size_t> in_order_of_images(const std::vector<pixelrefinement::ShotRecord>& shots);

} // namespace kilobragg::programs
