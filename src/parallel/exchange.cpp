// All-to-all exchange: one MPI_Alltoallv when everything is small, pairwise in pieces otherwise.
#include "kilobragg/parallel/exchange.hpp"

#include "communicator_state.hpp"

#include <algorithm>
#include <cstring>

namespace kilobragg::parallel {
namespace detail {
namespace {

using Sizes = std::vector<std::uint64_t>;
using Out = std::span<const std::span<const std::byte>>;

std::size_t total(const Sizes& sizes) {
  std::size_t sum = 0;
  for (const auto size : sizes) sum += size;
  return sum;
}

/// One exchange with the partners `step` ranks away on either side.
void exchange_step(const Communicator::State& state, std::span<const std::byte> out, int to,
                   std::byte* in, std::size_t in_bytes, int from, std::size_t piece) {
  constexpr int tag = 72;
  std::vector<MPI_Request> requests;
  in_pieces(in_bytes, piece, [&](std::size_t at, int n) {
    requests.emplace_back();
    MPI_Irecv(in + at, n, MPI_BYTE, from, tag, state.comm, &requests.back());
  });
  in_pieces(out.size(), piece, [&](std::size_t at, int n) {
    requests.emplace_back();
    MPI_Isend(out.data() + at, n, MPI_BYTE, to, tag, state.comm, &requests.back());
  });
  MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE);
}

void exchange_pairwise(const Communicator::State& state, Out out, const Sizes& in_sizes,
                       const std::function<std::byte*(int)>& place,
                       const std::function<void(int)>& sent, std::size_t piece) {
  for (int step = 1; step < state.size; ++step) {
    const int to = (state.rank + step) % state.size;
    const int from = (state.rank - step + state.size) % state.size;
    exchange_step(state, out[std::size_t(to)], to, place(from), in_sizes[std::size_t(from)], from,
                  piece);
    sent(to);
  }
}

void exchange_collectively(const Communicator::State& state, Out out, const Sizes& in_sizes,
                           const std::function<std::byte*(int)>& place,
                           const std::function<void(int)>& sent) {
  const std::size_t n = out.size();
  std::vector<int> out_count(n), out_at(n), in_count(n), in_at(n);
  std::vector<std::byte> buffer, received(total(in_sizes));
  int in_offset = 0;
  for (std::size_t r = 0; r < n; ++r) {
    out_at[r] = static_cast<int>(buffer.size());
    out_count[r] = static_cast<int>(out[r].size());
    buffer.insert(buffer.end(), out[r].begin(), out[r].end());
    sent(static_cast<int>(r));
    in_at[r] = in_offset;
    in_count[r] = static_cast<int>(in_sizes[r]);
    in_offset += in_count[r];
  }
  MPI_Alltoallv(buffer.data(), out_count.data(), out_at.data(), MPI_BYTE, received.data(),
                in_count.data(), in_at.data(), MPI_BYTE, state.comm);
  for (std::size_t r = 0; r < n; ++r)
    if (in_sizes[r] > 0)
      std::memcpy(place(static_cast<int>(r)), &received[std::size_t(in_at[r])], in_sizes[r]);
}

} // namespace

void exchange_into(const Communicator& communicator, Out out,
                   const std::function<void(const Sizes&)>& prepare,
                   const std::function<std::byte*(int)>& place,
                   const std::function<void(int)>& sent, std::size_t piece) {
  const auto& state = communicator.state();
  core::require(out.size() == std::size_t(state.size),
                "an exchange among {} ranks was given records for {}", state.size, out.size());
  Sizes out_sizes, in_sizes(out.size());
  for (const auto& bytes : out) out_sizes.push_back(bytes.size());
  if (state.comm == MPI_COMM_NULL)
    in_sizes = out_sizes;
  else
    MPI_Alltoall(out_sizes.data(), 1, MPI_UINT64_T, in_sizes.data(), 1, MPI_UINT64_T, state.comm);
  prepare(in_sizes);

  std::int64_t largest = static_cast<std::int64_t>(std::max(total(out_sizes), total(in_sizes)));
  communicator.all_max(std::span(&largest, 1));
  if (state.size > 1 && std::size_t(largest) <= std::min(piece, max_piece)) {
    exchange_collectively(state, out, in_sizes, place, sent);
    return;
  }
  const auto self = std::size_t(state.rank);
  if (!out[self].empty()) std::memcpy(place(state.rank), out[self].data(), out[self].size());
  sent(state.rank);
  exchange_pairwise(state, out, in_sizes, place, sent, std::min(piece, max_piece));
}

} // namespace detail

std::vector<std::vector<std::byte>> exchange_bytes(const Communicator& communicator,
                                                   std::vector<std::vector<std::byte>> outgoing,
                                                   std::size_t piece) {
  std::vector<std::span<const std::byte>> out(outgoing.begin(), outgoing.end());
  std::vector<std::vector<std::byte>> in(outgoing.size());
  detail::exchange_into(
      communicator, out,
      [&](const std::vector<std::uint64_t>& sizes) {
        for (std::size_t r = 0; r < in.size(); ++r) in[r].resize(sizes[r]);
      },
      [&](int source) { return in[std::size_t(source)].data(); },
      [&](int destination) { std::vector<std::byte>().swap(outgoing[std::size_t(destination)]); },
      piece);
  return in;
}

} // namespace kilobragg::parallel
