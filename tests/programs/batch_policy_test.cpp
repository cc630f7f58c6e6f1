// Batches follow the speed of ranks and the end of the run; jobs of 4096 ranks on paper say what for.
#include "batch_policy.hpp"
#include "support/dispatch_simulation.hpp"

#include <gtest/gtest.h>

namespace kilobragg::programs {
namespace {

using testing::Job;
using testing::JobOutcome;

constexpr std::int64_t plenty = std::int64_t{1} << 40;

/// Asks and reports until the rank's batches settle; returns the last one.
std::int64_t settle(BatchPolicy& policy, int rank, double seconds_per_image, int batches = 20) {
  std::int64_t count = 0;
  for (int i = 0; i < batches; ++i) {
    count = policy.next(rank, plenty, false);
    policy.finished(rank, count, static_cast<double>(count) * seconds_per_image);
  }
  return count;
}

TEST(BatchPolicy, FirstBatchIsOneAndGrowthIsBounded) {
  BatchPolicy policy(4);
  std::int64_t before = policy.next(0, plenty, false);
  EXPECT_EQ(before, 1);
  EXPECT_EQ(policy.next(0, plenty, false), 1) << "nothing was reported yet";
  for (int i = 0; i < 3; ++i) {
    policy.finished(0, before, static_cast<double>(before) * 1e-3);
    const auto next = policy.next(0, plenty, false);
    EXPECT_EQ(next, 4 * before);
    before = next;
  }
}

TEST(BatchPolicy, ARankComesBackAfterThePeriod) {
  BatchPolicy few(8);
  EXPECT_EQ(few.period(), 0.5);
  EXPECT_NEAR(static_cast<double>(settle(few, 1, 0.01)), 50, 1);
  EXPECT_NEAR(static_cast<double>(settle(few, 2, 0.006)), 83, 2) << "each rank its own speed";
  EXPECT_EQ(settle(few, 3, 3.0), 1) << "an image longer than the period";
  BatchPolicy fast(8);
  EXPECT_EQ(settle(fast, 0, 1e-5), 1024) << "the most";
  BatchPolicy many(4096);
  EXPECT_NEAR(many.period(), 4096 / 2500., 1e-12);
  EXPECT_NEAR(static_cast<double>(settle(many, 1, 0.01)), 163, 2);
}

TEST(BatchPolicy, ASlowImageOrARunOfBlanksIsSoonForgotten) {
  BatchPolicy policy(8);
  for (int rank = 0; rank < 8; ++rank) settle(policy, rank, 0.01);
  policy.finished(0, 50, 30); // one of them hung until it was given up
  EXPECT_LT(policy.next(0, plenty, false), 5);
  EXPECT_GT(settle(policy, 0, 0.01, 14), 40) << "most of these 14 are of a few images";
  BatchPolicy blanks(8);
  settle(blanks, 0, 0.01, 40);
  const auto count = settle(blanks, 0, 0.001, 3);
  EXPECT_GT(count, 80);
  EXPECT_LT(count, 150) << "blanks may end; 150 images that diffract take 1.5 s";
}

TEST(BatchPolicy, NeverMoreThanThereAreAndAtLeastOne) {
  BatchPolicy policy(2);
  EXPECT_EQ(policy.next(0, 0, true), 0);
  EXPECT_EQ(policy.next(0, 0, false), 0);
  settle(policy, 0, 0.001);
  settle(policy, 1, 0.001);
  std::int64_t left = 1000, last = 0;
  for (int rank = 0; left > 0; rank = 1 - rank) {
    last = policy.next(rank, left, false);
    ASSERT_GE(last, 1);
    ASSERT_LE(last, left);
    policy.finished(rank, last, static_cast<double>(last) * 0.001);
    left -= last;
  }
  EXPECT_LE(last, 50) << "the end of the run in pieces of 50 ms";
  policy.finished(0, 0, 1); // a report of nothing changes nothing
  EXPECT_EQ(policy.next(0, 1, false), 1);
}

TEST(BatchPolicy, AGrowingIndexIsNoEnd) {
  BatchPolicy policy(100);
  settle(policy, 0, 0.01);
  EXPECT_EQ(policy.next(0, 300, false), 5); // 50 ms
  EXPECT_EQ(policy.next(0, 300, true), 12); // a quarter of the period
}

JobOutcome play(const Job& job) {
  BatchPolicy policy(job.ranks);
  return simulate(job, {[&](int rank, std::int64_t left, bool growing) {
                          return policy.next(rank, left, growing);
                        },
                        [&](int rank, std::int64_t events, double seconds) {
                          policy.finished(rank, events, seconds);
                        }});
}

/// 4096 ranks at 100 images/s; twice the service time that bench_dispatcher measures.
Job large_job(std::int64_t images) {
  Job job;
  job.images = images;
  job.cost = testing::mixed_image;
  return job;
}

void expect_good(const JobOutcome& outcome, const Job& job, double most_load) {
  EXPECT_EQ(outcome.images, job.images);
  EXPECT_LT(outcome.load, most_load);
  EXPECT_LT(outcome.idle_at_end, 2.5) << "single images take up to 1 s";
  EXPECT_LT(outcome.first_result, 0.2);
  EXPECT_LT(outcome.last_first, 0.2) << "every rank has work";
  EXPECT_LT(outcome.longest_wait, 0.1);
}

TEST(DispatcherLoad, TenMillionImages) {
  const Job job = large_job(10'000'000);
  const auto outcome = play(job);
  expect_good(outcome, job, 0.05);
  EXPECT_LT(outcome.seconds, 1.1 * outcome.ideal);
}

TEST(DispatcherLoad, TheEndOfAShortRun) {
  // 24 images a rank: a quarter of a second's work, so nothing is large here but the ends.
  const Job job = large_job(100'000);
  const auto outcome = play(job);
  expect_good(outcome, job, 0.3);
  EXPECT_LT(outcome.seconds, outcome.ideal + 2);
}

TEST(DispatcherLoad, AnIndexThatGrows) {
  Job job = large_job(4'000'000);
  job.known_at_start = 1000;
  job.found_per_second = 1e6;
  expect_good(play(job), job, 0.1);
  // Slower than the ranks: they wait for it, and do not storm the first rank meanwhile.
  job.found_per_second = 2e5;
  const auto slow = play(job);
  expect_good(slow, job, 0.1);
  EXPECT_LT(slow.seconds, 1.2 * 4'000'000 / 2e5);
}

TEST(DispatcherLoad, BlankFramesTenTimesFaster) {
  Job job = large_job(10'000'000);
  job.cost = [](std::int64_t) { return 0.001; };
  EXPECT_LT(play(job).longest_wait, 0.1);
  job.images = 4'000'000;
  job.cost = [](std::int64_t image) {
    return image / 400'000 % 2 ? 0.001 : testing::mixed_image(image);
  };
  const auto bursts = play(job);
  EXPECT_LT(bursts.idle_at_end, 6) << "a batch sized for blanks that met hits";
  EXPECT_LT(bursts.load, 0.15);
}

TEST(DispatcherLoad, SingleImagesWouldLimit) {
  // The simulation must be able to say no.
  const Job job = large_job(400'000);
  const auto outcome = simulate(job, {[](int, std::int64_t, bool) { return std::int64_t{1}; }});
  EXPECT_GT(outcome.load, 0.7);
  EXPECT_GT(outcome.seconds, 2 * outcome.ideal);
}

} // namespace
} // namespace kilobragg::programs
