// Tables of times, and the images with their spots.
#include "report_parts.hpp"

#include "kilobragg/report/axis.hpp"
#include "kilobragg/report/html_text.hpp"
#include "kilobragg/report/number_text.hpp"

#include <fmt/format.h>

namespace kilobragg::report {
namespace {

std::string milliseconds(double seconds) { return fmt::format("{:.1f}", 1e3 * seconds); }

/// A median that is not known is no zero.
std::string known_milliseconds(double seconds) { return seconds > 0 ? milliseconds(seconds) : "–"; }

std::string steps_table(const ReportData& data) {
  double total = 0;
  for (const StepTimes& step : data.steps) total += step.total;
  if (total <= 0) return "<p>Times of steps were not recorded.</p>\n";
  std::string rows;
  for (std::size_t i = 0; i < data.steps.size(); ++i) {
    const StepTimes& step = data.steps[i];
    if (step.images == 0) continue;
    rows += fmt::format(
        R"(<tr><td>{}</td><td class="n opt">{}</td><td class="n">{}</td><td class="n">{}</td><td class="n">{}</td><td class="n">{:.0f}&#160;%</td><td class="bar opt"><i style="background:{};width:{:.1f}%"></i></td></tr>)",
        step_keys()[i].name, with_spaces(step.images),
        milliseconds(step.total / static_cast<double>(step.images)),
        known_milliseconds(step.median), known_milliseconds(step.slowest_percent),
        100 * step.total / total, step_keys()[i].colour, 100 * step.total / total);
    rows += '\n';
  }
  return fmt::format(
      R"(<div><h3>Time of the steps</h3><table><thead><tr><th>step</th><th class="n opt">images</th><th class="n">mean (ms)</th><th class="n">median</th><th class="n">99&#160;%</th><th class="n">share</th><th class="opt"></th></tr></thead><tbody>
{}</tbody></table></div>
)",
      rows);
}

std::string slowest_table(const ReportData& data) {
  if (data.slowest.empty()) return "";
  std::string rows;
  for (const SlowImage& image : data.slowest)
    rows += fmt::format(
        R"(<tr><td class="long">{}</td><td>{}</td><td class="n opt">{}</td><td class="long opt">{}</td><td class="n">{}</td></tr>)",
        escape_html(image.tag), escape_html(image.state), image.rank, escape_html(image.host),
        duration_text(image.seconds));
  return fmt::format(
      R"(<div><h3>Slowest images</h3><table><thead><tr><th>image</th><th>state</th><th class="n opt">rank</th><th class="opt">host</th><th class="n">time</th></tr></thead><tbody>
{}</tbody></table></div>
)",
      rows);
}

const char* heading(FrameKind kind) {
  switch (kind) {
  case FrameKind::Best:
    return "Best: many indexed spots, small RMSD";
  case FrameKind::NotIndexed:
    return "Hit with most spots, not indexed";
  case FrameKind::LargestRmsd:
    break;
  }
  return "Largest RMSD";
}

std::string frame_caption(const FrameShown& frame) {
  std::string text = fmt::format("{}: {}, {} spots", escape_html(frame.tag),
                                 escape_html(frame.state), with_spaces(frame.spots));
  if (frame.lattices > 0)
    text +=
        fmt::format(", {} lattice{}, RMSD {:.2f} px, {} reflections", frame.lattices,
                    frame.lattices == 1 ? "" : "s", frame.rmsd_px, with_spaces(frame.reflections));
  if (frame.d_min > 0) text += fmt::format(", spots to {:.2f} Å", frame.d_min);
  return text + fmt::format(" <span class=\"quiet\">({})</span>", escape_html(frame.path));
}

std::string frame_figure(const FrameShown& frame) {
  const std::string picture =
      !frame.picture.empty()
          ? frame.picture
          : fmt::format("<div class=\"missing\">No picture: {}</div>", escape_html(frame.problem));
  return fmt::format("<figure><h3>{}</h3>{}<figcaption>{}</figcaption></figure>\n",
                     heading(frame.kind), picture, frame_caption(frame));
}

} // namespace

std::string time_tables(const ReportData& data) {
  return "<div class=\"columns\">" + steps_table(data) + slowest_table(data) + "</div>\n";
}

std::string frame_figures(const ReportData& data) {
  if (data.frames.empty()) return "<p>No image had enough spots to be shown.</p>\n";
  std::string figures;
  for (const FrameShown& frame : data.frames) figures += frame_figure(frame);
  return R"(<input type="checkbox" id="show-found" checked><label for="show-found"> <span class="legend"><i class="key-found"></i>found spots</span></label>
<input type="checkbox" id="show-predicted" checked><label for="show-predicted"> <span class="legend"><i class="key-predicted"></i>predicted reflections</span></label>
<div class="grid">)" +
         figures + "</div>\n";
}

} // namespace kilobragg::report
