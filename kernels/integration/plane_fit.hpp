// Least-squares plane through weighted pixels, from sums that any loop can accumulate.
#pragma once

#include "kernels/function.hpp"

#include <cmath>

namespace kilobragg {

/// value = c + a x + b y.
struct Plane {
  double c = 0, a = 0, b = 0;
  KOKKOS_FUNCTION double at(double x, double y) const { return c + a * x + b * y; }
};

/// Weighted sums over pixels: w, w x, ... and w p, w x p, w y p.
struct PlaneSums {
  double w = 0, x = 0, y = 0, xx = 0, xy = 0, yy = 0, p = 0, xp = 0, yp = 0;
};

/// Solves the normal equations after moving to the centroid of the weights. Returns false, leaving
/// `plane` alone, where the pixels do not span a plane (fewer than three, or on one line).
KOKKOS_FUNCTION inline bool solve_plane(const PlaneSums& s, Plane& plane) {
  if (!(s.w > 0)) return false;
  const double mx = s.x / s.w, my = s.y / s.w, mp = s.p / s.w;
  const double xx = s.xx - mx * s.x, xy = s.xy - mx * s.y, yy = s.yy - my * s.y;
  const double xp = s.xp - mx * s.p, yp = s.yp - my * s.p;
  const double det = xx * yy - xy * xy;
  if (!(det > 1e-12 * xx * yy)) return false;
  plane.a = (xp * yy - yp * xy) / det;
  plane.b = (yp * xx - xp * xy) / det;
  plane.c = mp - plane.a * mx - plane.b * my;
  return true;
}

} // namespace kilobragg
