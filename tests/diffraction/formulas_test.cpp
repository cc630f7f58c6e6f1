// Lattice factor, mosaic broadening and pixel factors against brute force and known forms.
#include "tests/reference/forward_reference.hpp"

#include "kernels/diffraction/lattice_factor.hpp"
#include "kernels/diffraction/pixel_factors.hpp"
#include "kernels/diffraction/spot_kernel.hpp"

#include <gtest/gtest.h>

namespace kilobragg::diffraction {
namespace {

const Mat3 a_matrix = rotation_about(unit({1, 2, 3}), 0.7) *
                      Mat3{{0.013, 0.002, 0.001, 0, 0.014, 0.003, 0, 0, 0.027}};
const Mat3 size{{14, 1, 0, 1, 20, 2, 0, 2, 9}};

Mat3 isotropic(double variance) { return variance * Mat3::identity(); }

TEST(LatticeFactor, CentreIsTheSquareOfTheNumberOfCells) {
  const double cells = determinant(size);
  EXPECT_NEAR(gauss_lattice_factor_squared(size, {0, 0, 0}), cells * cells, 1e-9 * cells * cells);
}

TEST(LatticeFactor, HasTheVolumeOfAParallelepipedCrystal) {
  // Interference of N cells integrates to N over one unit of h; the Gaussian to N within 1 %.
  const Mat3 one_direction = Mat3::from_rows({12, 0, 0}, {0, 1, 0}, {0, 0, 1});
  double sum = 0;
  for (double h = -0.5; h < 0.5; h += 1e-4)
    sum += gauss_lattice_factor_squared(one_direction, {h, 0, 0}) * 1e-4;
  EXPECT_NEAR(sum / 12, 1, 0.01);
}

TEST(PeakShape, WithoutMosaicSpreadIsTheLatticeFactor) {
  const Vec3 h{5, -3, 7};
  const PeakShape peak = make_peak_shape(
      make_lattice_shape(a_matrix, make_block_shape(CrystalShape::Gauss, size), isotropic(0)),
      a_matrix * h);
  for (const Vec3 dh : {Vec3{0.01, 0, 0}, Vec3{0, 0.02, -0.01}, Vec3{-0.03, 0.01, 0.05}}) {
    const double expected = gauss_lattice_factor_squared(size, dh);
    EXPECT_NEAR(peak_value(peak, a_matrix * (h + dh)), expected, 1e-9 * expected);
  }
}

/// Mean of the lattice factor over explicit blocks at the point q.
double over_blocks(const reference::Blocks& blocks, const Vec3& h0, const Vec3& q) {
  double sum = 0;
  for (const auto& [rotation, weight] : blocks)
    sum += weight * gauss_lattice_factor_squared(size, inverse(rotation * a_matrix) * q - h0);
  return sum;
}

TEST(PeakShape, MosaicSpreadAgreesWithExplicitBlocks) {
  const double sigma = 0.05 * 3.14159265 / 180;
  const auto blocks = reference::gaussian_blocks(25, sigma);
  const Vec3 h0{21, -13, 9}, centre = a_matrix * h0;
  const LatticeShape lattice = make_lattice_shape(
      a_matrix, make_block_shape(CrystalShape::Gauss, size), isotropic(sigma * sigma));
  const PeakShape peak = make_peak_shape(lattice, centre);
  EXPECT_LT(peak.height, 0.7 * lattice.volume2) << "the spread must matter for this test to test";
  const Vec3 across = unit(cross(centre, {0, 0, 1})), along = unit(centre);
  const double sigma_across = std::sqrt(quadratic_form(peak.covariance, across));
  const double sigma_along = std::sqrt(quadratic_form(peak.covariance, along));
  for (double t : {-1.5, -0.7, 0.0, 0.5, 1.0, 2.0})
    for (const Vec3& step : {sigma_across * across, sigma_along * along}) {
      const Vec3 q = centre + t * step;
      const double expected = over_blocks(blocks, h0, q);
      EXPECT_NEAR(peak_value(peak, q), expected, 0.01 * expected) << t;
    }
}

TEST(PeakShape, AnisotropicSpreadWidensAcrossItsAxisAlone) {
  const double variance = 1e-6;
  const Mat3 about_z{{0, 0, 0, 0, 0, 0, 0, 0, variance}};
  const Mat3 s = mosaic_covariance({0.3, 0, 0.4}, about_z);
  EXPECT_NEAR(s(1, 1), 0.09 * variance, 1e-20);
  EXPECT_NEAR(s(0, 0), 0, 1e-20);
  EXPECT_NEAR(s(2, 2), 0, 1e-20);
}

TEST(PeakShape, SpreadKeepsTheIntegral) {
  const LatticeShape sharp =
      make_lattice_shape(a_matrix, make_block_shape(CrystalShape::Gauss, size), isotropic(0));
  const LatticeShape wide =
      make_lattice_shape(a_matrix, make_block_shape(CrystalShape::Gauss, size), isotropic(1e-6));
  const Vec3 q = a_matrix * Vec3{4, 5, 6};
  const auto integral = [&](const LatticeShape& lattice) {
    const PeakShape peak = make_peak_shape(lattice, q);
    return peak.height * std::sqrt(determinant(peak.covariance));
  };
  EXPECT_NEAR(integral(wide) / integral(sharp), 1, 1e-12);
}

TEST(Polarisation, IsKahnsFormula) {
  const Vec3 k0{0, 0, -1}, n{0, 1, 0}, e = cross(n, k0);
  for (double two_theta : {0.0, 0.3, 1.1})
    for (double psi : {0.0, 0.4, 1.57, 3.0})
      for (double f : {0.0, 0.5, 0.999, 1.0}) {
        const double s = std::sin(two_theta), c = std::cos(two_theta), kahn = 2 * f - 1;
        const Vec3 k = c * k0 + s * (std::cos(psi) * e + std::sin(psi) * n);
        EXPECT_NEAR(polarisation_factor(k, e, n, f),
                    0.5 * (1 + c * c - kahn * std::cos(2 * psi) * s * s), 1e-12);
      }
}

TEST(SolidAngle, PixelsAddUpToTheRectangle) {
  const double a = 40, b = 30, d = 50, pixel = 0.25; // half edges and distance (mm)
  double sum = 0;
  for (double x = -a + pixel / 2; x < a; x += pixel)
    for (double y = -b + pixel / 2; y < b; y += pixel)
      sum += solid_angle({x, y, -d}, {0, 0, -1}, pixel * pixel);
  EXPECT_NEAR(sum, 4 * std::asin(a * b / std::sqrt((a * a + d * d) * (b * b + d * d))), 1e-5);
}

TEST(Capture, GrowsWithObliquity) {
  const Vec3 n{0, 0, -1};
  EXPECT_NEAR(capture_fraction(n, n, 2, 0.32), 1 - std::exp(-0.64), 1e-12);
  EXPECT_NEAR(capture_fraction(unit({1, 0, -1}), n, 2, 0.32), 1 - std::exp(-0.64 * std::sqrt(2.0)),
              1e-12);
  EXPECT_EQ(capture_fraction(n, n, 0, 0.32), 1);
}

TEST(EwaldCut, IsTheBrightestPointOfTheSphereAndItsWidth) {
  const LatticeShape lattice =
      make_lattice_shape(a_matrix, make_block_shape(CrystalShape::Gauss, size), isotropic(4e-7));
  const PeakShape peak = make_peak_shape(lattice, a_matrix * Vec3{8, 3, -6});
  // Choose the beam so that the sphere misses the peak's centre by about one sigma.
  const Vec3 direction = unit({-0.2, 0.1, 1});
  const double along = dot(peak.centre, direction);
  ASSERT_LT(along, 0);
  const double exact = -2 * along / norm2(peak.centre);
  const double wave_number = 1 / (exact * 1.004);
  const EwaldCut cut = cut_by_ewald_sphere(peak, direction, wave_number);
  EXPECT_GT(cut.chi2, 0.1);
  const auto chi2_on_sphere = [&](const Vec3& ray) {
    const Vec3 q = wave_number * (unit(ray) - direction);
    return quadratic_form(peak.inverse_covariance, q - peak.centre);
  };
  EXPECT_NEAR(chi2_on_sphere(cut.ray), cut.chi2, 0.02 * cut.chi2);
  const Vec3 n = unit(cut.ray), u = unit(cross(n, {1, 0, 0})), v = cross(n, u);
  for (const Vec3& way : {u, v, unit(u + v)}) {
    EXPECT_GT(chi2_on_sphere(cut.ray + 2e-4 * way), chi2_on_sphere(cut.ray));
    // One standard deviation of the cut away along its conjugate direction, chi^2 grows by one.
    const Vec3 step = cut.covariance * way / std::sqrt(quadratic_form(cut.covariance, way));
    EXPECT_NEAR(chi2_on_sphere(cut.ray + step) - cut.chi2, 1, 0.03);
  }
}

} // namespace
} // namespace kilobragg::diffraction
