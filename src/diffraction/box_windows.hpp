// Shoeboxes and whole panels as windows for the launches of the kernels: private to the diffraction room.
#pragma once

#include "lattice_renderers.hpp"

#include "kilobragg/diffraction/shoebox_model.hpp"

#include <span>
#include <vector>

namespace kilobragg::diffraction {

/// The boxes of all shots as windows: by shot and panel, with pixels in the order in which they came.
struct BoxWindows {
  WindowSet set;
  DeviceArray<std::int32_t> shot; ///< of each window
  std::vector<std::int32_t> first_panel_of_shot;
  DeviceArray<std::int32_t> first_panel; ///< the same
  std::vector<std::size_t> first_pixel;  ///< of each shot, and the end
};
/// Panels with parallax lie where their sensors absorb. Throws core::Error for a box that is not on its panel.
BoxWindows make_box_windows(std::span<const ShoeboxJob> jobs);

/// All panels of a detector, likewise.
WindowSet whole_panels(const models::Detector& detector);

} // namespace kilobragg::diffraction
