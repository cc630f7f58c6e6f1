// How badly the model of one shot fits its shoeboxes, and how that changes with its parameters.
#pragma once

#include "kernels/pixelrefinement/likelihood.hpp"

#include "kilobragg/pixelrefinement/factor_table.hpp"
#include "kilobragg/pixelrefinement/parameter_space.hpp"
#include "kilobragg/pixelrefinement/shot_light.hpp"
#include "kilobragg/pixelrefinement/shot_pixels.hpp"
#include "kilobragg/pixelrefinement/shot_reflections.hpp"

#include <span>
#include <vector>

namespace kilobragg::pixelrefinement {

struct ShotTargetParams {
  Likelihood likelihood = Likelihood::Poisson;
  /// Structure factors are not known exactly: the light of each box may differ from the model by a
  /// factor e^t with ln-normal prior of width 2 sigma(ln F), and t takes its best value at every
  /// evaluation (a nuisance, profiled out). With F known exactly all t are zero.
  bool free_intensities = true;
  double largest_width = 2;        ///< of that prior
  int oversample = 1;              ///< points per pixel edge
  double tail = 1e-6;              ///< ShoeboxOptions
  BoxState boxes = BoxState::Used; ///< those in another state take no part
};

/// What the forward model is asked for.
diffraction::ShoeboxOptions options_of(const ShotTargetParams& params);

/// The model of a shot over all pixels of its boxes, also those that do not count.
struct ShotImage {
  std::vector<double> bragg;     ///< photons, times e^t of the pixel's box
  std::vector<double> box_scale; ///< t of each box, 0 where it takes no part
};

/// f = sum over the used pixels of boxes in use of -ln p(value | background + e^t bragg)
///     + sum over boxes t^2 / (2 width^2) + restraints.
/// As t is at its best everywhere, df/dx = sum slope e^t dbragg/dx + restraints (envelope theorem).
class ShotTarget {
public:
  /// Everything that is passed must outlive it; values and backgrounds are taken as they stand.
  ShotTarget(const ParameterSpace& space, const ShotPixels& pixels, const FactorTable& table,
             const ShotReflections& reflections, const ShotTargetParams& params);

  /// What the model is to be asked for at x: all pixels of the boxes in use, box after box, at t = 0.
  LightRequest request(std::span<const double> x) const;

  /// f and its gradient (size of the space); not finite where the model is not, or where N is not that of a
  /// block (ParameterSpace::has_sizes). `light` answers request(x).
  double evaluate(std::span<const double> x, const diffraction::ShoeboxView& light,
                  std::span<double> gradient);
  /// f without any light of the crystal, and without restraints.
  double dark() const;
  /// Fisher information of the parameters with all t free to follow (Schur complement), row-major,
  /// restraints included: sum w D D^T - (sum w D k)(sum w D k)^T / (sum w k^2 + 1/width^2), k = e^t bragg.
  std::vector<double> information(std::span<const double> x, const diffraction::ShoeboxView& light);
  ShotImage image(const diffraction::ShoeboxView& light);
  /// The same with all t = 0.
  ShotImage image_as_known(const diffraction::ShoeboxView& light) const;

  /// As above, where nobody else wants the light.
  diffraction::ShoeboxImage model(std::span<const double> x) const;
  double evaluate(std::span<const double> x, std::span<double> gradient);
  std::vector<double> information(std::span<const double> x);
  ShotImage image(std::span<const double> x);
  /// What F of each energy alone gives these pixels, at t = 0.
  std::vector<std::vector<double>> layers(std::span<const double> x) const;

private:
  struct Box {
    std::size_t number;      ///< in ShotPixels
    std::size_t first, last; ///< of the pixels that count, in `counted_`
    double prior;            ///< 1/width^2; 0 = t stays 0
  };
  /// A pixel that counts.
  struct Pixel {
    std::size_t modelled;     ///< in the model's images
    double value, background; ///< photons; value as the likelihood counts it
    double readout;           ///< 0 where the likelihood knows of none
    double log_factorial;     ///< of a whole number of photons
    double dark;              ///< -ln p(value | background)
  };
  /// One that is lit, with its light at t = 0 and then at the best t.
  struct LitPixel {
    const Pixel* pixel;
    double bragg;
  };
  void add_box(std::size_t number);
  Pixel make_pixel(std::size_t pixel, std::size_t modelled) const;
  PixelFit fit(const Pixel& pixel, double m) const;
  /// The same without the value, which takes a logarithm.
  PixelFit slope(const Pixel& pixel, double m) const;
  std::vector<LitPixel> lit_pixels(const Box& box, std::span<const double> photons) const;
  /// `scale(k)` of box number k.
  template <typename Scale>
  ShotImage draw(const diffraction::ShoeboxView& light, const Scale& scale) const;
  /// The best t of box number k; it is kept as the next start.
  double fit_scale(std::size_t k, std::span<const LitPixel> lit);

  const ParameterSpace& space_;
  const ShotPixels& pixels_;
  const FactorTable& table_;
  const ShotReflections& reflections_;
  ShotTargetParams params_;
  std::vector<double> shares_;                ///< of the layers of F in the shot's light
  std::vector<diffraction::Shoebox> windows_; ///< of the boxes in use
  std::vector<Box> boxes_;
  std::vector<Pixel> counted_;
  std::vector<std::size_t> first_of_window_; ///< in the model's images, and the end
  std::vector<double> scale_;                ///< t of each box, where the last evaluation left it
};

} // namespace kilobragg::pixelrefinement
