// Grouping, averages of the others and merging, against plain versions.
#include "kilobragg/merging/index_groups.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

namespace kilobragg::merging {
namespace {

struct Arrived {
  std::vector<AsuIndex> index;
  std::vector<std::uint32_t> lattice;
  std::vector<float> intensity, variance, weight;
};

Arrived random_arrivals(unsigned seed) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int> h(0, 15), lattice(0, 9);
  std::uniform_real_distribution<float> uniform(0.01f, 1);
  Arrived a;
  for (int i = 0; i < 500; ++i) {
    a.index.push_back({static_cast<std::int16_t>(h(random)), 1, 2, 0});
    a.lattice.push_back(static_cast<std::uint32_t>(lattice(random)));
    a.intensity.push_back(100 * uniform(random) - 10);
    a.variance.push_back(10 * uniform(random));
    a.weight.push_back(uniform(random));
  }
  return a;
}

TEST(IndexGroups, OrderIsByIndexThenLatticeThenArrival) {
  const Arrived a = random_arrivals(1);
  const IndexGroups g = group_by_index(a.index, a.lattice);
  ASSERT_EQ(g.begin.size(), g.index.size() + 1);
  EXPECT_TRUE(std::is_sorted(g.index.begin(), g.index.end()));
  for (std::size_t n = 0; n < g.index.size(); ++n)
    for (std::uint64_t i = g.begin[n]; i < g.begin[n + 1]; ++i) {
      EXPECT_EQ(a.index[g.arrival[i]], g.index[n]);
      EXPECT_EQ(a.lattice[g.arrival[i]], g.lattice[i]);
      if (i == g.begin[n]) continue;
      EXPECT_LE(g.lattice[i - 1], g.lattice[i]);
      if (g.lattice[i - 1] == g.lattice[i]) {
        EXPECT_LT(g.arrival[i - 1], g.arrival[i]);
      }
    }
  EXPECT_EQ(g.in_arrival_order(g.in_order(a.intensity)), a.intensity);
}

TEST(MeansOfOthers, IsThePlainLoop) {
  const Arrived a = random_arrivals(2);
  const IndexGroups g = group_by_index(a.index, a.lattice);
  const auto means =
      g.in_arrival_order(means_of_others(g, g.in_order(a.intensity), g.in_order(a.weight)));
  for (std::size_t i = 0; i < a.index.size(); ++i) {
    double w = 0, wi = 0;
    for (std::size_t j = 0; j < a.index.size(); ++j)
      if (a.index[j] == a.index[i] && a.lattice[j] != a.lattice[i])
        w += a.weight[j], wi += double(a.weight[j]) * a.intensity[j];
    ASSERT_GT(w, 0);
    EXPECT_NEAR(means[i], wi / w, 1e-4);
  }
}

TEST(MeansOfOthers, NoneWhereOneLatticeIsAloneOrOthersCarryNoWeight) {
  const std::vector<AsuIndex> index{{1, 0, 0, 0}, {1, 0, 0, 0}, {2, 0, 0, 0}, {2, 0, 0, 0}};
  const IndexGroups g = group_by_index(index, std::vector<std::uint32_t>{4, 4, 1, 2});
  const auto means =
      means_of_others(g, std::vector<float>{1, 2, 3, 4}, std::vector<float>{1, 1, 1, 1e-5f});
  EXPECT_TRUE(std::isnan(means[0]) && std::isnan(means[1]));
  EXPECT_TRUE(std::isnan(means[2])); // the other weighs nothing
  EXPECT_FLOAT_EQ(means[3], 3);
}

TEST(MergeGroups, VarianceWeightsAreTheTextbookMean) {
  const std::vector<AsuIndex> index(3, AsuIndex{1, 2, 3, 0});
  const IndexGroups g = group_by_index(index, std::vector<std::uint32_t>{0, 1, 2});
  const std::vector<float> intensity{10, 20, -3}, variance{4, 9, 16}, near{1, 1, 1};
  const std::vector<HalfSet> half{HalfSet::Odd, HalfSet::Even, HalfSet::Odd};
  const auto merged = merge_groups(g, intensity, variance, near, half, MergeWeights::Variance);
  ASSERT_EQ(merged.size(), 1u);
  const double w = 1 / 4.0 + 1 / 9.0 + 1 / 16.0;
  EXPECT_NEAR(merged[0].all.intensity, (10 / 4.0 + 20 / 9.0 - 3 / 16.0) / w, 1e-12);
  EXPECT_NEAR(merged[0].all.sigma, 1 / std::sqrt(w), 1e-12);
  EXPECT_EQ(merged[0].all.n, 3);
  EXPECT_EQ(merged[0].all.negative, 1);
  EXPECT_EQ(merged[0].odd.n, 2);
  EXPECT_NEAR(merged[0].even.intensity, 20, 1e-12);
  EXPECT_NEAR(merged[0].even.sigma, 3, 1e-12);
}

TEST(MergeGroups, ScatterOfAnUnevenlyWeightedMeanIsUnbiased) {
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal;
  const int indices = 20000, n = 4;
  const std::vector<float> weights{1, 0.5f, 0.25f, 0.1f};
  std::vector<AsuIndex> index;
  std::vector<std::uint32_t> lattice;
  std::vector<float> intensity, variance, near;
  for (int i = 0; i < indices; ++i)
    for (int j = 0; j < n; ++j) {
      index.push_back({static_cast<std::int16_t>(i), 0, 0, 0});
      lattice.push_back(static_cast<std::uint32_t>(j));
      intensity.push_back(static_cast<float>(100 + 7 * normal(random)));
      variance.push_back(1);
      near.push_back(weights[std::size_t(j)]);
    }
  const IndexGroups g = group_by_index(index, lattice);
  const auto merged = merge_groups(g, g.in_order(intensity), g.in_order(variance), g.in_order(near),
                                   std::vector<HalfSet>(4, HalfSet::Odd), MergeWeights::Excitation);
  double scatter = 0, spread = 0;
  for (const MergedIndex& m : merged) {
    scatter += m.all.scatter / indices;
    spread += (m.all.intensity - 100) * (m.all.intensity - 100) / indices;
  }
  EXPECT_NEAR(scatter / spread, 1, 0.03);
}

TEST(AddScatter, FindsTheRelativeScatterAndSigmasFit) {
  std::mt19937_64 random(6);
  std::normal_distribution<double> normal;
  std::exponential_distribution<double> wilson(1e-3);
  const double rho = 0.4;
  std::vector<AsuIndex> index;
  std::vector<std::uint32_t> lattice;
  std::vector<float> intensity, variance, near;
  std::map<int, double> truth;
  for (std::int16_t i = 0; i < 5000; ++i) {
    truth[i] = wilson(random);
    for (std::uint32_t j = 0; j < std::uint32_t(1 + i % 5); ++j) {
      index.push_back({i, 0, 0, 0});
      lattice.push_back(j);
      intensity.push_back(
          static_cast<float>(truth[i] * (1 + rho * normal(random)) + 10 * normal(random)));
      variance.push_back(100);
      near.push_back(1);
    }
  }
  const IndexGroups g = group_by_index(index, lattice);
  auto merged = merge_groups(g, g.in_order(intensity), g.in_order(variance), g.in_order(near),
                             std::vector<HalfSet>(5, HalfSet::Odd), MergeWeights::Unit);
  const auto found = add_scatter(merged, 1, [](const AsuIndex&) { return 0; });
  EXPECT_NEAR(found[0], rho, 0.02);
  // By the median: a mean of few may be near zero by chance, and its sigma then too small.
  std::vector<double> z;
  for (const MergedIndex& m : merged)
    z.push_back(std::abs(m.all.intensity - truth[m.index.h]) / m.all.sigma);
  std::nth_element(z.begin(), z.begin() + 2500, z.end());
  EXPECT_NEAR(z[2500], 0.6745, 0.07);
}

TEST(OwnerOf, SpreadsIndicesEvenly) {
  for (const int owners : {1, 2, 3, 5, 64}) {
    std::vector<int> load(static_cast<std::size_t>(owners));
    for (std::int16_t h = 0; h < 20; ++h)
      for (std::int16_t k = 0; k < 20; ++k)
        for (std::int16_t l = 0; l < 20; ++l)
          ++load[static_cast<std::size_t>(owner_of({h, k, l, 0}, owners))];
    EXPECT_LT(*std::max_element(load.begin(), load.end()), 1.5 * 8000 / owners);
  }
}

} // namespace
} // namespace kilobragg::merging
