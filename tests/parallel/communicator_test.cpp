// Collectives deliver what every rank gave, in rank order.
#include "kilobragg/parallel/communicator.hpp"
#include "kilobragg/parallel/together.hpp"

#include <gtest/gtest.h>

namespace kilobragg::parallel {
namespace {

TEST(Communicator, BroadcastCarriesLengthAndContent) {
  const auto comm = Communicator::world();
  for (int root = 0; root < comm.size(); ++root) {
    std::string text = comm.rank() == root ? "from " + std::to_string(root) : "something longer";
    comm.broadcast(text, root);
    EXPECT_EQ(text, "from " + std::to_string(root));
    std::vector<double> values(comm.rank() == root ? 1000 : 0, root + 0.5);
    comm.broadcast(values, root);
    EXPECT_EQ(values, std::vector<double>(1000, root + 0.5));
  }
}

TEST(Communicator, GatherKeepsRankOrderAndEmptyParts) {
  const auto comm = Communicator::world();
  for (int root = 0; root < comm.size(); ++root) {
    const auto parts = comm.gather(std::string(std::size_t(comm.rank()), 'x'), root);
    if (comm.rank() != root) {
      EXPECT_TRUE(parts.empty());
      continue;
    }
    ASSERT_EQ(parts.size(), std::size_t(comm.size()));
    for (std::size_t r = 0; r < parts.size(); ++r) EXPECT_EQ(parts[r], std::string(r, 'x'));
  }
}

TEST(Communicator, GatherOfValuesConcatenates) {
  const auto comm = Communicator::world();
  const auto all = comm.gather(std::vector<int>(std::size_t(comm.rank() + 1), comm.rank()));
  std::vector<int> expected;
  if (comm.is_root())
    for (int r = 0; r < comm.size(); ++r) expected.insert(expected.end(), std::size_t(r + 1), r);
  EXPECT_EQ(all, expected);
}

TEST(Communicator, AllGatherReachesEveryRank) {
  const auto comm = Communicator::world();
  const auto all = comm.all_gather(std::to_string(comm.rank() * 100));
  ASSERT_EQ(all.size(), std::size_t(comm.size()));
  for (int r = 0; r < comm.size(); ++r) EXPECT_EQ(all[std::size_t(r)], std::to_string(r * 100));
}

TEST(Communicator, Reductions) {
  const auto comm = Communicator::world();
  const int n = comm.size();
  std::vector<std::int64_t> counts{comm.rank(), 1, -comm.rank()};
  comm.all_sum(std::span(counts));
  EXPECT_EQ(counts, (std::vector<std::int64_t>{n * (n - 1) / 2, n, -n * (n - 1) / 2}));
  std::vector<double> high{double(comm.rank())}, low{double(comm.rank()) - 7};
  comm.all_max(std::span(high));
  comm.all_min(std::span(low));
  EXPECT_EQ(high[0], n - 1);
  EXPECT_EQ(low[0], -7);
  EXPECT_EQ(comm.any(comm.rank() == n - 1), true);
  EXPECT_EQ(comm.any(false), false);
}

TEST(Communicator, AloneIsOneRankAnywhere) {
  const auto comm = Communicator::alone();
  EXPECT_EQ(comm.size(), 1);
  EXPECT_EQ(comm.rank(), 0);
  EXPECT_EQ(comm.gather("me"), std::vector<std::string>{"me"});
  EXPECT_EQ(comm.all_sum(41), 41);
}

TEST(Together, AnErrorOfOneRankIsThrownByAll) {
  const auto comm = Communicator::world();
  for (int bad = 0; bad < comm.size(); ++bad) try {
      together(comm, 7, [&] {
        if (comm.rank() >= bad) core::fail("rank {} has no file", comm.rank());
      });
      ADD_FAILURE() << "nothing was thrown on rank " << comm.rank();
    } catch (const CommonError& error) {
      EXPECT_EQ(std::string(error.what()), "rank " + std::to_string(bad) + " has no file");
      EXPECT_EQ(error.status(), 7);
    }
  EXPECT_NO_THROW(together(comm, 7, [] {}));
}

TEST(Together, WhatAllThrowKeepsItsStatus) {
  const auto comm = Communicator::world();
  const int status = end_together(comm, "test", [&]() -> int {
    together(comm, 1, [] { throw CommonError("on all ranks", 3); });
    return 0;
  });
  EXPECT_EQ(status, 3);
  EXPECT_EQ(end_together(comm, "test", [] { return 5; }), 5);
}

} // namespace
} // namespace kilobragg::parallel
