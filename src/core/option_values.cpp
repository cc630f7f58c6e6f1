// Strict conversions: the whole text must be of the expected kind.
#include "option_values.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace kilobragg::core {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// Reads all of `text` as a number; a leading + is allowed, as users write it.
template <typename T>
bool read_number(const std::string& text, T& value) {
  const char* first = text.data();
  const char* last = first + text.size();
  if (first != last && *first == '+') ++first;
  const auto [end, error] = std::from_chars(first, last, value);
  return error == std::errc() && end == last;
}

} // namespace

bool is_none(const std::string& text) {
  const std::string word = lower(text);
  return word.empty() || word == "none" || word == "auto";
}

bool parse_bool(const std::string& text) {
  const std::string word = lower(text);
  for (const char* yes : {"true", "yes", "on", "1"})
    if (word == yes) return true;
  for (const char* no : {"false", "no", "off", "0"})
    if (word == no) return false;
  fail("True or False is expected");
}

int parse_int(const std::string& text) {
  int value = 0;
  require(read_number(text, value), "a whole number is expected");
  return value;
}

double parse_double(const std::string& text) {
  double value = 0;
  require(read_number(text, value) && std::isfinite(value), "a number is expected");
  return value;
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t at = 0;
  while ((at = text.find_first_not_of(" \t\n,", at)) != std::string::npos) {
    const auto end = std::min(text.find_first_of(" \t\n,", at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end;
  }
  return parts;
}

std::string show_bool(bool value) { return value ? "True" : "False"; }

std::string show_double(double value) { return fmt::format("{}", value); }

} // namespace kilobragg::core
