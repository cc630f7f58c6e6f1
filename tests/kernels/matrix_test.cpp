// Vectors and matrices of kernels/geometry against hand-checked values and identities.
#include "kernels/geometry/mat3.hpp"

#include <gtest/gtest.h>

using namespace kilobragg;

namespace {

constexpr Mat3 example{{2, -1, 0.5, 3, 4, -2, 1, 0, 5}};

void expect_near(const Mat3& a, const Mat3& b) {
  for (int i = 0; i < 9; ++i) EXPECT_NEAR(a.m[i], b.m[i], 1e-14) << "element " << i;
}

TEST(Vec3, ProductsByHand) {
  const Vec3 a{1, 2, 3}, b{-4, 5, 6};
  EXPECT_EQ(dot(a, b), 24);
  EXPECT_EQ(cross(a, b), (Vec3{-3, -18, 13}));
  EXPECT_EQ(a + b, (Vec3{-3, 7, 9}));
  EXPECT_EQ(2 * a - b, (Vec3{6, -1, 0}));
  EXPECT_NEAR(norm(unit(b)), 1, 1e-15);
}

TEST(Mat3, DeterminantByHandAndInverse) {
  EXPECT_DOUBLE_EQ(determinant(example), 2 * 20 + 17 + 0.5 * -4);
  expect_near(example * inverse(example), Mat3::identity());
  expect_near(inverse(example) * example, Mat3::identity());
}

TEST(Mat3, RowsColumnsAndTransposeAgree) {
  EXPECT_EQ(example.row(1), (Vec3{3, 4, -2}));
  EXPECT_EQ(example.col(2), (Vec3{0.5, -2, 5}));
  EXPECT_EQ(Mat3::from_columns(example.col(0), example.col(1), example.col(2)), example);
  EXPECT_EQ(transpose(example).row(2), example.col(2));
}

TEST(Mat3, RotationIsRightHandedAndKeepsItsAxis) {
  const double quarter = std::acos(0.0);
  const Vec3 turned = rotation_about({0, 0, 1}, quarter) * Vec3{1, 0, 0};
  EXPECT_NEAR(norm(turned - Vec3{0, 1, 0}), 0, 1e-15);
  const Vec3 axis = unit({1, -2, 0.5});
  const Mat3 r = rotation_about(axis, 0.8);
  expect_near(r * transpose(r), Mat3::identity());
  EXPECT_NEAR(determinant(r), 1, 1e-14);
  EXPECT_NEAR(norm(r * axis - axis), 0, 1e-14);
}

} // namespace
