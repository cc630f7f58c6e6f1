// A minimisation whose variables lie spread over ranks, each rank evaluating the whole function.
#pragma once

#include "pixelrefinement/minimum_problems.hpp"

#include "kilobragg/pixelrefinement/checkpoint.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace kilobragg::pixelrefinement {

/// The first `shared` variables are shared. Of the others each pair is a block; block b is owned by rank
/// (3 b + shift) mod size, where blocks lie in falling order.
class SpreadProblem {
public:
  SpreadProblem(Problem problem, const parallel::Communicator& ranks, std::size_t shared,
                std::size_t shift = 0)
      : problem_(std::move(problem))
      , shared_(shared)
      , mine_(variables_of(ranks, shift))
      , vectors_(ranks, shared, mine_.size() - shared) {}

  SpreadVectors& vectors() { return vectors_; }
  const std::vector<OwnedBlock>& blocks() const { return blocks_; }

  std::vector<double> part(const std::vector<double>& whole) const {
    std::vector<double> values;
    if (!whole.empty())
      for (const auto i : mine_) values.push_back(whole[std::size_t(i)]);
    return values;
  }
  SpreadLbfgsState start(const std::vector<double>& diagonal = {}) const {
    return start_lbfgs(vectors_, part(problem_.x0), part(diagonal));
  }
  /// All variables on every rank. Collective.
  std::vector<double> whole(const DeviceVector& vector) const {
    const std::vector<double> values = on_the_host(vector);
    const auto all_variables = vectors_.ranks().all_gather(text_of(mine_));
    const auto all_values = vectors_.ranks().all_gather(text_of(values));
    std::vector<double> x(problem_.x0.size());
    for (std::size_t r = 0; r < all_values.size(); ++r)
      for (std::size_t k = 0; k < all_values[r].size() / sizeof(double); ++k) {
        std::int32_t i = 0;
        std::memcpy(&i, all_variables[r].data() + k * sizeof i, sizeof i);
        std::memcpy(&x[std::size_t(i)], all_values[r].data() + k * sizeof(double), sizeof(double));
      }
    return x;
  }
  /// One evaluation; returns where it was.
  std::vector<double> evaluate(SpreadLbfgsState& state, const LbfgsParams& params) {
    const std::vector<double> x = whole(state.point);
    advance_lbfgs(state, vectors_, problem_.f(x), to_device(part(problem_.gradient(x))), params);
    return x;
  }

private:
  std::vector<std::int32_t> variables_of(const parallel::Communicator& ranks, std::size_t shift) {
    std::vector<std::int32_t> variables;
    for (std::size_t i = 0; i < shared_; ++i) variables.push_back(std::int32_t(i));
    const std::size_t owned = problem_.x0.size() - shared_;
    for (std::size_t b = (owned + 1) / 2; b-- > 0;) {
      if ((3 * b + shift) % std::size_t(ranks.size()) != std::size_t(ranks.rank())) continue;
      blocks_.push_back({"block " + std::to_string(b), std::min<std::size_t>(2, owned - 2 * b)});
      for (std::size_t k = 0; k < blocks_.back().size; ++k)
        variables.push_back(std::int32_t(shared_ + 2 * b + k));
    }
    return variables;
  }
  template <typename T>
  static std::string text_of(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
  }

  Problem problem_;
  std::size_t shared_;
  std::vector<OwnedBlock> blocks_;
  std::vector<std::int32_t> mine_; ///< variables of this rank
  SpreadVectors vectors_;
};

} // namespace kilobragg::pixelrefinement
