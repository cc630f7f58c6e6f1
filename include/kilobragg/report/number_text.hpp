// Counts and durations as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace kilobragg::report {

/// A space that neither breaks nor is as wide as one between words.
inline constexpr const char* narrow_space = "\u202f";

/// 1234567 as "1 234 567"; numbers of four digits stay together.
std::string with_spaces(std::int64_t number, const char* space = narrow_space);
/// The same below a million; "3.82 M" or "1.27 G" from there on, with three digits.
std::string short_count(std::int64_t number);

/// "45 ms", "2.3 s", "12 s", "14 min 20 s", "2 h 5 min", "3 d 4 h".
std::string duration_text(double seconds);

} // namespace kilobragg::report
