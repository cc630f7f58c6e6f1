// Words of plain text tables, line by line; for the sources of this room alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kilobragg::io {

/// What stands on one line that has anything but a comment.
struct TextLine {
  int number = 0; ///< from 1
  std::vector<std::string> words;
};

/// Lines of `text` up to '#', split at blanks, carriage returns and any of `separators`. Two separators
/// with nothing between them, or one at an end of the line, make an empty word.
std::vector<TextLine> lines_of_words(std::string_view text, std::string_view separators = {});

} // namespace kilobragg::io
