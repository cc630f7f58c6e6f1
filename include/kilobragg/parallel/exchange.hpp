// All-to-all exchange of records: every rank sends each other rank as many as it likes.
#pragma once

#include "kilobragg/parallel/communicator.hpp"

#include <algorithm>

namespace kilobragg::parallel {

/// Up to this many bytes per rank go in one collective call; beyond, partners exchange pairwise in
/// pieces of this size, which needs no second copy of what is sent.
inline constexpr std::size_t default_exchange_piece = std::size_t{64} << 20;

/// What one rank received: records in order of the sending rank, and where each sender's begin.
template <typename T>
struct Received {
  std::vector<T> records;
  std::vector<std::size_t> begin; ///< size() + 1 positions
};

/// Untyped form: outgoing[r] goes to rank r. Returns the bytes from each rank. Collective.
std::vector<std::vector<std::byte>> exchange_bytes(const Communicator& communicator,
                                                   std::vector<std::vector<std::byte>> outgoing,
                                                   std::size_t piece = default_exchange_piece);

namespace detail {
/// Sends and receives in rank order; `place(source, bytes)` gives the memory for a source's bytes.
void exchange_into(const Communicator& communicator,
                   std::span<const std::span<const std::byte>> out,
                   const std::function<void(const std::vector<std::uint64_t>& sizes)>& prepare,
                   const std::function<std::byte*(int source)>& place,
                   const std::function<void(int destination)>& sent, std::size_t piece);
} // namespace detail

/// outgoing[r] goes to rank r (its length must be size()). Each destination's vector is released as
/// soon as it is sent. Sizes are 64-bit. Collective.
template <typename T>
Received<T> exchange(const Communicator& communicator, std::vector<std::vector<T>> outgoing,
                     std::size_t piece = default_exchange_piece) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::vector<std::span<const std::byte>> out;
  for (const auto& records : outgoing) out.push_back(std::as_bytes(std::span(records)));
  Received<T> in;
  detail::exchange_into(
      communicator, out,
      [&](const std::vector<std::uint64_t>& sizes) {
        in.begin.assign(1, 0);
        for (const auto bytes : sizes) in.begin.push_back(in.begin.back() + bytes / sizeof(T));
        in.records.resize(in.begin.back());
      },
      [&](int source) {
        return reinterpret_cast<std::byte*>(in.records.data() + in.begin[std::size_t(source)]);
      },
      [&](int destination) { std::vector<T>().swap(outgoing[std::size_t(destination)]); }, piece);
  return in;
}

} // namespace kilobragg::parallel
