// Edit distance and the names nearest to a mistyped one.
#include "kilobragg/core/nearest_names.hpp"

#include <algorithm>
#include <numeric>

namespace kilobragg::core {
namespace {

std::string last_part(const std::string& path) { return path.substr(path.rfind('.') + 1); }

/// How far an option path is from what was typed: by its whole path or by its last part alone,
/// which finds the right name under a wrong scope.
int path_distance(const std::string& typed, const std::string& path) {
  const int by_name = edit_distance(last_part(typed), last_part(path));
  if (typed.find('.') == std::string::npos) return by_name;
  return std::min(edit_distance(typed, path), by_name + 1);
}

} // namespace

int edit_distance(const std::string& a, const std::string& b) {
  // Optimal string alignment: a swap of two neighbours counts as one mistake.
  std::vector<int> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  std::iota(above.begin(), above.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

std::vector<std::string> nearest_names(const std::string& typed,
                                       const std::vector<std::string>& names, std::size_t most) {
  const int limit = std::max(2, static_cast<int>(last_part(typed).size()) / 3);
  std::vector<std::pair<int, std::string>> scored;
  for (const auto& name : names) {
    const int distance = path_distance(typed, name);
    if (distance <= limit) scored.emplace_back(distance, name);
  }
  std::stable_sort(scored.begin(), scored.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> found;
  for (std::size_t i = 0; i < scored.size() && i < most; ++i) found.push_back(scored[i].second);
  return found;
}

} // namespace kilobragg::core
