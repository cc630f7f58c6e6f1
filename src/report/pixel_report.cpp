// Puts the parts of the report of refinement against pixels together.
#include "kilobragg/report/pixel_report.hpp"

#include "pixel_report_parts.hpp"
#include "report_parts.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/report/html_text.hpp"

#include <fmt/format.h>

namespace kilobragg::report {
namespace {

/// What this page has beside the sheet of the other report.
constexpr std::string_view extra_style = R"(
.panes{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:.5em}
.panes img{display:block;width:100%;height:auto;image-rendering:pixelated;border:1px solid #c9d0d6}
.panes span{display:block;color:#4d5760;font-size:.88em}
.tiles{margin-top:1.2em}
)";

void check(const PixelReportData& data) {
  core::require(data.f_before.size() == data.f_after.size(),
                "{} amplitudes before refinement but {} after it", data.f_before.size(),
                data.f_after.size());
  for (const BoxShown& box : data.boxes) {
    const auto size = std::size_t(box.width) * std::size_t(box.height);
    core::require(
        size > 0 && box.data.size() == size && box.model.size() == size && box.z.size() == size,
        "shoebox '{}' of {} x {} pixels has {} of data, {} of the model, {} of z", box.caption,
        box.width, box.height, box.data.size(), box.model.size(), box.z.size());
  }
}

std::string headline(const PixelReportData& data) {
  std::string text;
  for (const auto& [number, words] : data.tiles)
    text += fmt::format("<div class=\"tile\"><b>{}</b><span>{}</span></div>\n", escape_html(number),
                        escape_html(words));
  if (!text.empty()) text = "<div class=\"tiles\">\n" + text + "</div>\n";
  for (const std::string& problem : data.problems)
    text += "<p class=\"bad\">" + escape_html(problem) + "</p>\n";
  return text;
}

std::string provenance(const PixelReportData& data) {
  std::string text =
      fmt::format("<p>{} {}</p>\n", escape_html(data.program), escape_html(data.version));
  if (!data.options.empty())
    text += fmt::format("<details><summary>Options in effect</summary><pre>{}</pre></details>\n",
                        escape_html(data.options));
  return text;
}

std::string section(const std::string& id, const std::string& heading, const std::string& inside) {
  return fmt::format("<section id=\"{}\"><h2>{}</h2>\n{}</section>\n", id, heading, inside);
}

} // namespace

std::string render_pixel_html(const PixelReportData& data) {
  check(data);
  return page_head(escape_html(data.title), extra_style, escape_html(data.subtitle)) +
         headline(data) + section("factors", "Structure factors", factors_part(data)) +
         section("convergence", "Convergence", convergence_part(data)) +
         section("shots", "Shots", shots_part(data)) +
         section("pixels", "Pixels", pixels_part(data)) +
         section("provenance", "Version, options", provenance(data)) + "</body>\n</html>\n";
}

void write_pixel_report(const PixelReportData& data, const std::string& html) {
  core::write_file(html, render_pixel_html(data));
}

} // namespace kilobragg::report
