// The phil language as users of DIALS write it: text in, assignments with full paths out.
#pragma once

#include <string>
#include <vector>

namespace kilobragg::core {

/// One `path = value` of a phil text.
struct PhilAssignment {
  std::string path;  ///< scopes joined with dots
  std::string value; ///< words joined with single spaces, quotes removed
  int line = 0;      ///< where the name stands, from 1
};

/// Reads nested scopes, dotted names, quotes ('...', "...", triple), `#` comments, `;` between
/// definitions, `\` at line ends and `!` before a definition or scope (disabled). Attribute lines
/// (`.type = float`) are skipped. Throws core::Error naming `where` and the line.
std::vector<PhilAssignment> parse_phil_text(const std::string& text, const std::string& where);

/// `value` quoted if phil would not read it back as it stands.
std::string quote_phil(const std::string& value);
/// Without the quotes around it, if it has any.
std::string unquote_phil(const std::string& value);

} // namespace kilobragg::core
