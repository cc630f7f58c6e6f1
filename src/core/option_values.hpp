// Text to values and back for the option kinds; for the sources of this room alone.
#pragma once

#include <string>
#include <vector>

namespace kilobragg::core {

bool is_none(const std::string& text); ///< None, Auto or nothing
bool parse_bool(const std::string& text);
int parse_int(const std::string& text);
double parse_double(const std::string& text);
/// Splits at blanks and commas.
std::vector<std::string> split_list(const std::string& text);
std::string show_bool(bool value);
std::string show_double(double value);

} // namespace kilobragg::core
