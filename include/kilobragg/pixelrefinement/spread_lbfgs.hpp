// L-BFGS over variables that are spread over ranks and lie on their devices.
#pragma once

#include "kernels/pixelrefinement/vectors.hpp"

#include "kilobragg/parallel/communicator.hpp"
#include "kilobragg/pixelrefinement/lbfgs.hpp"

#include <array>
#include <string>
#include <vector>

namespace kilobragg::pixelrefinement {

/// Vectors of which each rank holds first the elements that all ranks share, the same everywhere, then those
/// that it owns. Sums over elements are exact before they are rounded once (parallel/exact_sum.hpp): they
/// depend neither on the number of ranks, nor on who owns what, nor on the device; and every rank has the
/// same bits, without which ranks would take different steps. Of the shared elements each rank sums a part.
///
/// Sources that include this hold device memory: kilobragg_device_sources in their CMakeLists.txt.
class SpreadVectors {
public:
  using Vector = DeviceVector;
  struct Pair {
    const Vector *a, *b;
  };

  /// Collective. Throws core::Error if a rank shares another number, or holds 2^31 elements or more.
  SpreadVectors(parallel::Communicator ranks, std::size_t shared, std::size_t owned);

  const parallel::Communicator& ranks() const { return ranks_; }
  std::size_t shared() const { return shared_; }
  std::size_t owned() const { return owned_; }
  std::size_t size() const { return shared_ + owned_; } ///< of a vector on this rank
  std::int64_t variables() const { return variables_; } ///< of all ranks, shared ones once

  void assign(Vector& to, const Vector& from) const;
  void subtract_from(Vector& a, const Vector& b) const;
  void move(Vector& to, const Vector& x, double step, const Vector& d) const;
  void add_scaled(Vector& a, double factor, const Vector& b) const;
  void scale(Vector& a, double factor) const;
  void divide(Vector& a, const Vector& d) const;
  /// max |v_i| over all ranks. Collective.
  double largest(const Vector& v) const;
  /// The products of pairs of vectors, rounded once, in one message. Collective.
  template <std::size_t n>
  std::array<double, n> products(const std::array<Pair, n>& pairs) {
    std::array<double, n> sums;
    products(pairs.data(), n, sums.data());
    return sums;
  }

private:
  void products(const Pair* pairs, std::size_t count, double* sums);

  parallel::Communicator ranks_;
  std::size_t shared_, owned_;
  std::int64_t variables_ = 0;
  Stretches summed_; ///< by this rank
  DeviceArray<std::int64_t> columns_, limbs_;
};

/// Arrays are handles: a copy of the state shares them, and is no second state.
using SpreadLbfgsState = LbfgsStateOf<DeviceVector>;

/// As start_lbfgs of one process; x0 and diagonal have the elements of this rank; all
/// ranks give a diagonal, or none does. Collective.
SpreadLbfgsState start_lbfgs(const SpreadVectors& vectors, const std::vector<double>& x0,
                             const std::vector<double>& diagonal = {});

/// As advance_lbfgs of one process: f is the same on all ranks, the gradient has the elements of this rank,
/// its shared ones being the same on all. Collective: one message of 1 KB per evaluation, and
/// 2 m + 3 more per iteration with m pairs (2 m + 4 with max_step).
void advance_lbfgs(SpreadLbfgsState& state, SpreadVectors& vectors, double f,
                   const DeviceVector& gradient, const LbfgsParams& params = {});

/// The elements of a vector on this rank.
std::vector<double> on_the_host(const DeviceVector& vector);

} // namespace kilobragg::pixelrefinement
