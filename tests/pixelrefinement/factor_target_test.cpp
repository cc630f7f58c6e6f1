// The target of stage 2 against pixel after pixel, finite differences, and itself on other ranks.
#include "tests/reference/factor_plain.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/pixelrefinement/factor_target.hpp"
#include "kilobragg/pixelrefinement/spread_lbfgs.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>

namespace kilobragg::pixelrefinement {
namespace {

using parallel::Communicator;
using testing::plain_factors;
constexpr std::size_t unknowns = 40;
constexpr Likelihood all_likelihoods[] = {Likelihood::Normal, Likelihood::Poisson,
                                          Likelihood::NoisyPoisson};

/// Draws shots whose segments end within, at and beyond groups of eight and of four times eight.
class ShotMaker {
public:
  explicit ShotMaker(unsigned seed)
      : random_(seed) {}

  ShotStream make(std::size_t number) {
    ShotStream shot;
    shot.lattices = number % 3 == 2 ? 3 : std::int32_t(number % 3) + 1;
    const int readouts = int(number % 4); // none, one, of each, one that is silent
    std::vector<std::int32_t> rows;
    for (int i = 0; i < 30; ++i) rows.push_back(std::int32_t(random_() % unknowns));
    std::sort(rows.begin(), rows.end());
    for (const std::int32_t row : rows) add_segment(shot, row, readouts);
    if (readouts == 1) shot.readout = {0.7F};
    if (readouts == 3) shot.readout = {0.01F};
    add_shared(shot, readouts);
    return shot;
  }

private:
  float uniform(float low, float high) {
    return std::uniform_real_distribution<float>(low, high)(random_);
  }
  float photons(float mean, float readout) {
    return float(std::poisson_distribution<int>(double(mean))(random_)) +
           readout * uniform(-1.7F, 1.7F);
  }
  void add_segment(ShotStream& shot, std::int32_t row, int readouts) {
    const bool readout_of_each = readouts == 2;
    constexpr int counts[] = {0, 1, 7, 8, 9, 31, 32, 33, 70};
    StreamSegment segment{row,
                          std::int32_t(random_() % unsigned(shot.lattices)),
                          0.01F + 0.002F * float(row),
                          std::int64_t(shot.kernel.size()),
                          counts[random_() % 9],
                          random_() % 7 == 0,
                          1 + 0.5F * float(row % 7)};
    for (int i = 0; i < segment.count; ++i) {
      const float readout = readout_of_each ? uniform(0.06F, 1.5F) : readouts == 0 ? 0 : 0.02F;
      shot.kernel.push_back(uniform(0, 12));
      shot.background.push_back(uniform(0.3F, 4));
      shot.value.push_back(photons(shot.kernel.back() + shot.background.back(), readout));
      if (readout_of_each) shot.readout.push_back(readout);
    }
    shot.segments.push_back(segment);
  }
  /// Two or three segments each; the first pixels belong to neighbours in the list, which often are the same
  /// unknown or lattice.
  void add_shared(ShotStream& shot, int readouts) {
    for (std::int32_t i = 0; i < 150; ++i) {
      const float readout = readouts == 0 ? 0 : 0.7F;
      shot.shared.push_back({photons(9, readout), uniform(0.3F, 4), readout,
                             std::int32_t(shot.parts.size()), 2 + i % 2, random_() % 9 == 0});
      for (int j = 0; j < 2 + i % 2; ++j) {
        const auto segment = i < 30 ? (i + j) % 30 : std::int32_t(random_() % 30);
        shot.parts.push_back({segment, uniform(0.1F, 5)});
      }
    }
  }
  std::mt19937 random_;
};

std::vector<ShotStream> make_shots(std::size_t count) {
  ShotMaker maker(7);
  std::vector<ShotStream> shots;
  for (std::size_t i = 0; i < count; ++i) shots.push_back(maker.make(i));
  return shots;
}

/// Variables of some shots by their numbers, the same for a shot wherever it is.
std::vector<double> variables_of(const std::vector<ShotStream>& all,
                                 const std::vector<std::size_t>& held) {
  std::vector<double> x, b, size;
  for (std::size_t u = 0; u < unknowns; ++u) x.push_back(0.2 * std::sin(double(u)));
  for (const std::size_t shot : held) {
    for (std::int32_t l = 0; l < all[shot].lattices; ++l)
      x.push_back(0.1 * std::cos(double(shot) + 3 * l)),
          size.push_back(0.05 * std::sin(double(shot) - 2 * l));
    b.push_back(0.5 * std::sin(2.0 + double(shot)));
  }
  x.insert(x.end(), b.begin(), b.end());
  x.insert(x.end(), size.begin(), size.end());
  return x;
}

std::vector<std::size_t> numbers(std::size_t count) {
  std::vector<std::size_t> result(count);
  for (std::size_t i = 0; i < count; ++i) result[i] = i;
  return result;
}

std::vector<ShotStream> pick(const std::vector<ShotStream>& all,
                             const std::vector<std::size_t>& held) {
  std::vector<ShotStream> result;
  for (const std::size_t i : held) result.push_back(all[i]);
  return result;
}

FactorTarget make_target(const std::vector<ShotStream>& shots, Likelihood likelihood,
                         const Communicator& communicator = Communicator::alone()) {
  return FactorTarget(communicator, shots, unknowns, {likelihood});
}

void expect_near(const std::vector<double>& a, std::span<const double> b, double tolerance,
                 const char* what) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    EXPECT_NEAR(a[i], b[i], tolerance * (1 + std::abs(b[i]))) << what << ' ' << i;
}

TEST(FactorTarget, EqualsThePlainVersion) {
  const auto shots = make_shots(8);
  const auto x = variables_of(shots, numbers(8));
  for (const Likelihood likelihood : all_likelihoods) {
    SCOPED_TRACE(int(likelihood));
    const auto plain = plain_factors(shots, unknowns, x, likelihood);
    auto target = make_target(shots, likelihood);
    ASSERT_EQ(target.variables(), x.size());
    const FactorValue value = target.evaluate(x);
    EXPECT_NEAR(value.f, plain.f, 1e-11 * std::abs(plain.f));
    EXPECT_NEAR(value.left_out, plain.left_out, 1e-11 * std::abs(plain.left_out));
    EXPECT_EQ(value.bad, 0);
    expect_near(value.gradient, plain.gradient, 1e-11, "gradient");
    expect_near(target.information(x), plain.information, 1e-11, "information");
    expect_near(target.scores(x).squares, plain.squares, 1e-11, "square of scores");
  }
}

/// Models far below and above those whose logarithm is taken as one product.
TEST(FactorTarget, EqualsThePlainVersionOfAnyNumberOfPhotons) {
  auto shots = make_shots(6);
  for (std::size_t s = 0; s < shots.size(); ++s)
    for (std::size_t i = 0; i < shots[s].value.size(); ++i) {
      if (i % 3 == 0) shots[s].background[i] = i % 2 == 0 ? 1e-6F : 3000;
      if (i % 5 == 0) shots[s].value[i] = float(i % 60);
      if (i % 11 == 0) shots[s].value[i] = -1.5F;
    }
  auto x = variables_of(shots, numbers(6));
  for (std::size_t u = 0; u < unknowns; ++u) x[u] += 0.25 * (double(u) - 20); // c: 4e-5 to 1e4
  for (const Likelihood likelihood : {Likelihood::Poisson, Likelihood::NoisyPoisson}) {
    const auto plain = plain_factors(shots, unknowns, x, likelihood);
    auto target = make_target(shots, likelihood);
    const FactorValue value = target.evaluate(x);
    EXPECT_NEAR(value.f, plain.f, 1e-11 * std::abs(plain.f));
    EXPECT_EQ(value.bad, 0);
    expect_near(value.gradient, plain.gradient, 1e-11, "gradient");
  }
}

TEST(FactorTarget, GradientIsThatOfFiniteDifferences) {
  const auto shots = make_shots(4);
  const auto x = variables_of(shots, numbers(4));
  for (const Likelihood likelihood : all_likelihoods) {
    SCOPED_TRACE(int(likelihood));
    auto target = make_target(shots, likelihood);
    const FactorValue here = target.evaluate(x);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto at = [&](double step) {
        auto moved = x;
        moved[i] += step;
        return target.evaluate(moved).above(here);
      };
      const bool is_b = i >= target.b_of(0) && i < target.size_of(0, 0);
      const double h = is_b ? 2e-3 : 2e-4;
      const double slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
      EXPECT_NEAR(here.gradient[i], slope, 2e-7 * (10 + std::abs(slope))) << i;
    }
  }
}

TEST(FactorTarget, WhatIsNotFreeHasNoGradient) {
  const auto shots = make_shots(3);
  const auto x = variables_of(shots, numbers(3));
  FactorTarget free(Communicator::alone(), shots, unknowns, {});
  FactorTarget fixed(Communicator::alone(), shots, unknowns,
                     {Likelihood::Normal, false, false, false});
  const FactorValue a = free.evaluate(x), b = fixed.evaluate(x);
  EXPECT_EQ(a.f, b.f);
  for (std::size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(b.gradient[i], i < unknowns ? a.gradient[i] : 0) << i;
}

TEST(FactorTarget, CountsPixelsAndSegments) {
  const auto shots = make_shots(5);
  auto target = make_target(shots, Likelihood::Normal);
  const auto x = variables_of(shots, numbers(5));
  const FactorValue value = target.evaluate(x);
  std::int64_t all = 0;
  for (const ShotStream& shot : shots) all += std::int64_t(shot.kernel.size() + shot.shared.size());
  EXPECT_EQ(value.pixels + value.left_out_pixels, all);
  EXPECT_GT(value.left_out_pixels, 0);
  const FactorScores scores = target.scores(x);
  std::vector<std::int64_t> pixels(unknowns);
  for (const ShotStream& shot : shots) {
    for (const StreamSegment& s : shot.segments)
      if (!s.left_out) pixels[std::size_t(s.unknown)] += s.count;
    for (const SharedPixel& pixel : shot.shared) {
      const auto begin = shot.parts.begin() + pixel.first, end = begin + pixel.count;
      const auto segment = [&](const SharedPart& part) -> const StreamSegment& {
        return shot.segments[std::size_t(part.segment)];
      };
      if (pixel.left_out ||
          std::any_of(begin, end, [&](const SharedPart& part) { return segment(part).left_out; }))
        continue;
      for (auto part = begin; part != end; ++part) ++pixels[std::size_t(segment(*part).unknown)];
    }
  }
  EXPECT_EQ(scores.pixels, pixels);
}

/// Shots of this rank: some ranks hold none, and in another order than those before.
std::vector<std::size_t> held_by(int rank, int size, std::size_t count, unsigned deal) {
  std::mt19937 random(deal);
  std::vector<std::size_t> held;
  for (std::size_t i = 0; i < count; ++i) {
    int to = int(random() % unsigned(size));
    if (size > 2 && to == 1) to = 0;
    if (to == rank) held.push_back(i);
  }
  if (deal % 2 == 1) std::reverse(held.begin(), held.end());
  return held;
}

TEST(FactorTarget, HasTheSameBitsOnAnyNumberOfRanks) {
  constexpr std::size_t count = 11;
  const auto shots = make_shots(count);
  const auto world = Communicator::world();
  for (const Likelihood likelihood : all_likelihoods) {
    auto alone = make_target(shots, likelihood);
    const auto all_x = variables_of(shots, numbers(count));
    const FactorValue expected = alone.evaluate(all_x);
    const auto information = alone.information(all_x);
    const FactorScores scores = alone.scores(all_x);
    for (const unsigned deal : {0U, 1U, 2U, 3U}) {
      SCOPED_TRACE(deal);
      const auto held = held_by(world.rank(), world.size(), count, deal);
      auto target = make_target(pick(shots, held), likelihood, world);
      const auto x = variables_of(shots, held);
      const FactorValue value = target.evaluate(x);
      EXPECT_EQ(value.f, expected.f);
      EXPECT_EQ(value.left_out, expected.left_out);
      EXPECT_EQ(value.pixels, expected.pixels);
      const auto here = target.information(x);
      EXPECT_EQ(target.scores(x).squares, scores.squares);
      const auto expect_same = [&](std::size_t mine, std::size_t theirs) {
        EXPECT_EQ(value.gradient[mine], expected.gradient[theirs]) << mine;
        EXPECT_EQ(here[mine], information[theirs]) << mine;
      };
      for (std::size_t u = 0; u < unknowns; ++u) expect_same(u, u);
      for (std::size_t i = 0; i < held.size(); ++i) {
        expect_same(target.b_of(i), alone.b_of(held[i]));
        for (std::size_t l = 0; l < std::size_t(shots[held[i]].lattices); ++l)
          expect_same(target.scale_of(i, l), alone.scale_of(held[i], l)),
              expect_same(target.size_of(i, l), alone.size_of(held[i], l));
      }
    }
  }
}

TEST(FactorTarget, NoShotsAnywhere) {
  auto target = make_target({}, Likelihood::Normal, Communicator::world());
  const FactorValue value = target.evaluate(std::vector<double>(unknowns));
  EXPECT_EQ(value.f, 0);
  EXPECT_EQ(value.pixels, 0);
  EXPECT_EQ(value.gradient, std::vector<double>(unknowns));
  EXPECT_EQ(target.information(std::vector<double>(unknowns)), std::vector<double>(unknowns));
  auto one_empty = make_target({ShotStream{}}, Likelihood::Poisson);
  EXPECT_EQ(one_empty.evaluate(std::vector<double>(unknowns + 3)).f, 0);
}

TEST(FactorTarget, RejectsPixelsWithoutMeaning) {
  auto shots = make_shots(2);
  const auto x = variables_of(shots, numbers(2));
  auto& shot = shots[1];
  std::size_t used = 0;
  while (shot.segments[used].count < 31) ++used;
  auto& segment = shot.segments[used];
  const auto at = std::size_t(segment.first);
  const auto broken = shots;
  // The same stream without the last two pixels of a segment, and with them but senseless.
  auto spoilt = broken;
  segment.count -= 2;
  spoilt[1].value[at + std::size_t(segment.count)] = std::numeric_limits<float>::quiet_NaN();
  spoilt[1].kernel[at + std::size_t(segment.count) + 1] = -1;
  spoilt[1].shared.push_back(spoilt[1].shared[0]);
  spoilt[1].shared.back().background = std::numeric_limits<float>::infinity();
  auto without = make_target(shots, Likelihood::Normal),
       with = make_target(spoilt, Likelihood::Normal);
  EXPECT_EQ(with.rejected(), (std::vector<std::int64_t>{0, 3}));
  EXPECT_EQ(without.rejected(), (std::vector<std::int64_t>{0, 0}));
  const FactorValue a = without.evaluate(x), b = with.evaluate(x);
  EXPECT_EQ(a.f, b.f);
  EXPECT_EQ(a.gradient, b.gradient);
  EXPECT_EQ(a.pixels, b.pixels);
}

TEST(FactorTarget, RefusesStreamsThatDoNotFit) {
  const auto shots = make_shots(1);
  for (const auto spoil : {+[](ShotStream& s) { s.value.pop_back(); },
                           +[](ShotStream& s) { s.segments[3].unknown = unknowns; },
                           +[](ShotStream& s) { s.segments[3].lattice = s.lattices; },
                           +[](ShotStream& s) { s.segments.back().count += 100000; },
                           +[](ShotStream& s) { s.parts[2].segment = 30; },
                           +[](ShotStream& s) { s.shared[2].first = -1; }}) {
    auto spoilt = shots;
    spoil(spoilt[0]);
    EXPECT_THROW(make_target(spoilt, Likelihood::Normal), core::Error);
  }
}

TEST(FactorTarget, SwitchedOffIsAsIfAbsent) {
  const auto shots = make_shots(6);
  auto all = make_target(shots, Likelihood::Normal);
  const std::vector<std::size_t> odd{1, 3, 5};
  auto half = make_target(pick(shots, odd), Likelihood::Normal);
  const auto x = variables_of(shots, numbers(6)), half_x = variables_of(shots, odd);
  all.switch_shots(std::vector<std::uint8_t>{0, 1, 0, 1, 0, 1});
  const FactorValue a = all.evaluate(x), b = half.evaluate(half_x);
  EXPECT_EQ(a.pixels, b.pixels);
  EXPECT_NEAR(a.f, b.f, 1e-12 * b.f);
  const auto information = all.information(x), half_information = half.information(half_x);
  EXPECT_EQ(all.scores(x).segments, half.scores(half_x).segments);
  for (std::size_t u = 0; u < unknowns; ++u) {
    EXPECT_NEAR(a.gradient[u], b.gradient[u], 1e-11 * (1 + std::abs(b.gradient[u])));
    EXPECT_NEAR(information[u], half_information[u], 1e-11 * (1 + half_information[u]));
  }
  EXPECT_EQ(a.gradient[all.b_of(0)], 0);
  EXPECT_EQ(information[all.scale_of(2, 0)], 0);
  EXPECT_EQ(a.gradient[all.b_of(3)], b.gradient[half.b_of(1)]);
}

TEST(FactorTarget, NamesTheShotsThatAreNotFinite) {
  const auto shots = make_shots(4);
  const auto good = variables_of(shots, numbers(4));
  for (const Likelihood likelihood : all_likelihoods)
    for (const double g : {30.0, 650.0, 1e300, std::numeric_limits<double>::quiet_NaN()}) {
      auto target = make_target(shots, likelihood);
      auto x = good;
      // A scale that large is finite for Poisson, where it is no overflow until much later.
      x[target.scale_of(2, 0)] = g == 30 && likelihood != Likelihood::Normal ? 90 : g;
      const FactorValue value = target.evaluate(x);
      EXPECT_GT(value.bad, 0) << g;
      EXPECT_EQ(value.f, std::numeric_limits<double>::infinity());
      EXPECT_EQ(value.gradient, std::vector<double>(x.size()));
      EXPECT_EQ(target.bad_shots(), (std::vector<std::size_t>{2})) << g;
      EXPECT_TRUE(std::isfinite(target.evaluate(good).f));
      EXPECT_TRUE(target.bad_shots().empty());
    }
}

double norm(SpreadVectors& vectors, const std::vector<double>& v) {
  const DeviceVector on_device = to_device(v);
  const auto sum = vectors.products(std::array<SpreadVectors::Pair, 1>{{{&on_device, &on_device}}});
  return std::sqrt(sum[0]);
}

TEST(FactorTarget, MinimisesUntilTheGradientIsNothing) {
  constexpr std::size_t count = 12;
  const auto shots = make_shots(count);
  const auto world = Communicator::world();
  const auto held = held_by(world.rank(), world.size(), count, 3);
  for (const Likelihood likelihood : {Likelihood::Normal, Likelihood::Poisson}) {
    FactorTarget target(world, pick(shots, held), unknowns, {likelihood, true, false, false});
    auto x = variables_of(shots, held);
    auto diagonal = target.information(x);
    for (double& d : diagonal)
      if (d <= 0) d = 1;
    const FactorValue start = target.evaluate(x);
    LbfgsParams params;
    SpreadVectors vectors(world, unknowns, x.size() - unknowns);
    params.gradient_tolerance =
        1e-8 * norm(vectors, start.gradient) / std::max(1.0, norm(vectors, x));
    SpreadLbfgsState state = start_lbfgs(vectors, x, diagonal);
    while (state.status == LbfgsStatus::Evaluate) {
      const FactorValue value = target.evaluate(on_the_host(state.point));
      advance_lbfgs(state, vectors, value.above(start), to_device(value.gradient), params);
    }
    EXPECT_EQ(state.status, LbfgsStatus::Converged);
    EXPECT_LE(norm(vectors, on_the_host(state.g)), 2e-8 * norm(vectors, start.gradient));
    EXPECT_LT(state.f, 0);
  }
}

} // namespace
} // namespace kilobragg::pixelrefinement
