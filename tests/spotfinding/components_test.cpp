// Connected components against a flood fill.
#include "kilobragg/spotfinding/components.hpp"

#include <gtest/gtest.h>

#include <random>

namespace kilobragg::spotfinding {
namespace {

using threshold::Word;

struct Bits {
  int width, height;
  std::vector<Word> words;

  Bits(int w, int h)
      : width(w)
      , height(h)
      , words(static_cast<std::size_t>(h) * threshold::words_for(w)) {}
  threshold::BitImage view() { return {words.data(), width, height}; }
  void set(int x, int y) { view().row(y)[x / 64] |= Word{1} << (x % 64); }
};

/// Labels by flood fill over right, left, down, up; 0 = not strong.
std::vector<int> flood(Bits& bits) {
  const auto image = bits.view();
  std::vector<int> labels(static_cast<std::size_t>(bits.width) * bits.height, 0);
  int next = 0;
  for (int y = 0; y < bits.height; ++y)
    for (int x = 0; x < bits.width; ++x) {
      if (!image.test(x, y) || labels[static_cast<std::size_t>(y) * bits.width + x] != 0) continue;
      ++next;
      std::vector<std::pair<int, int>> stack{{x, y}};
      while (!stack.empty()) {
        const auto [u, v] = stack.back();
        stack.pop_back();
        if (u < 0 || v < 0 || u >= bits.width || v >= bits.height || !image.test(u, v)) continue;
        int& label = labels[static_cast<std::size_t>(v) * bits.width + u];
        if (label != 0) continue;
        label = next;
        for (const auto& [dx, dy] : {std::pair{1, 0}, {-1, 0}, {0, 1}, {0, -1}})
          stack.emplace_back(u + dx, v + dy);
      }
    }
  return labels;
}

std::vector<int> labels_of(const ComponentLabeller& labeller, std::size_t n, const Bits& bits) {
  std::vector<int> labels(static_cast<std::size_t>(bits.width) * bits.height, 0);
  for (std::size_t i = 0; i < n; ++i)
    for (const PixelRun& run : labeller.runs(i))
      for (int x = run.x0; x < run.x1; ++x)
        labels[static_cast<std::size_t>(run.y) * bits.width + x] = static_cast<int>(i + 1);
  return labels;
}

TEST(Components, RandomPanelsAgreeWithFloodFill) {
  std::mt19937 rng(5);
  ComponentLabeller labeller;
  for (int trial = 0; trial < 200; ++trial) {
    Bits bits(1 + static_cast<int>(rng() % 200), 1 + static_cast<int>(rng() % 40));
    const unsigned density = 1 + static_cast<unsigned>(rng() % 9);
    for (int y = 0; y < bits.height; ++y)
      for (int x = 0; x < bits.width; ++x)
        if (rng() % 10 < density) bits.set(x, y);
    const std::size_t n = labeller.label(bits.view());
    ASSERT_EQ(labels_of(labeller, n, bits), flood(bits)) << "trial " << trial;
  }
}

TEST(Components, EmptyAndFull) {
  ComponentLabeller labeller;
  Bits bits(130, 20);
  EXPECT_EQ(labeller.label(bits.view()), 0u);
  EXPECT_EQ(labeller.pixel_count(), 0u);
  for (int y = 0; y < 20; ++y)
    for (int x = 0; x < 130; ++x) bits.set(x, y);
  EXPECT_EQ(labeller.label(bits.view()), 1u);
  EXPECT_EQ(labeller.pixel_count(), 2600u);
}

TEST(Components, LastColumnDoesNotTouchTheNextRow) {
  ComponentLabeller labeller;
  Bits bits(64, 3);
  bits.set(63, 0), bits.set(0, 1), bits.set(63, 2);
  EXPECT_EQ(labeller.label(bits.view()), 3u);
}

TEST(Components, DiagonalNeighboursAreApart) {
  ComponentLabeller labeller;
  Bits bits(10, 10);
  bits.set(3, 3), bits.set(4, 4), bits.set(3, 5);
  EXPECT_EQ(labeller.label(bits.view()), 3u);
}

} // namespace
} // namespace kilobragg::spotfinding
