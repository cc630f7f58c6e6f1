// Sums one reflection: background plane, intensity, variance, centroid.
#pragma once

#include "box_geometry.hpp"

#include "kernels/integration/plane_fit.hpp"

#include "kilobragg/models/image.hpp"
#include "kilobragg/models/reflections.hpp"

#include <cstdint>
#include <vector>

namespace kilobragg::integration {

/// What turns a panel's raw values into counts, and which raw values count.
struct PixelCalibration {
  double trusted_min = 0, trusted_max = 0; ///< inclusive
  double pedestal = 0, inverse_gain = 1;
};

struct SummationParams {
  double outlier_nsigma = 4;
  double detector_gain = 1;
};

/// A box's pixels on the panel, calibrated, with weights 0 or 1. Rows are padded to whole vectors
/// with pixels of no weight. Coordinates in sums are relative to the centre of the box.
class BoxPixels {
public:
  /// Reads the part of `box` that lies on the panel. False, with the sums undefined, when a
  /// foreground pixel is off the panel or unusable. T is the type of the raw pixels; `usable` null =
  /// all usable.
  template <typename T>
  bool load(const models::PixelBox& box, const ForegroundMask& foreground,
            const models::PanelWindow& window, const T* pixels, const std::uint8_t* usable,
            const PixelCalibration& calibration);

  /// Fits the background, sums, and fills the measured fields and flags of `reflection`. False when
  /// there is no background plane or no variance. px_obs is the centroid; mm_obs is left alone.
  bool sum(const SummationParams& params, models::IntegratedReflection& reflection);

private:
  /// The part of the box on the panel; rows are `stride` long, of which `width` are real.
  struct Part {
    int x0 = 0, y0 = 0, width = 0, height = 0, stride = 0;
  };
  /// Plane sums, and the sum of pixel^2 beside them.
  struct BackgroundSums {
    PlaneSums plane;
    double pp = 0;
  };
  struct ForegroundSums {
    double p = 0, b = 0; ///< pixels, and the background under them
    double s = 0, sx = 0, sy = 0, sxx = 0, syy = 0, ss = 0; ///< over p - b where positive
  };

  void place(const models::PixelBox& box, const models::PanelWindow& window);
  bool foreground_fits(const ForegroundMask& foreground);
  template <typename T>
  void load_row(int row, const T* raw, const std::uint8_t* usable,
                const PixelCalibration& calibration);
  bool take_foreground(int row, const ForegroundMask& foreground);
  template <bool reject>
  BackgroundSums background_sums(const Plane& plane, double threshold);
  void fill_background(const BackgroundSums& used, const Plane& plane,
                       models::IntegratedReflection& reflection) const;
  ForegroundSums foreground_sums(const Plane& plane);
  void set_centroid(const ForegroundSums& sums, models::IntegratedReflection& reflection) const;

  std::size_t row_start(int row) const {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(part_.stride);
  }
  double row_y(int row) const { return part_.y0 + row + 0.5 - centre_y_; }

  models::PixelBox box_;
  Part part_;
  double centre_x_ = 0, centre_y_ = 0;
  int first_row_ = 0, end_row_ = 0; ///< rows of the part that hold foreground
  int n_foreground_ = 0;
  std::vector<double> value_, background_, foreground_; ///< pixels; weights of 0 or 1
  std::vector<double> x_;
};

} // namespace kilobragg::integration
