// Launches on the elements of this rank, exact sums over those of all.
#include "kilobragg/pixelrefinement/spread_lbfgs.hpp"

#include "lbfgs_steps.hpp"

#include "kilobragg/parallel/exact_sum.hpp"
#include "kilobragg/parallel/together.hpp"

namespace kilobragg::pixelrefinement {
namespace {

constexpr int bad_input = 1; // exit status

/// The part of `count` elements that falls to `rank`.
Stretches share_of(std::int64_t count, int rank, int ranks) {
  const std::int64_t begin = count * rank / ranks, end = count * (rank + 1) / ranks;
  return {begin, end - begin, 0, 0};
}

} // namespace

SpreadVectors::SpreadVectors(parallel::Communicator ranks, std::size_t shared, std::size_t owned)
    : ranks_(std::move(ranks))
    , shared_(shared)
    , owned_(owned)
    , summed_(share_of(static_cast<std::int64_t>(shared), ranks_.rank(), ranks_.size())) {
  std::size_t shared_of_root = shared;
  ranks_.broadcast_value(shared_of_root);
  parallel::together(ranks_, bad_input, [&] {
    core::require(shared == shared_of_root, "rank {} shares {} variables where the first shares {}",
                  ranks_.rank(), shared, shared_of_root);
    core::require(size() < std::size_t(1) << 31,
                  "{} variables on one rank are too many (2^31 and more) use more ranks?", size());
  });
  variables_ = static_cast<std::int64_t>(shared) + ranks_.all_sum(static_cast<std::int64_t>(owned));
  summed_.second = static_cast<std::int64_t>(shared);
  summed_.second_count = static_cast<std::int64_t>(owned);
}

void SpreadVectors::assign(Vector& to, const Vector& from) const {
  if (to.extent(0) != from.extent(0)) to = device_array<double>(from.extent(0));
  Kokkos::deep_copy(to, from);
}

void SpreadVectors::subtract_from(Vector& a, const Vector& b) const {
  pixelrefinement::subtract_from(a, b);
}

void SpreadVectors::move(Vector& to, const Vector& x, double step, const Vector& d) const {
  move_along(to, x, step, d);
}

void SpreadVectors::add_scaled(Vector& a, double factor, const Vector& b) const {
  pixelrefinement::add_scaled(a, factor, b);
}

void SpreadVectors::scale(Vector& a, double factor) const { pixelrefinement::scale(a, factor); }

void SpreadVectors::divide(Vector& a, const Vector& d) const { pixelrefinement::divide(a, d); }

double SpreadVectors::largest(const Vector& v) const {
  double most = largest_magnitude(v);
  ranks_.all_max(std::span(&most, 1));
  return most;
}

void SpreadVectors::products(const Pair* pairs, std::size_t count, double* sums) {
  grow(columns_, exact_limbs * static_cast<std::size_t>(sums_at_once()));
  grow(limbs_, exact_limbs * count);
  for (std::size_t p = 0; p < count; ++p)
    sum_products(*pairs[p].a, *pairs[p].b, summed_, columns_, limbs_,
                 static_cast<std::int64_t>(exact_limbs * p));
  std::vector<std::int64_t> limbs(exact_limbs * count);
  to_host(limbs_, std::span(limbs));
  std::vector<parallel::ExactSum> exact(count);
  for (std::size_t p = 0; p < count; ++p)
    exact[p].add_limbs(std::span(limbs).subspan(exact_limbs * p).first<exact_limbs>(),
                       summed_.size());
  parallel::all_sum(ranks_, exact);
  for (std::size_t p = 0; p < count; ++p) sums[p] = exact[p].value();
}

SpreadLbfgsState start_lbfgs(const SpreadVectors& vectors, const std::vector<double>& x0,
                             const std::vector<double>& diagonal) {
  const bool has_diagonal = vectors.ranks().any(!diagonal.empty());
  parallel::together(vectors.ranks(), bad_input, [&] {
    core::require(x0.size() == vectors.size(), "{} values for {} variables", x0.size(),
                  vectors.size());
    check_diagonal(diagonal, x0.size());
    core::require(has_diagonal == !diagonal.empty() || x0.empty(),
                  "rank {} gives no diagonal of the Hessian where others do",
                  vectors.ranks().rank());
  });
  SpreadLbfgsState state;
  state.point = to_device(x0);
  state.has_diagonal = has_diagonal;
  state.diagonal = to_device(diagonal);
  return state;
}

void advance_lbfgs(SpreadLbfgsState& state, SpreadVectors& vectors, double f,
                   const DeviceVector& gradient, const LbfgsParams& params) {
  core::require(gradient.extent(0) == vectors.size(), "a gradient of {} elements for {} variables",
                gradient.extent(0), vectors.size());
  LbfgsSteps<SpreadVectors>(state, params, vectors).advance(f, gradient);
}

std::vector<double> on_the_host(const DeviceVector& vector) {
  std::vector<double> host(vector.extent(0));
  to_host(vector, std::span(host));
  return host;
}

} // namespace kilobragg::pixelrefinement
