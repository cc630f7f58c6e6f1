// Turning integrated reflections into observations: polarisation, asymmetric unit, nearness.
#include "kilobragg/merging/observations.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/hash.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kilobragg::merging {

namespace {

template <typename T>
void compact(std::vector<T>& values, const std::vector<bool>& keep) {
  std::size_t out = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (keep[i]) values[out++] = values[i];
  values.resize(out);
}

AsuIndex to_asu_index(const models::Miller& hkl, const ConversionParams& params) {
  bool plus = true;
  const models::Miller unique = params.space_group.to_asu(hkl, &plus);
  const auto limit = std::numeric_limits<std::int16_t>::max();
  core::require(std::abs(unique.h) <= limit && std::abs(unique.k) <= limit &&
                    std::abs(unique.l) <= limit,
                "index ({} {} {}) is out of range (indices beyond {} are no crystal's)", hkl.h,
                hkl.k, hkl.l, limit);
  const bool minus = !params.merge_anomalous && !plus && !params.space_group.is_centric(unique);
  return {static_cast<std::int16_t>(unique.h), static_cast<std::int16_t>(unique.k),
          static_cast<std::int16_t>(unique.l), static_cast<std::int16_t>(minus)};
}

// Where the reflection q goes when the lattice turns a little to meet the Ewald sphere: the Bragg angle
// of its length, in the plane of q and the beam.
Vec3 reflected_direction(const models::Beam& beam, const Vec3& q) {
  const Vec3 incident = -unit(beam.direction);
  const double sine = std::min(1.0, 0.5 * beam.wavelength * norm(q)); // of theta
  const Vec3 across = q - dot(q, incident) * incident;
  const double length = norm(across);
  if (length == 0) return incident;
  const double cos_two_theta = 1 - 2 * sine * sine;
  const double sin_two_theta = 2 * sine * std::sqrt(1 - sine * sine);
  return cos_two_theta * incident + (sin_two_theta / length) * across;
}

// Fills the nearness of the observations from `first` on, where excitation errors stand now.
void errors_to_weights(std::vector<float>& values, std::size_t first, double width) {
  double sum = 0;
  for (std::size_t i = first; i < values.size(); ++i) sum += double(values[i]) * values[i];
  const double rms =
      std::sqrt(sum / static_cast<double>(std::max<std::size_t>(1, values.size() - first)));
  for (std::size_t i = first; i < values.size(); ++i)
    values[i] = static_cast<float>(excitation_weight(values[i], rms, width));
}

} // namespace

void Observations::keep_observations(const std::vector<bool>& keep) {
  std::size_t out = 0;
  for (LatticeRecord& lattice : lattices) {
    const std::size_t begin = out;
    for (std::size_t i = lattice.begin; i < lattice.end; ++i) out += keep[i];
    lattice.begin = begin;
    lattice.end = out;
  }
  compact(index, keep);
  compact(intensity, keep);
  compact(variance, keep);
  compact(inv_d2, keep);
  compact(nearness, keep);
}

void Observations::shrink() {
  index.shrink_to_fit();
  intensity.shrink_to_fit();
  variance.shrink_to_fit();
  inv_d2.shrink_to_fit();
  nearness.shrink_to_fit();
}

void Observations::keep_lattices(const std::vector<bool>& keep) {
  std::vector<bool> rows(size());
  for (std::size_t n = 0; n < lattices.size(); ++n)
    for (std::size_t i = lattices[n].begin; i < lattices[n].end; ++i) rows[i] = keep[n];
  keep_observations(rows);
  std::size_t out = 0;
  for (std::size_t n = 0; n < lattices.size(); ++n) {
    if (!keep[n]) continue;
    if (out != n) lattices[out] = std::move(lattices[n]);
    ++out;
  }
  lattices.resize(out);
}

ConversionCounts& ConversionCounts::operator+=(const ConversionCounts& other) {
  taken += other.taken;
  no_variance += other.no_variance;
  absent += other.absent;
  return *this;
}

double polarization_factor(const models::Beam& beam, const Vec3& s1, double fraction) {
  const Vec3 incident = -unit(beam.direction);
  const Vec3 normal = unit(beam.polarization_normal);
  const Vec3 electric = cross(normal, incident);
  // A dipole along e radiates 1 - (s1.e)^2; the unpolarised rest is shared by the other direction.
  const double along_electric = dot(s1, electric), along_normal = dot(s1, normal);
  return fraction * (1 - along_electric * along_electric) +
         (1 - fraction) * (1 - along_normal * along_normal);
}

double excitation_error(const Mat3& a_matrix, const models::Beam& beam, const models::Miller& hkl) {
  const Vec3 q = a_matrix * Vec3{double(hkl.h), double(hkl.k), double(hkl.l)};
  return norm(q + beam.s0()) - 1 / beam.wavelength;
}

double excitation_weight(double error, double rms, double width) {
  if (rms <= 0) return 1;
  const double x = error / (width * rms);
  return std::exp(-0.5 * x * x);
}

HalfSet half_set(const std::string& identifier) {
  return core::md5_hex(identifier).back() % 2 == 0 ? HalfSet::Even : HalfSet::Odd;
}

ConversionCounts append_lattice(Observations& observations, const models::Experiment& experiment,
                                const IntegratedLattice& reflections,
                                const ConversionParams& params) {
  core::require(experiment.crystal.has_value(), "experiment {} has no crystal (not indexed?)",
                experiment.identifier);
  const models::Crystal& crystal = *experiment.crystal;
  const double fraction =
      params.polarization_fraction.value_or(experiment.beam.polarization_fraction);
  ConversionCounts counts;
  LatticeRecord lattice;
  lattice.identifier = experiment.identifier;
  lattice.cell = crystal.unit_cell();
  lattice.space_group = crystal.space_group;
  lattice.wavelength = experiment.beam.wavelength;
  lattice.begin = observations.size();
  for (std::size_t i = 0; i < reflections.hkl.size(); ++i) {
    const models::Miller& hkl = reflections.hkl[i];
    if (!(reflections.variance[i] > 0)) {
      ++counts.no_variance;
      continue;
    }
    if (params.space_group.is_absent(hkl)) {
      ++counts.absent;
      continue;
    }
    const Vec3 q = crystal.q(hkl);
    const double p =
        polarization_factor(experiment.beam, reflected_direction(experiment.beam, q), fraction);
    observations.index.push_back(to_asu_index(hkl, params));
    observations.intensity.push_back(static_cast<float>(reflections.intensity[i] / p));
    observations.variance.push_back(static_cast<float>(reflections.variance[i] / (p * p)));
    observations.inv_d2.push_back(static_cast<float>(norm2(q)));
    observations.nearness.push_back(
        static_cast<float>(excitation_error(crystal.a_matrix, experiment.beam, hkl)));
  }
  lattice.end = observations.size();
  counts.taken = static_cast<std::int64_t>(lattice.size());
  errors_to_weights(observations.nearness, lattice.begin, params.nearness_width);
  observations.lattices.push_back(std::move(lattice));
  return counts;
}

} // namespace kilobragg::merging
