// Text for HTML and SVG: escapes, short numbers, bytes as base64.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace kilobragg::report {

/// & < > " ' as entities, so that any text can stand in an element or an attribute. Control
/// characters and bytes that are no UTF-8 become U+FFFD.
std::string escape_html(std::string_view text);

/// A coordinate with at most two decimals and no trailing zeros: "12.5".
std::string short_number(double value);

/// "data:image/png;base64,..." for a PNG's bytes.
std::string png_data_url(std::string_view png);

} // namespace kilobragg::report
