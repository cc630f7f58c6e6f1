// Parameters of a shot to its model, and how the model moves with each.
#include "kilobragg/pixelrefinement/parameter_space.hpp"

#include "kernels/geometry/small_solve.hpp"

#include "kilobragg/refinement/cell_freedom.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace kilobragg::pixelrefinement {
namespace {

using diffraction::ParameterDirection;
using diffraction::ShotLattice;
using diffraction::SymmetricElements;

bool positive(const ParameterRule& rule) { return rule.low == 0 && rule.high == 0; }

/// Left Jacobian of the rotation vector w: exp(w + dw) = exp(J dw) exp(w) to first order.
Mat3 left_jacobian(const Vec3& w) {
  const double angle = norm(w);
  const Mat3 cross_w = -1 * diffraction::rotation_jacobian(w);
  if (angle < 1e-4) return Mat3::identity() + 0.5 * cross_w + (1.0 / 6) * (cross_w * cross_w);
  const double a2 = angle * angle;
  return Mat3::identity() + ((1 - std::cos(angle)) / a2) * cross_w +
         ((angle - std::sin(angle)) / (a2 * angle)) * (cross_w * cross_w);
}

Vec3 axis(int i) { return {double(i == 0), double(i == 1), double(i == 2)}; }

constexpr std::array<std::array<int, 2>, 6> pairs{{{0, 0}, {1, 1}, {2, 2}, {0, 1}, {0, 2}, {1, 2}}};

/// By the leading minors of a symmetric matrix.
bool is_positive_definite(const Mat3& m) {
  return m(0, 0) > 0 && m(0, 0) * m(1, 1) - m(0, 1) * m(1, 0) > 0 && determinant(m) > 0;
}

/// Where v lies between the limits as the angle of ParameterRule, a little within them.
double angle_of(double v, const ParameterRule& rule) {
  constexpr double margin = 1e-3;
  const double share = 2 * (v - rule.low) / (rule.high - rule.low) - 1;
  return std::asin(std::clamp(share, -1 + margin, 1 - margin));
}

} // namespace

ParameterSpace::ParameterSpace(ShotModel start, const ParameterRules& rules)
    : start_(std::move(start))
    , size_elements_(rules.size_elements) {
  for (int l = 0; l < static_cast<int>(start_.lattices.size()); ++l) add_lattice(l, rules);
  add(Kind::Distance, 0, 0, rules.distance, start_.distance);
  add(Kind::WavelengthOffset, 0, 0, rules.wavelength_offset, start_.wavelength.offset);
  add(Kind::WavelengthScale, 0, 0, rules.wavelength_scale, start_.wavelength.scale);
  add(Kind::BFactor, 0, 0, rules.b_factor, start_.b_factor);
}

void ParameterSpace::add(Kind kind, int lattice, int element, const ParameterRule& rule,
                         double value) {
  if (rule.fixed) return;
  parameters_.push_back(
      {kind, lattice, element, rule, value, positive(rule) ? 0 : angle_of(value, rule)});
}

void ParameterSpace::add_lattice(int lattice, const ParameterRules& rules) {
  const ShotLattice& of = start_.lattices[static_cast<std::size_t>(lattice)];
  add(Kind::Scale, lattice, 0, rules.scale, of.scale);
  for (int i = 0; i < 3; ++i) add(Kind::Rotation, lattice, i, rules.rotation, 0);
  strains_.push_back(refinement::CellFreedom(of.crystal.space_group).strains(of.crystal.a_matrix));
  for (int i = 0; i < static_cast<int>(strains_.back().size()); ++i)
    add(Kind::Cell, lattice, i, rules.cell, 0);
  if (size_elements_ == SymmetricElements::One) {
    add(Kind::Size, lattice, 0, rules.size, std::cbrt(determinant(of.size)));
  } else if (!rules.size.fixed) {
    for (int i = 0; i < static_cast<int>(size_elements_); ++i) {
      const auto& p = pairs[static_cast<std::size_t>(i)];
      add(i < 3 ? Kind::Size : Kind::SizeOffDiagonal, lattice, i,
          i < 3 ? rules.size : rules.size_off_diagonal, of.size(p[0], p[1]));
    }
  }
  spread_axes_.emplace_back();
  const Mat3 u = of.crystal.u_matrix(), inner = transpose(u) * of.rotation * u;
  if (rules.spread_elements == SymmetricElements::One) {
    spread_axes_.back().push_back(Mat3::identity());
    add(Kind::Spread, lattice, 0, rules.spread, std::sqrt(trace(of.rotation) / 3));
  } else {
    for (int i = 0; i < 3; ++i) {
      Mat3 one;
      one(i, i) = 1;
      spread_axes_.back().push_back(u * one * transpose(u));
      add(Kind::Spread, lattice, i, rules.spread, std::sqrt(std::max(0.0, inner(i, i))));
    }
  }
}

std::string ParameterSpace::name(std::size_t parameter) const {
  static const char* const names[] = {"G",   "RotXYZ",     "ucell",     "Nabc",      "Ndef",
                                      "eta", "detz_shift", "spec_lam0", "spec_lam1", "B"};
  const Parameter& p = parameters_[parameter];
  std::string text = names[static_cast<int>(p.kind)];
  if (p.kind == Kind::Rotation || p.kind == Kind::Cell || p.kind == Kind::Size ||
      p.kind == Kind::Spread)
    text += std::to_string(p.element);
  if (p.kind == Kind::SizeOffDiagonal) text += std::to_string(p.element - 3);
  if (start_.lattices.size() > 1 && p.kind < Kind::Distance)
    text += fmt::format(" (lattice {})", p.lattice);
  return text;
}

std::vector<double> ParameterSpace::start() const {
  std::vector<double> x;
  for (const Parameter& p : parameters_) x.push_back(p.x0);
  return x;
}

double ParameterSpace::value(std::size_t parameter, double x) const {
  const Parameter& p = parameters_[parameter];
  if (positive(p.rule)) return p.start * std::exp(x);
  return p.rule.low + 0.5 * (p.rule.high - p.rule.low) * (1 + std::sin(x));
}

double ParameterSpace::slope(std::size_t parameter, double x) const {
  const Parameter& p = parameters_[parameter];
  return positive(p.rule) ? value(parameter, x) : 0.5 * (p.rule.high - p.rule.low) * std::cos(x);
}

Vec3 ParameterSpace::rotation_of(std::span<const double> x, int lattice) const {
  Vec3 w;
  for (std::size_t i = 0; i < size(); ++i)
    if (parameters_[i].kind == Kind::Rotation && parameters_[i].lattice == lattice)
      w[parameters_[i].element] = value(i, x[i]);
  return w;
}

Mat3 ParameterSpace::strain_of(std::span<const double> x, int lattice) const {
  Mat3 strain;
  for (std::size_t i = 0; i < size(); ++i)
    if (const Parameter& p = parameters_[i]; p.kind == Kind::Cell && p.lattice == lattice)
      strain = strain +
               value(i, x[i]) *
                   strains_[static_cast<std::size_t>(lattice)][static_cast<std::size_t>(p.element)];
  return strain;
}

ShotModel ParameterSpace::model(std::span<const double> x) const {
  ShotModel model = start_;
  std::vector<bool> spread_set(model.lattices.size());
  for (std::size_t i = 0; i < size(); ++i) {
    const Parameter& p = parameters_[i];
    ShotLattice& lattice = model.lattices[static_cast<std::size_t>(p.lattice)];
    const double v = value(i, x[i]);
    switch (p.kind) {
    case Kind::Scale:
      lattice.scale = v;
      break;
    case Kind::Size:
      if (size_elements_ == SymmetricElements::One)
        lattice.size = v * Mat3::identity();
      else
        lattice.size(p.element, p.element) = v;
      break;
    case Kind::SizeOffDiagonal: {
      const auto& at = pairs[static_cast<std::size_t>(p.element)];
      lattice.size(at[0], at[1]) = lattice.size(at[1], at[0]) = v;
      break;
    }
    case Kind::Spread:
      if (!spread_set[static_cast<std::size_t>(p.lattice)]) lattice.rotation = {};
      spread_set[static_cast<std::size_t>(p.lattice)] = true;
      lattice.rotation = lattice.rotation + v * v *
                                                spread_axes_[static_cast<std::size_t>(p.lattice)]
                                                            [static_cast<std::size_t>(p.element)];
      break;
    case Kind::Distance:
      model.distance = v;
      break;
    case Kind::WavelengthOffset:
      model.wavelength.offset = v;
      break;
    case Kind::WavelengthScale:
      model.wavelength.scale = v;
      break;
    case Kind::BFactor:
      model.b_factor = v;
      break;
    case Kind::Rotation:
    case Kind::Cell:
      break; // together, below
    }
  }
  for (std::size_t l = 0; l < model.lattices.size(); ++l) {
    Mat3& a = model.lattices[l].crystal.a_matrix;
    a = rotation_by(rotation_of(x, int(l))) * ((Mat3::identity() + strain_of(x, int(l))) * a);
  }
  return model;
}

bool ParameterSpace::has_sizes(std::span<const double> x) const {
  if (size_elements_ != SymmetricElements::Six) return true; // the diagonal is
  const ShotModel now = model(x);
  return std::all_of(now.lattices.begin(), now.lattices.end(),
                     [](const ShotLattice& l) { return is_positive_definite(l.size); });
}

ParameterDirection ParameterSpace::direction(const Parameter& p, double slope,
                                             std::span<const double> x,
                                             const ShotModel& model) const {
  ParameterDirection d;
  d.lattice = p.lattice;
  const auto l = static_cast<std::size_t>(p.lattice), e = static_cast<std::size_t>(p.element);
  const ShotLattice& now = model.lattices[l];
  switch (p.kind) {
  case Kind::Scale:
    d.crystal.log_scale = slope / now.scale;
    break;
  case Kind::Rotation: {
    const Vec3 turn = left_jacobian(rotation_of(x, p.lattice)) * (slope * axis(p.element));
    d.crystal.a_matrix = -1 * (diffraction::rotation_jacobian(turn) * now.crystal.a_matrix);
    break;
  }
  case Kind::Cell:
    d.crystal.a_matrix = slope * (rotation_by(rotation_of(x, p.lattice)) *
                                  (strains_[l][e] * start_.lattices[l].crystal.a_matrix));
    break;
  case Kind::Size:
    if (size_elements_ == SymmetricElements::One)
      d.crystal.size = slope * Mat3::identity();
    else
      d.crystal.size(p.element, p.element) = slope;
    break;
  case Kind::SizeOffDiagonal: {
    const auto& at = pairs[e];
    d.crystal.size(at[0], at[1]) = d.crystal.size(at[1], at[0]) = slope;
    break;
  }
  case Kind::Spread: {
    const double v = value(static_cast<std::size_t>(&p - parameters_.data()),
                           x[static_cast<std::size_t>(&p - parameters_.data())]);
    d.crystal.rotation = (2 * v * slope) * spread_axes_[l][e];
    break;
  }
  case Kind::Distance:
    d.shift = -slope * unit(model.beam.direction);
    break;
  case Kind::WavelengthOffset:
    d.wavelength_offset = slope;
    break;
  case Kind::WavelengthScale:
    d.wavelength_scale = slope;
    break;
  case Kind::BFactor:
    d.b_factor = slope;
    break;
  }
  return d;
}

std::vector<ParameterDirection> ParameterSpace::directions(std::span<const double> x) const {
  const ShotModel now = model(x);
  std::vector<ParameterDirection> result;
  for (std::size_t i = 0; i < size(); ++i)
    result.push_back(direction(parameters_[i], slope(i, x[i]), x, now));
  return result;
}

double ParameterSpace::restrain(std::span<const double> x, std::span<double> gradient,
                                std::span<double> curvature) const {
  double sum = 0;
  for (std::size_t i = 0; i < size(); ++i) {
    const Parameter& p = parameters_[i];
    if (p.rule.sigma == 0) continue;
    const double weight = 1 / (p.rule.sigma * p.rule.sigma), moved = value(i, x[i]) - p.start,
                 along = slope(i, x[i]);
    sum += 0.5 * weight * moved * moved;
    gradient[i] += weight * moved * along;
    curvature[i] += weight * along * along;
  }
  return sum;
}

} // namespace kilobragg::pixelrefinement
