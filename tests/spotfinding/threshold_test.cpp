// Both thresholds against the plain ones on random panels of every pixel type, mask and size.
#include "reference/threshold_reference.hpp"

#include "kernels/threshold/strong_pixels.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

namespace kilobragg::threshold {
namespace {

using testing::PlainPanel;

/// A panel of raw pixels with its mask, and room for results.
template <typename T>
struct TestPanel {
  int width, height;
  std::vector<T> raw;
  std::vector<bool> allowed;
  T lowest = std::numeric_limits<T>::lowest(), highest = std::numeric_limits<T>::max();
  std::vector<Word> mask_words, words[3];

  TestPanel(int w, int h, T value = T{})
      : width(w)
      , height(h)
      , raw(static_cast<std::size_t>(w) * h, value)
      , allowed(raw.size(), true) {
    for (auto& v : words) v.assign(static_cast<std::size_t>(h) * words_for(w), 0x5555);
  }
  T& at(int x, int y) { return raw[static_cast<std::size_t>(y) * width + x]; }

  PanelPixels<T> pixels() {
    mask_words.assign(words[0].size(), 0);
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x)
        mask_words[static_cast<std::size_t>(y) * words_for(width) + x / word_bits] |=
            static_cast<Word>(allowed[static_cast<std::size_t>(y) * width + x]) << (x % word_bits);
    return {raw.data(),       static_cast<std::size_t>(width), width, height, lowest, highest,
            mask_words.data()};
  }
  PanelBits bits() {
    const auto image = [&](int i) { return BitImage{words[i].data(), width, height}; };
    return {image(0), image(1), image(2)};
  }
  PlainPanel plain(double pedestal = 0, double gain = 1) const {
    PlainPanel p{width, height, {}, {}};
    for (std::size_t i = 0; i < raw.size(); ++i) {
      p.values.push_back((static_cast<double>(raw[i]) - pedestal) / gain);
      p.usable.push_back(allowed[i] && raw[i] >= lowest && raw[i] <= highest);
    }
    return p;
  }
};

template <typename T, typename Counts>
std::vector<bool> run(TestPanel<T>& panel, const Counts& counts, const Options& o, bool extended) {
  static SumsMemory memory; // reused, so that what one panel leaves would show in the next
  const PanelBits bits = panel.bits();
  if (extended)
    find_dispersion_extended(panel.pixels(), counts, o, bits, memory);
  else
    find_dispersion(panel.pixels(), counts, o, bits, memory);
  std::vector<bool> strong;
  for (int y = 0; y < panel.height; ++y)
    for (int x = 0; x < panel.width; ++x) strong.push_back(bits.strong.test(x, y));
  return strong;
}

std::vector<bool> plain(const PlainPanel& panel, const Options& o, bool extended) {
  return extended ? plain_dispersion_extended(panel, o) : plain_dispersion(panel, o);
}

std::size_t count(const std::vector<bool>& bits) {
  return static_cast<std::size_t>(std::count(bits.begin(), bits.end(), true));
}

std::vector<std::size_t> differences(const std::vector<bool>& a, const std::vector<bool>& b) {
  std::vector<std::size_t> where;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i]) where.push_back(i);
  return where;
}

/// Poisson background with bright blobs, dead pixels and untrusted values.
template <typename T>
TestPanel<T> random_panel(std::mt19937& rng) {
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(rng);
  };
  TestPanel<T> panel(pick(1, 210), pick(1, 60));
  const double means[] = {0.02, 0.3, 3, 40, 900, 12000};
  const double mean = means[pick(0, 5)];
  std::poisson_distribution<int> background(mean);
  for (T& v : panel.raw) v = static_cast<T>(background(rng));
  const int blobs = pick(0, 12), bright[] = {5, 60, 3000, 40000};
  for (int b = 0; b < blobs; ++b) {
    const int x0 = pick(0, panel.width - 1), y0 = pick(0, panel.height - 1), size = pick(1, 8);
    const int height = bright[pick(0, 3)];
    for (int y = y0; y < std::min(panel.height, y0 + size); ++y)
      for (int x = x0; x < std::min(panel.width, x0 + size); ++x)
        panel.at(x, y) = static_cast<T>(std::min<long>(
            60000, static_cast<long>(panel.at(x, y)) + pick(0, height) + static_cast<int>(mean)));
  }
  const int dead[] = {0, 0, 50, 3};
  if (const int every = dead[pick(0, 3)]; every != 0)
    for (std::size_t i = 0; i < panel.allowed.size(); ++i) panel.allowed[i] = pick(0, every) != 0;
  if (pick(0, 3) == 0) panel.highest = static_cast<T>(mean * 3 + 20);
  if (pick(0, 3) == 0) panel.lowest = 1;
  return panel;
}

Options random_options(std::mt19937& rng) {
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(rng);
  };
  Options o;
  if (pick(0, 1) == 0) o.kernel_x = pick(1, 8), o.kernel_y = pick(1, 8);
  const double gains[] = {1, 1, 0.46, 25};
  o.gain = gains[pick(0, 3)];
  if (pick(0, 3) == 0) o.global_threshold = pick(-2, 100);
  if (pick(0, 3) == 0) o.sigma_background = pick(0, 8), o.sigma_strong = pick(0, 5);
  if (pick(0, 3) == 0) o.min_local = pick(0, 40);
  return o;
}

template <typename T>
class Threshold : public ::testing::Test {};
using PixelTypes = ::testing::Types<std::uint16_t, std::int32_t, float>;
TYPED_TEST_SUITE(Threshold, PixelTypes);

/// What production code takes for this pixel type: exact sums for integers, double for floats.
template <typename T>
using NaturalCounts = std::conditional_t<std::is_integral_v<T>, RawCounts, CalibratedCounts>;

TYPED_TEST(Threshold, RandomPanelsAgreeWithPlainSums) {
  std::mt19937 rng(1);
  std::size_t strong = 0;
  for (int trial = 0; trial < 150; ++trial) {
    TestPanel<TypeParam> panel = random_panel<TypeParam>(rng);
    const Options o = random_options(rng);
    for (const bool extended : {false, true}) {
      const auto found = run(panel, NaturalCounts<TypeParam>{}, o, extended);
      ASSERT_EQ(differences(found, plain(panel.plain(), o, extended)), std::vector<std::size_t>{})
          << "trial " << trial << ' ' << panel.width << 'x' << panel.height << " kernel "
          << o.kernel_x << ',' << o.kernel_y << " gain " << o.gain << " extended " << extended;
      strong += count(found);
    }
  }
  EXPECT_GT(strong, 10000u); // the panels do hold spots
}

TYPED_TEST(Threshold, PedestalAndGainOfThePanel) {
  std::mt19937 rng(2);
  for (int trial = 0; trial < 60; ++trial) {
    TestPanel<TypeParam> panel = random_panel<TypeParam>(rng);
    const Options o = random_options(rng);
    const double pedestal = trial % 3 == 0 ? 0 : 2.5, gain = trial % 2 == 0 ? 4 : 0.5;
    for (const bool extended : {false, true})
      ASSERT_EQ(differences(run(panel, CalibratedCounts{pedestal, gain}, o, extended),
                            plain(panel.plain(pedestal, gain), o, extended)),
                std::vector<std::size_t>{})
          << "trial " << trial << " extended " << extended;
  }
}

TYPED_TEST(Threshold, ConstantMaskedAndTinyPanelsHaveNothingStrong) {
  for (const bool extended : {false, true})
    for (const auto& [w, h] : {std::pair{1, 1}, {2, 3}, {1, 40}, {300, 1}, {64, 64}, {65, 7}}) {
      for (const int value : {0, 1, 1000, 60000}) {
        TestPanel<TypeParam> panel(w, h, static_cast<TypeParam>(value));
        EXPECT_EQ(count(run(panel, NaturalCounts<TypeParam>{}, {}, extended)), 0u) << w << ' ' << h;
      }
      TestPanel<TypeParam> masked(w, h, 3);
      masked.at(w / 2, h / 2) = 50000;
      masked.allowed.assign(masked.allowed.size(), false);
      EXPECT_EQ(count(run(masked, NaturalCounts<TypeParam>{}, {}, extended)), 0u);
      TestPanel<TypeParam> untrusted(w, h, 3);
      untrusted.at(w / 2, h / 2) = 50000;
      untrusted.lowest = 1, untrusted.highest = 0;
      EXPECT_EQ(count(run(untrusted, NaturalCounts<TypeParam>{}, {}, extended)), 0u);
    }
}

TYPED_TEST(Threshold, TrustedRangeIsInclusive) {
  TestPanel<TypeParam> panel(40, 40, 10);
  panel.at(20, 20) = 500;
  panel.lowest = 10;
  for (const int highest : {499, 500}) {
    panel.highest = static_cast<TypeParam>(highest);
    EXPECT_EQ(count(run(panel, NaturalCounts<TypeParam>{}, {}, false)), highest == 500 ? 1u : 0u);
  }
}

/// 32-bit sums would fail on these: 46341^2 > 2^31, 65536^2 > 2^32, 49 * (2^24-1)^2 > 2^53.
TEST(ThresholdSums, BrightPixelsDoNotOverflow) {
  const std::int32_t bright[] = {46340, 46341, 65535, 65536, 65537, 92682, 131072, (1 << 24) - 1};
  for (const std::int32_t value : bright)
    for (const std::int32_t level : {0, 7, 30000, value - 1000, value - 1}) {
      TestPanel<std::int32_t> panel(100, 30, level);
      for (int y = 10; y < 14; ++y)
        for (int x = 60; x < 66; ++x) panel.at(x, y) = value - (x + y) % 3;
      for (const bool extended : {false, true})
        EXPECT_EQ(
            differences(run(panel, RawCounts{}, {}, extended), plain(panel.plain(), {}, extended)),
            std::vector<std::size_t>{})
            << value << " on " << level;
    }
}

TEST(ThresholdSums, FlatBrightRegionIsNotStrong) {
  // With squares in 32 bits the sums of a flat region at 65536 are zero and its edges look strong.
  TestPanel<std::uint16_t> panel(90, 90, 65535);
  for (const bool extended : {false, true})
    EXPECT_EQ(count(run(panel, RawCounts{}, {}, extended)), 0u);
}

TEST(ThresholdSums, ExactWhereDoublesWouldRound) {
  LocalSums<std::int64_t> s;
  for (int i = 0; i < 181; ++i) {
    const std::int64_t value = (1 << 24) - 1 - (i == 90 ? 1 : 0);
    s.count += 1, s.sum += value, s.sum_squares += value * value;
  }
  EXPECT_EQ(spread(s), 180.0); // n sum d^2 - (sum d)^2 with d = 0 but for one -1
}

TEST(ThresholdSums, HugeValuesStayOutOfTheSumsButMayBeStrong) {
  TestPanel<std::int32_t> panel(50, 50, 2);
  for (int i = 0; i < 50; ++i) panel.at(i, 25) = std::numeric_limits<std::int32_t>::max();
  panel.at(10, 24) = 300;
  for (const bool extended : {false, true})
    EXPECT_EQ(
        differences(run(panel, RawCounts{}, {}, extended), plain(panel.plain(), {}, extended)),
        std::vector<std::size_t>{});
  panel.raw.assign(panel.raw.size(), std::numeric_limits<std::int32_t>::lowest());
  EXPECT_EQ(count(run(panel, RawCounts{}, {}, false)), 0u);
}

TEST(ThresholdSums, NegativePixels) {
  std::mt19937 rng(3);
  std::normal_distribution<double> noise(2, 12);
  for (int trial = 0; trial < 40; ++trial) {
    TestPanel<std::int32_t> panel(130, 50);
    for (auto& v : panel.raw) v = static_cast<std::int32_t>(std::lround(noise(rng)));
    for (int i = 0; i < 30; ++i)
      panel.raw[rng() % panel.raw.size()] += static_cast<int>(rng() % 400);
    panel.lowest = trial % 2 == 0 ? -10 : -100000;
    Options o;
    o.gain = trial % 3 == 0 ? 25 : 1;
    for (const bool extended : {false, true})
      ASSERT_EQ(
          differences(run(panel, RawCounts{}, o, extended), plain(panel.plain(), o, extended)),
          std::vector<std::size_t>{});
  }
}

TEST(ThresholdSums, NotANumberAndInfinityAreUntrusted) {
  TestPanel<float> panel(60, 40, 3);
  panel.at(30, 20) = 400;
  panel.at(31, 20) = std::numeric_limits<float>::quiet_NaN();
  panel.at(32, 20) = std::numeric_limits<float>::infinity();
  panel.at(29, 20) = -std::numeric_limits<float>::infinity();
  for (const bool extended : {false, true}) {
    TestPanel<float> masked(60, 40, 3);
    masked.at(30, 20) = 400;
    for (const int x : {29, 31, 32}) masked.allowed[20 * 60 + x] = false;
    const auto found = run(panel, CalibratedCounts{}, {}, extended);
    EXPECT_EQ(found, run(masked, CalibratedCounts{}, {}, extended));
    EXPECT_EQ(count(found), extended ? 0u : 1u); // the erosion counts them as not dispersed
  }
}

TEST(ThresholdSums, FractionalFloatsOfAnyScale) {
  std::mt19937 rng(8);
  for (const double scale : {1e-20, 1e-9, 1e-3, 0.1, 1.0, 300.0, 1e6})
    for (int trial = 0; trial < 6; ++trial) {
      TestPanel<float> panel(190, 40);
      std::normal_distribution<double> noise(trial % 3, 0.7);
      for (auto& v : panel.raw) v = static_cast<float>(scale * noise(rng));
      for (int i = 0; i < 25; ++i)
        panel.raw[rng() % panel.raw.size()] +=
            static_cast<float>(scale * static_cast<int>(rng() % 60));
      if (trial % 2 == 0)
        for (std::size_t i = 0; i < panel.allowed.size(); ++i) panel.allowed[i] = rng() % 9 != 0;
      Options o;
      o.gain = scale * (trial < 3 ? 1 : 0.3);
      for (const bool extended : {false, true})
        ASSERT_EQ(differences(run(panel, CalibratedCounts{}, o, extended),
                              plain(panel.plain(), o, extended)),
                  std::vector<std::size_t>{})
            << scale << ' ' << trial << ' ' << extended;
    }
}

TEST(ThresholdErosion, MaskedPixelsErodeAndEdgesDoNot) {
  // A blob in the corner survives the erosion; a masked pixel beside it takes its neighbours away.
  TestPanel<std::int32_t> corner(80, 80, 4);
  for (int y = 0; y < 3; ++y)
    for (int x = 77; x < 80; ++x) corner.at(x, y) = 500;
  EXPECT_EQ(count(run(corner, RawCounts{}, {}, true)), 9u);
  corner.allowed[80 * 1 + 78] = false;
  EXPECT_EQ(count(run(corner, RawCounts{}, {}, true)), 0u);
}

TEST(BitImage, WindowsCrossWords) {
  const Word row[] = {Word{1} << 63, 5, ~Word{0}};
  EXPECT_EQ(bits_from(row, 3, 63), Word{1} | (Word{5} << 1));
  EXPECT_EQ(bits_from(row, 3, 64), Word{5});
  EXPECT_EQ(bits_from(row, 3, 160), ~Word{0} >> 32);
}

} // namespace
} // namespace kilobragg::threshold
