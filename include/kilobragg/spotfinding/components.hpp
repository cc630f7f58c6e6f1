// Connected components of strong pixels, 4-connected, in raster order of their first pixel.
#pragma once

#include "kernels/threshold/bit_image.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace kilobragg::spotfinding {

/// Strong pixels x0 .. x1-1 of row y.
struct PixelRun {
  int y = 0, x0 = 0, x1 = 0;
};

/// Labels the components of one panel at a time; keeps its memory from panel to panel.
class ComponentLabeller {
public:
  /// Finds all components. Returns their number.
  std::size_t label(const threshold::BitImage& strong);
  /// Runs of component i in raster order.
  std::span<const PixelRun> runs(std::size_t i) const {
    return {ordered_.data() + first_[i], first_[i + 1] - first_[i]};
  }
  /// Strong pixels of the panel last labelled.
  std::size_t pixel_count() const { return pixel_count_; }

private:
  void collect_runs(const threshold::BitImage& strong);
  void join_rows();
  std::uint32_t root(std::uint32_t run);

  std::vector<PixelRun> runs_, ordered_;
  std::vector<std::uint32_t> parent_, component_;
  std::vector<std::size_t> first_;
  std::size_t pixel_count_ = 0;
};

} // namespace kilobragg::spotfinding
