// The names that somebody who mistyped one most likely meant.
#pragma once

#include <string>
#include <vector>

namespace kilobragg::core {

/// Insertions, deletions, replacements and swaps of neighbours that turn a into b.
int edit_distance(const std::string& a, const std::string& b);

/// Up to `most` of `names` close to `typed`, nearest first. Names may be dotted paths; then the
/// right last part under a wrong scope counts as near too.
std::vector<std::string> nearest_names(const std::string& typed,
                                       const std::vector<std::string>& names, std::size_t most = 3);

} // namespace kilobragg::core
