// The text of CIF files as blocks of tags and tables; plain or gzipped files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kilobragg::io {

/// A loop_, or the single pair of a tag outside loops (one row).
struct CifTable {
  std::vector<std::string> tags;   ///< as written, with the leading underscore
  std::vector<std::string> values; ///< row by row, with the quotes or semicolons that enclose them
  std::size_t rows() const { return tags.empty() ? 0 : values.size() / tags.size(); }
  /// Column of a tag (case does not matter), or -1.
  int column(std::string_view tag) const;
};

/// One data_ block.
struct CifBlock {
  std::string name;
  std::vector<CifTable> tables; ///< in the order of the file
  /// The table that holds a tag; null if there is none.
  const CifTable* find(std::string_view tag) const;
  /// The first value of a tag without its quotes; empty if it is absent, "?" or ".".
  std::string value(std::string_view tag) const;
};

/// Blocks of a CIF (STAR syntax of CIF 1.1, as mmCIF uses it; save frames are skipped). `name` is for
/// messages. Throws core::Error naming the line.
std::vector<CifBlock> parse_cif(std::string_view text, const std::string& name);

/// A value without quotes, or between its semicolons.
std::string cif_string(std::string_view raw);
/// A number, its standard uncertainty in brackets left out; NaN for "?", "." and what is no number.
double cif_number(std::string_view raw);

/// All text of a file, unpacked if it is gzipped. Throws core::Error.
std::string read_possibly_gzipped(const std::string& path);

} // namespace kilobragg::io
