// The parameters of one shot as a vector that a minimiser moves freely, and back.
#pragma once

#include "kilobragg/diffraction/shot_parameters.hpp"
#include "kilobragg/pixelrefinement/shot_model.hpp"

#include <span>
#include <string>
#include <vector>

namespace kilobragg::pixelrefinement {

/// How the parameters of one kind may move. Values stay between `low` and `high` by
///     v(x) = low + (high - low) (1 + sin x) / 2,
/// or, where only `low` = 0 is given, v(x) = v0 exp(x). Limits of kinds that start at zero (rotation,
/// strain, shifts) are changes from the start.
struct ParameterRule {
  bool fixed = false;
  double low = 0, high = 0;
  double sigma = 0; ///< restraint to the start: adds (v - v0)^2 / (2 sigma^2); 0 = none
};

/// Names and first values as in diffBragg (fix.*, mins.*, maxs.*, betas.* = sigma^2), in our units.
struct ParameterRules {
  ParameterRule scale{.low = 0, .high = 0};                  ///< G, relative; positive
  ParameterRule rotation{.low = -0.02, .high = 0.02};        ///< RotXYZ (rad)
  ParameterRule cell{.low = -0.03, .high = 0.03};            ///< free strains, relative
  ParameterRule size{.low = 3, .high = 3000};                ///< Nabc (unit cells)
  ParameterRule size_off_diagonal{.low = -200, .high = 200}; ///< Ndef (unit cells); fixed with Nabc
  ParameterRule spread{.low = 1e-6, .high = 0.02};           ///< eta_abc (rad)
  ParameterRule distance{.fixed = true, .low = -10, .high = 10};                ///< detz_shift (mm)
  ParameterRule wavelength_offset{.fixed = true, .low = -0.02, .high = 0.02};   ///< spec (angstrom)
  ParameterRule wavelength_scale{.fixed = true, .low = 0.95, .high = 1.05};     ///< spec
  ParameterRule b_factor{.fixed = true, .low = -100, .high = 1000, .sigma = 5}; ///< B (angstrom^2)
  /// All six: edges of the cell are not the directions in which a real crystal is short or bent.
  diffraction::SymmetricElements size_elements = diffraction::SymmetricElements::Six;
  diffraction::SymmetricElements spread_elements = diffraction::SymmetricElements::One;
};

/// Around one shot as it stands.
class ParameterSpace {
public:
  /// Values at or beyond a limit start just within it.
  ParameterSpace(ShotModel start, const ParameterRules& rules);

  std::size_t size() const { return parameters_.size(); }
  /// "RotXYZ0 (lattice 1)" and the like.
  std::string name(std::size_t parameter) const;
  /// The start.
  std::vector<double> start() const;
  ShotModel model(std::span<const double> x) const;
  /// False where N of a lattice is not positive definite. Peaks depend on N^T N alone, so that a way beyond
  /// its singular matrices leads to a second copy of each model, and to the limits of the diagonal.
  bool has_sizes(std::span<const double> x) const;
  /// How the model moves with each x at x.
  std::vector<diffraction::ParameterDirection> directions(std::span<const double> x) const;
  /// Sum of the restraints; adds their gradient and their curvature (diagonal).
  double restrain(std::span<const double> x, std::span<double> gradient,
                  std::span<double> curvature) const;
  /// Values as tables show them, and dv/dx.
  double value(std::size_t parameter, double x) const;
  double slope(std::size_t parameter, double x) const;

private:
  enum class Kind {
    Scale,
    Rotation,
    Cell,
    Size,
    SizeOffDiagonal,
    Spread,
    Distance,
    WavelengthOffset,
    WavelengthScale,
    BFactor
  };
  struct Parameter {
    Kind kind;
    int lattice = 0, element = 0;
    ParameterRule rule;
    double start = 0; ///< value
    double x0 = 0;    ///< where it has that value
  };
  void add(Kind kind, int lattice, int element, const ParameterRule& rule, double value);
  void add_lattice(int lattice, const ParameterRules& rules);
  /// Values of one kind of one lattice, in the order of their elements; those that are fixed are zero.
  Vec3 rotation_of(std::span<const double> x, int lattice) const;
  Mat3 strain_of(std::span<const double> x, int lattice) const;
  diffraction::ParameterDirection direction(const Parameter& p, double slope,
                                            std::span<const double> x,
                                            const ShotModel& model) const;

  ShotModel start_;
  std::vector<Parameter> parameters_;
  std::vector<std::vector<Mat3>> strains_;     ///< of each lattice's A at the start
  std::vector<std::vector<Mat3>> spread_axes_; ///< covariance per square of each spread element
  diffraction::SymmetricElements size_elements_;
};

} // namespace kilobragg::pixelrefinement
