// The numbers that dxtbx and cctbx gave (make_dxtbx_numbers.py), as JSON.
#pragma once

#include "kernels/geometry/mat3.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace kilobragg::testing {

inline nlohmann::json dxtbx_numbers() {
  return nlohmann::json::parse(
      std::ifstream(KILOBRAGG_SOURCE_DIR "/tests/models/dxtbx_numbers.json"));
}
inline Vec3 vec3(const nlohmann::json& j) { return {j[0], j[1], j[2]}; }
inline Mat3 mat3(const nlohmann::json& j) {
  Mat3 m;
  for (int i = 0; i < 9; ++i) m.m[i] = j[static_cast<std::size_t>(i)];
  return m;
}
inline void expect_near(const Vec3& a, const Vec3& b, double tolerance) {
  EXPECT_NEAR(a.x, b.x, tolerance);
  EXPECT_NEAR(a.y, b.y, tolerance);
  EXPECT_NEAR(a.z, b.z, tolerance);
}
inline void expect_near(const Mat3& a, const Mat3& b, double tolerance) {
  for (int i = 0; i < 9; ++i) EXPECT_NEAR(a.m[i], b.m[i], tolerance) << "element " << i;
}

} // namespace kilobragg::testing
