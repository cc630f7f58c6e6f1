// Connected components by runs: each row's runs are joined with those they touch in the row above.
#include "kilobragg/spotfinding/components.hpp"

#include <algorithm>
#include <bit>

namespace kilobragg::spotfinding {

void ComponentLabeller::collect_runs(const threshold::BitImage& strong) {
  runs_.clear();
  pixel_count_ = 0;
  const int words = strong.words_per_row();
  for (int y = 0; y < strong.height; ++y) {
    const threshold::Word* row = strong.row(y);
    for (int word = 0; word < words; ++word) {
      threshold::Word bits = row[word];
      while (bits != 0) {
        const int first = std::countr_zero(bits);
        const int length = std::countr_one(bits >> first);
        const int x0 = word * threshold::word_bits + first;
        if (!runs_.empty() && runs_.back().y == y && runs_.back().x1 == x0)
          runs_.back().x1 += length; // goes on from the word before
        else
          runs_.push_back({y, x0, x0 + length});
        pixel_count_ += static_cast<std::size_t>(length);
        bits &= ~(threshold::low_bits(length) << first);
      }
    }
  }
}

std::uint32_t ComponentLabeller::root(std::uint32_t run) {
  while (parent_[run] != run) run = parent_[run] = parent_[parent_[run]];
  return run;
}

void ComponentLabeller::join_rows() {
  parent_.resize(runs_.size());
  std::size_t above = 0; // first run of the row above that may still touch
  for (std::uint32_t i = 0; i < runs_.size(); ++i) {
    parent_[i] = i;
    const PixelRun& run = runs_[i];
    while (runs_[above].y < run.y - 1 || (runs_[above].y == run.y - 1 && runs_[above].x1 <= run.x0))
      ++above;
    for (std::size_t j = above; runs_[j].y == run.y - 1 && runs_[j].x0 < run.x1; ++j) {
      const auto a = root(static_cast<std::uint32_t>(j)), b = root(i);
      parent_[std::max(a, b)] = std::min(a, b); // the root is the first run in raster order
    }
  }
}

std::size_t ComponentLabeller::label(const threshold::BitImage& strong) {
  collect_runs(strong);
  join_rows();
  component_.resize(runs_.size());
  first_.assign(1, 0);
  for (std::uint32_t i = 0; i < runs_.size(); ++i) {
    const std::uint32_t r = root(i);
    if (r == i) {
      component_[i] = static_cast<std::uint32_t>(first_.size() - 1);
      first_.push_back(0);
    } else {
      component_[i] = component_[r];
    }
    ++first_[component_[i] + 1];
  }
  for (std::size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
  ordered_.resize(runs_.size());
  parent_.assign(first_.begin(), first_.end()); // next free place of each component
  for (std::size_t i = 0; i < runs_.size(); ++i) ordered_[parent_[component_[i]]++] = runs_[i];
  return first_.size() - 1;
}

} // namespace kilobragg::spotfinding
