// Groups digits and chooses units.
#include "kilobragg/report/number_text.hpp"

#include <fmt/format.h>

#include <cmath>

namespace kilobragg::report {

std::string with_spaces(std::int64_t number, const char* space) {
  std::string text = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  if (text.size() - first < 5) return text;
  for (std::size_t at = text.size(); at > first + 3;) {
    at -= 3;
    text.insert(at, space);
  }
  return text;
}

std::string short_count(std::int64_t number) {
  const double value = static_cast<double>(number);
  if (number < 1'000'000) return with_spaces(number);
  if (number < 999'500'000) return fmt::format("{:.3g}\u00a0M", value / 1e6);
  return fmt::format("{:.3g}\u00a0G", value / 1e9);
}

std::string duration_text(double seconds) {
  if (seconds < 1) return fmt::format("{:.0f} ms", 1e3 * seconds);
  if (seconds < 10) return fmt::format("{:.2g} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  const auto pair = [whole](std::int64_t large, const char* large_name, std::int64_t small,
                            const char* small_name) {
    const auto rest = whole % large / small;
    return rest == 0 ? fmt::format("{} {}", whole / large, large_name)
                     : fmt::format("{} {} {} {}", whole / large, large_name, rest, small_name);
  };
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return pair(60, "min", 1, "s");
  if (whole < 86400) return pair(3600, "h", 60, "min");
  return pair(86400, "d", 3600, "h");
}

} // namespace kilobragg::report
