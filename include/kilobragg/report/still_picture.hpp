// A still as a picture: the panels as they lie in space, with found and predicted spots over them.
#pragma once

#include "kilobragg/io/png.hpp"
#include "kilobragg/models/detector.hpp"
#include "kilobragg/models/image.hpp"

#include <optional>
#include <vector>

namespace kilobragg::report {

/// A position on one panel (pixels).
struct PanelMark {
  int panel = 0;
  models::PanelPoint px;
};

/// Part of the detector seen along the beam, in laboratory millimetres.
struct View {
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;
};

/// The smallest view that holds all panels.
View whole_view(const models::Detector& detector);

struct StillPictureParams {
  int width = 1000;              ///< of the picture (pixels)
  std::optional<View> view;      ///< none = the whole detector
  double black_quantile = 0.998; ///< pixels at or above this quantile of the image are black
};

/// Dark on white, linear from the median to the black quantile. Found spots are blue circles,
/// predictions red squares. Looks against the beam's direction of travel: x to the right, y up.
io::Picture draw_still(const models::Image& image, const models::Detector& detector,
                       const std::vector<PanelMark>& found, const std::vector<PanelMark>& predicted,
                       const StillPictureParams& params);

} // namespace kilobragg::report
