// L-BFGS over the vectors of one process, for problems of few variables.
#include "kilobragg/pixelrefinement/lbfgs.hpp"

#include "lbfgs_steps.hpp"

namespace kilobragg::pixelrefinement {
namespace {

/// Loops over std::vector: ten variables must not pay for a launch.
struct HostVectors {
  using Vector = std::vector<double>;
  struct Pair {
    const Vector *a, *b;
  };

  void assign(Vector& to, const Vector& from) const { to = from; }
  void subtract_from(Vector& a, const Vector& b) const {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = b[i] - a[i];
  }
  void move(Vector& to, const Vector& x, double step, const Vector& d) const {
    to.resize(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) to[i] = x[i] + step * d[i];
  }
  void add_scaled(Vector& a, double factor, const Vector& b) const {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] += factor * b[i];
  }
  void scale(Vector& a, double factor) const {
    for (double& v : a) v *= factor;
  }
  void divide(Vector& a, const Vector& d) const {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] /= d[i];
  }
  double largest(const Vector& v) const {
    double most = 0;
    for (const double element : v) most = std::max(most, std::abs(element));
    return most;
  }
  template <std::size_t n>
  std::array<double, n> products(const std::array<Pair, n>& pairs) const {
    std::array<double, n> sums{};
    for (std::size_t p = 0; p < n; ++p)
      for (std::size_t i = 0; i < pairs[p].a->size(); ++i)
        sums[p] += (*pairs[p].a)[i] * (*pairs[p].b)[i];
    return sums;
  }
};

} // namespace

LbfgsState start_lbfgs(std::vector<double> x0, std::vector<double> diagonal) {
  check_diagonal(diagonal, x0.size());
  LbfgsState state;
  state.point = std::move(x0);
  state.has_diagonal = !diagonal.empty();
  state.diagonal = std::move(diagonal);
  return state;
}

void advance_lbfgs(LbfgsState& state, double f, std::span<const double> gradient,
                   const LbfgsParams& params) {
  core::require(gradient.size() == state.point.size(), "a gradient of {} elements for {} variables",
                gradient.size(), state.point.size());
  HostVectors vectors;
  LbfgsSteps<HostVectors>(state, params, vectors)
      .advance(f, std::vector<double>(gradient.begin(), gradient.end()));
}

} // namespace kilobragg::pixelrefinement
