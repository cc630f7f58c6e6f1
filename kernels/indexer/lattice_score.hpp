// How well real-space vectors explain reciprocal vectors: near-integer scores for blocks of trials.
#pragma once

#include "kernels/function.hpp"

namespace kilobragg {

/// Reciprocal vectors as three arrays (1/angstrom).
struct ReciprocalPoints {
  const float* x = nullptr;
  const float* y = nullptr;
  const float* z = nullptr;
  int count = 0;
};

/// `Lanes` real-space vectors (angstrom) tried side by side. Lanes are trials, never points, so that
/// each sum runs in the order of the points whatever the vector width.
template <int Lanes>
struct TrialVectors {
  float x[Lanes], y[Lanes], z[Lanes];
};

/// Distance to the nearest integer, |v| < 4e6. Adding and subtracting 1.5 * 2^23 rounds to nearest on
/// every machine and vectorises where calls of rint do not.
KOKKOS_FORCEINLINE_FUNCTION float off_integer(float v) {
  constexpr float shift = 12582912.0f;
  return v - ((v + shift) - shift);
}

/// score[l] = sum over points of max(0, tolerance2 - d^2), d = distance of q . v_l to an integer.
template <int Lanes>
KOKKOS_INLINE_FUNCTION void score_vectors(const ReciprocalPoints& q, const TrialVectors<Lanes>& v,
                                          float tolerance2, float* score) {
  float sums[Lanes] = {};
  for (int i = 0; i < q.count; ++i) {
    const float x = q.x[i], y = q.y[i], z = q.z[i];
    for (int l = 0; l < Lanes; ++l) {
      const float d = off_integer(x * v.x[l] + y * v.y[l] + z * v.z[l]);
      const float gain = tolerance2 - d * d;
      sums[l] += gain > 0.0f ? gain : 0.0f;
    }
  }
  for (int l = 0; l < Lanes; ++l) score[l] = sums[l];
}

/// As score_vectors for pairs of vectors, given what a first, fixed axis already costs each point:
/// score[l] = sum max(0, tolerance2 - first_d2 - d(q . v_l)^2 - d(q . w_l)^2).
template <int Lanes>
KOKKOS_INLINE_FUNCTION void score_pairs(const ReciprocalPoints& q, const float* first_d2,
                                        const TrialVectors<Lanes>& v, const TrialVectors<Lanes>& w,
                                        float tolerance2, float* score) {
  float sums[Lanes] = {};
  for (int i = 0; i < q.count; ++i) {
    const float x = q.x[i], y = q.y[i], z = q.z[i], left = tolerance2 - first_d2[i];
    for (int l = 0; l < Lanes; ++l) {
      const float d = off_integer(x * v.x[l] + y * v.y[l] + z * v.z[l]);
      const float e = off_integer(x * w.x[l] + y * w.y[l] + z * w.z[l]);
      const float gain = left - d * d - e * e;
      sums[l] += gain > 0.0f ? gain : 0.0f;
    }
  }
  for (int l = 0; l < Lanes; ++l) score[l] = sums[l];
}

} // namespace kilobragg
