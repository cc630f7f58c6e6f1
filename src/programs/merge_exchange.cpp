// The all-to-all of merge.
#include "merge_exchange.hpp"

#include "merge_options.hpp"

#include "kilobragg/core/hash.hpp"
#include "kilobragg/parallel/exchange.hpp"
#include "kilobragg/parallel/fixed_point_sum.hpp"
#include "kilobragg/parallel/together.hpp"

#include <algorithm>
#include <memory>

namespace kilobragg::programs {

namespace {

// Values of the observations held here, split by owner in their own order.
template <typename T>
std::vector<std::vector<T>> split(std::span<const T> values, const std::vector<std::int32_t>& owner,
                                  int owners) {
  std::vector<std::vector<T>> outgoing(static_cast<std::size_t>(owners));
  std::vector<std::size_t> counts(outgoing.size(), 0);
  for (const std::int32_t o : owner) ++counts[static_cast<std::size_t>(o)];
  for (std::size_t o = 0; o < outgoing.size(); ++o) outgoing[o].reserve(counts[o]);
  for (std::size_t i = 0; i < values.size(); ++i)
    outgoing[static_cast<std::size_t>(owner[i])].push_back(values[i]);
  return outgoing;
}

// Mean over all ranks' values as a fixed-point sum, the same however they are distributed.
double exact_mean(const parallel::Communicator& communicator, std::span<const double> values) {
  constexpr double scale = 68719476736.0; // 2^36: steps of 1.5e-11, sums up to 1.3e8
  parallel::FixedPointSum sum(scale, "sum of scales");
  for (const double value : values) sum.add(value);
  std::int64_t totals[2] = {sum.total(), static_cast<std::int64_t>(values.size())};
  communicator.all_sum(std::span<std::int64_t>(totals));
  sum.set_total(totals[0]);
  return totals[1] > 0 ? sum.value() / static_cast<double>(totals[1]) : 0;
}

} // namespace

LatticeNumbers number_lattices(const parallel::Communicator& communicator,
                               const merging::Observations& observations) {
  std::string mine;
  for (const merging::LatticeRecord& lattice : observations.lattices)
    mine += lattice.identifier + '\n';
  std::vector<std::string> all;
  for (const std::string& part : communicator.all_gather(mine))
    for (std::size_t at = 0; at < part.size();) {
      const std::size_t end = part.find('\n', at);
      all.push_back(part.substr(at, end - at));
      at = end + 1;
    }
  std::sort(all.begin(), all.end());
  const auto twice = std::adjacent_find(all.begin(), all.end());
  if (twice != all.end())
    throw parallel::CommonError(
        fmt::format("the experiment identifier '{}' occurs twice (were the same results given "
                    "twice, or a folder with two runs over the same images?)",
                    *twice),
        merge_usage);
  LatticeNumbers numbers;
  for (const merging::LatticeRecord& lattice : observations.lattices)
    numbers.mine.push_back(static_cast<std::uint32_t>(
        std::lower_bound(all.begin(), all.end(), lattice.identifier) - all.begin()));
  std::string joined;
  for (const std::string& identifier : all) {
    numbers.half.push_back(merging::half_set(identifier));
    joined += identifier + '\n';
  }
  numbers.digest = core::md5_hex(joined);
  return numbers;
}

ExchangePlan::ExchangePlan(const parallel::Communicator& communicator,
                           const merging::Observations& observations, const LatticeNumbers& numbers)
    : communicator_(communicator) {
  const int owners = communicator.size();
  owner_.reserve(observations.size());
  for (const merging::AsuIndex& index : observations.index)
    owner_.push_back(merging::owner_of(index, owners));
  std::vector<std::uint32_t> lattice(observations.size());
  for (std::size_t n = 0; n < observations.lattices.size(); ++n)
    for (std::size_t i = observations.lattices[n].begin; i < observations.lattices[n].end; ++i)
      lattice[i] = numbers.mine[n];
  auto indices = parallel::exchange(
      communicator, split(std::span<const merging::AsuIndex>(observations.index), owner_, owners));
  const auto lattices = parallel::exchange(
      communicator, split(std::span<const std::uint32_t>(lattice), owner_, owners));
  received_ = std::move(indices.begin);
  groups_ = merging::group_by_index(indices.records, lattices.records);
}

std::vector<float> ExchangePlan::to_owners(std::span<const float> values) const {
  const auto arrived =
      parallel::exchange(communicator_, split(values, owner_, communicator_.size()));
  return groups_.in_order(arrived.records);
}

std::vector<float> ExchangePlan::to_holders(std::span<const float> ordered) const {
  const std::vector<float> arrived = groups_.in_arrival_order(ordered);
  std::vector<std::vector<float>> outgoing;
  for (std::size_t r = 0; r + 1 < received_.size(); ++r)
    outgoing.emplace_back(arrived.begin() + static_cast<std::ptrdiff_t>(received_[r]),
                          arrived.begin() + static_cast<std::ptrdiff_t>(received_[r + 1]));
  const auto back = parallel::exchange(communicator_, std::move(outgoing));
  std::vector<std::size_t> next(back.begin.begin(), back.begin.end() - 1);
  std::vector<float> values(owner_.size());
  for (std::size_t i = 0; i < owner_.size(); ++i)
    values[i] = back.records[next[static_cast<std::size_t>(owner_[i])]++];
  return values;
}

merging::ScalingExchange scaling_exchange(const parallel::Communicator& communicator,
                                          const merging::Observations& observations) {
  const LatticeNumbers numbers = number_lattices(communicator, observations);
  const auto plan = std::make_shared<const ExchangePlan>(communicator, observations, numbers);
  const auto weight =
      std::make_shared<const std::vector<float>>(plan->to_owners(observations.nearness));
  merging::ScalingExchange exchange;
  exchange.means_of_others = [plan, weight](std::span<const float> scaled) {
    return plan->to_holders(
        merging::means_of_others(plan->groups(), plan->to_owners(scaled), *weight));
  };
  exchange.all_max = [communicator](double value) {
    communicator.all_max(std::span<double>(&value, 1));
    return value;
  };
  exchange.mean = [communicator](std::span<const double> values) {
    return exact_mean(communicator, values);
  };
  return exchange;
}

} // namespace kilobragg::programs
