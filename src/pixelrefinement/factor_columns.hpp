// The streams of all shots held here as the columns that kernels read.
#pragma once

#include "kernels/pixelrefinement/factor_stream.hpp"

#include "kilobragg/pixelrefinement/shot_stream.hpp"

#include <span>
#include <vector>

namespace kilobragg::pixelrefinement {

struct FactorColumns {
  std::vector<FactorSegment> segments;
  std::vector<float> kernel, value, background;
  std::vector<float> readout; ///< empty where no shot has one for each pixel
  std::vector<float> shared_value, shared_background, shared_readout;
  std::vector<std::int32_t> block_of; ///< of each shared pixel
  std::vector<std::int32_t> part_segment;
  std::vector<float> part_kernel;
  std::vector<std::int32_t> pixel_of_part;
  std::vector<float> kernel_of_part;
  std::vector<SharedBlock> blocks;
  std::vector<ShotRange> shots;            ///< one more than shots
  std::vector<std::int64_t> first_segment; ///< of each unknown in `by_unknown`, and their number
  std::vector<std::int32_t> by_unknown;    ///< segments
  std::vector<std::int64_t> rejected;      ///< pixels of each shot
};

/// See FactorTarget for what is rejected and what is an error.
FactorColumns make_factor_columns(std::span<const ShotStream> shots, std::size_t unknowns,
                                  Likelihood likelihood);

} // namespace kilobragg::pixelrefinement
