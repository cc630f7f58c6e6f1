// Splits plain text tables into words.
#include "text_lines.hpp"

namespace kilobragg::io {
namespace {

constexpr std::string_view blanks = " \t\r\v\f";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

void add_words(std::string_view text, std::vector<std::string>& words) {
  while (!text.empty()) {
    const auto end = text.find_first_of(blanks);
    words.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : trimmed(text.substr(end));
  }
}

std::vector<std::string> words_of(std::string_view line, std::string_view separators) {
  std::vector<std::string> words;
  for (std::size_t first = 0;;) {
    const auto end = line.find_first_of(separators, first);
    const std::string_view cell = trimmed(line.substr(first, end - first));
    const bool is_alone = first == 0 && end == std::string_view::npos;
    if (cell.empty() && !is_alone)
      words.emplace_back();
    else
      add_words(cell, words);
    if (end == std::string_view::npos) return words;
    first = end + 1;
  }
}

} // namespace

std::vector<TextLine> lines_of_words(std::string_view text, std::string_view separators) {
  std::vector<TextLine> lines;
  for (int number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    TextLine found{number, words_of(line.substr(0, line.find('#')), separators)};
    if (!found.words.empty()) lines.push_back(std::move(found));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return lines;
}

} // namespace kilobragg::io
