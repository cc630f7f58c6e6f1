// Every record arrives at the rank it was sent to, in order of the senders, by both routes.
#include "kilobragg/parallel/exchange.hpp"

#include <gtest/gtest.h>

namespace kilobragg::parallel {
namespace {

struct Record {
  std::int32_t from, to;
  std::int64_t number;
  double value;
  friend bool operator==(const Record&, const Record&) = default;
};

/// How many records `from` sends to `to`; some pairs exchange nothing.
std::size_t how_many(int from, int to, std::size_t unit) {
  return unit * std::size_t((from * 3 + to * 5) % 4);
}

std::vector<Record> records(int from, int to, std::size_t unit) {
  std::vector<Record> all;
  for (std::size_t i = 0; i < how_many(from, to, unit); ++i)
    all.push_back({from, to, std::int64_t(i), double(i) / 3});
  return all;
}

void check(std::size_t unit, std::size_t piece) {
  const auto comm = Communicator::world();
  std::vector<std::vector<Record>> outgoing;
  for (int to = 0; to < comm.size(); ++to) outgoing.push_back(records(comm.rank(), to, unit));
  const auto in = exchange(comm, std::move(outgoing), piece);
  ASSERT_EQ(in.begin.size(), std::size_t(comm.size() + 1));
  for (int from = 0; from < comm.size(); ++from) {
    const auto first = in.records.begin() + std::ptrdiff_t(in.begin[std::size_t(from)]);
    const auto last = in.records.begin() + std::ptrdiff_t(in.begin[std::size_t(from) + 1]);
    EXPECT_EQ(std::vector<Record>(first, last), records(from, comm.rank(), unit));
  }
}

TEST(Exchange, Collectively) { check(100, default_exchange_piece); }
TEST(Exchange, PairwiseInOnePiece) { check(5000, 100000); }
TEST(Exchange, PairwiseInManyPieces) { check(1000, 997); }
TEST(Exchange, NothingToSend) { check(0, default_exchange_piece); }

TEST(Exchange, BytesKeepTheirSender) {
  const auto comm = Communicator::world();
  std::vector<std::vector<std::byte>> outgoing;
  for (int to = 0; to < comm.size(); ++to)
    outgoing.emplace_back(std::size_t(to + 1), std::byte(comm.rank()));
  const auto in = exchange_bytes(comm, std::move(outgoing));
  ASSERT_EQ(in.size(), std::size_t(comm.size()));
  for (int from = 0; from < comm.size(); ++from)
    EXPECT_EQ(in[std::size_t(from)],
              std::vector<std::byte>(std::size_t(comm.rank() + 1), std::byte(from)));
}

TEST(Exchange, RefusesTheWrongNumberOfDestinations) {
  const auto comm = Communicator::world();
  EXPECT_ANY_THROW(exchange(comm, std::vector<std::vector<int>>(std::size_t(comm.size() + 1))));
}

} // namespace
} // namespace kilobragg::parallel
