// Where a refinement against pixels stands, on disk, so that a run that was stopped or killed goes on.
#pragma once

#include "pixel_output.hpp"

#include "kilobragg/pixelrefinement/refine_shot.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace kilobragg::programs {

/// What is to be done next.
enum class PixelStep : std::uint8_t {
  Cut,     ///< first shoeboxes
  Stage1,  ///< of `cycle`
  Predict, ///< shoeboxes anew, if asked for
  Stage2,  ///< of `cycle`
};

struct PixelState {
  std::string options; ///< all, as phil
  std::string problem; ///< digest of the lattices and of the factors that refinement began with
  int serial =
      0; ///< one more each time that a state is written: its shards and checkpoints have it in
         ///< their names
  int cycle = 1;
  PixelStep step = PixelStep::Cut;
  std::vector<double> f, sigma, mean; ///< of the table's rows, bit for bit
  std::vector<std::uint8_t> measured;
  std::vector<CycleFigures> cycles; ///< so far
};

/// A record log of one record, which appears only when whole. Throws core::Error.
void write_pixel_state(const PixelState& state, const std::string& path);
/// Throws core::Error if it is damaged or of another version.
PixelState read_pixel_state(const std::string& path);
/// Of everything in it.
std::string digest_of(const PixelState& state);

/// The options that results depend on, a line each.
std::string options_that_matter(const std::string& phil);
/// Lines "name is now, was before" for options that results depend on and that differ.
std::vector<std::string> differing_merge_options(const std::string& now, const std::string& before);

/// What a run keeps with each shot: the cycles (from 1; 0 = never) in which its shoeboxes were cut and its
/// model refined last, and how that went.
struct ShotProgress {
  int cut = 0, refined = 0;
};
std::string pack_progress(const ShotProgress& progress,
                          const pixelrefinement::Stage1Result& result);
/// Throws core::Error for other bytes.
ShotProgress take_progress(std::string_view bytes, pixelrefinement::Stage1Result& result);

} // namespace kilobragg::programs
