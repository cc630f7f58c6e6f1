// Puts the parts of the HTML report together.
#include "kilobragg/report/html_report.hpp"

#include "frame_pictures.hpp"
#include "report_parts.hpp"

#include "kilobragg/core/files.hpp"
#include "kilobragg/report/axis.hpp"
#include "kilobragg/report/html_text.hpp"
#include "kilobragg/report/load_report.hpp"
#include "kilobragg/report/number_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace kilobragg::report {
namespace {

std::string tile(const std::string& number, const std::string& words, bool is_long = false) {
  return fmt::format("<div class=\"tile{}\"><b>{}</b><span>{}</span></div>\n",
                     is_long ? " long" : "", number, words);
}

std::string of_inputs(const ReportData& data) {
  if (data.inputs <= 0 || data.inputs == data.images()) return "images processed";
  return fmt::format("of {} images processed", with_spaces(data.inputs));
}

std::string headline(const ReportData& data) {
  const auto images = data.images();
  const auto hits = data.count_from(Outcome::NotIndexed);
  const auto indexed = data.count_from(Outcome::Indexed);
  std::string text = "<div class=\"tiles\">\n" + tile(short_count(images), of_inputs(data)) +
                     tile(percent_text(hits, images), fmt::format("hits ({})", with_spaces(hits))) +
                     tile(percent_text(indexed, hits),
                          fmt::format("of the hits indexed ({})", with_spaces(indexed))) +
                     tile(short_count(data.count_from(Outcome::Integrated)), "images integrated") +
                     tile(short_count(data.lattices), "lattices") +
                     tile(short_count(data.reflections), "reflections");
  const double rate = data.seconds > 0 ? static_cast<double>(images) / data.seconds : 0;
  text += tile(rate > 0 ? fmt::format("{:.{}f}", rate,
                                      rate < 10    ? 2
                                      : rate < 100 ? 1
                                                   : 0)
                        : "–",
               rate > 0 ? fmt::format("images per second on {} rank{}, {}", data.ranks,
                                      data.ranks == 1 ? "" : "s", duration_text(data.seconds))
                        : "images per second (times unknown)");
  const Spread& d_min = data.d_min_spots.spread;
  text += tile(d_min.count > 0 ? fmt::format("{:.2f} Å", d_min.median) : "–",
               "median resolution of the spots");
  if (data.lattices > 0)
    text += tile(median_cell_text(data),
                 fmt::format("median cell, {}", escape_html(data.space_group)), true);
  return text + "</div>\n";
}

/// Says whether every input has its exit state.
std::string balance(const ReportData& data) {
  const auto images = data.images();
  if (data.inputs <= 0)
    return "<p class=\"quiet\">How many images the run was given is not known.</p>\n";
  if (images == data.inputs)
    return fmt::format("<p class=\"good\">Every input is accounted for: the exit states add up to "
                       "the {} images that the run was given.</p>\n",
                       with_spaces(images));
  if (images < data.inputs)
    return fmt::format("<p class=\"bad\">{} of {} images have no exit state here: {}</p>\n",
                       with_spaces(data.inputs - images), with_spaces(data.inputs),
                       data.state == "finished"
                           ? "the run ended without them, or their shards were not collected."
                           : "the run did not reach them, or their shards were not collected.");
  return fmt::format("<p class=\"bad\">There are {} exit states for {} inputs.</p>\n",
                     with_spaces(images), with_spaces(data.inputs));
}

/// Exit states from integrate_ok to what could not be read.
std::vector<models::ExitState> best_first() {
  std::vector<models::ExitState> states;
  states.reserve(models::exit_state_count);
  for (int i = models::exit_state_count; i-- > 0;)
    states.push_back(static_cast<models::ExitState>(i));
  std::stable_sort(states.begin(), states.end(),
                   [](auto a, auto b) { return outcome_of(a) > outcome_of(b); });
  return states;
}

std::string exit_states(const ReportData& data) {
  std::string rows;
  for (const models::ExitState state : best_first()) {
    const auto count = data.by_state[static_cast<std::size_t>(state)];
    if (count == 0) continue;
    rows += fmt::format(
        R"(<tr><td>{}</td><td class="n">{}</td><td class="n">{}</td><td class="bar"><i style="background:{};width:{:.2f}%"></i></td></tr>)",
        models::word(state), with_spaces(count), percent_text(count, data.images()),
        outcome_keys()[std::size_t(outcome_of(state))].colour,
        100.0 * static_cast<double>(count) / static_cast<double>(data.images()));
    rows += '\n';
  }
  std::string text = balance(data);
  for (const std::string& problem : data.problems)
    text += "<p class=\"bad\">" + escape_html(problem) + "</p>\n";
  return text +
         fmt::format(
             R"(<table id="exit-states"><thead><tr><th>exit state</th><th class="n">images</th><th class="n">share</th><th></th></tr></thead><tbody>
{}<tr class="sum"><td>sum</td><td class="n">{}</td><td class="n"></td><td></td></tr></tbody></table>
)",
             rows, with_spaces(data.images()));
}

std::string sessions_table(const ReportData& data) {
  if (data.sessions.empty()) return "";
  std::string rows;
  for (const SessionShown& session : data.sessions)
    rows += fmt::format(
        R"(<tr><td>{}</td><td>{}</td><td class="n opt">{}</td><td class="long opt">{}</td><td>{}</td><td>{}</td></tr>)",
        escape_html(session.started), session.seconds > 0 ? duration_text(session.seconds) : "–",
        session.ranks, escape_html(session.host), escape_html(session.state),
        escape_html(session.version));
  return fmt::format(
      R"(<table><thead><tr><th>started (UTC)</th><th>wall time</th><th class="n opt">ranks</th><th class="opt">host</th><th>state</th><th>version</th></tr></thead><tbody>
{}</tbody></table>
)",
      rows);
}

std::string provenance(const ReportData& data) {
  std::string text = sessions_table(data);
  text += fmt::format("<p>{} {} ({}), {} input file{}.</p>\n", escape_html(data.program),
                      escape_html(data.version), escape_html(data.commit),
                      with_spaces(data.input_files), data.input_files == 1 ? "" : "s");
  if (!data.options.empty())
    text += fmt::format("<details><summary>Options in effect</summary><pre>{}</pre></details>\n",
                        escape_html(data.options));
  if (data.sampled_every > 1)
    text += fmt::format("<p class=\"quiet\">Counts are exact. Medians and the ranges of histograms "
                        "come from every {}th image and lattice.</p>\n",
                        data.sampled_every);
  return text;
}

std::string section(const std::string& id, const std::string& heading, const std::string& inside) {
  return fmt::format("<section id=\"{}\"><h2>{}</h2>\n{}</section>\n", id, heading, inside);
}

std::string in_grid(const std::string& figures) {
  return "<div class=\"grid\">" + figures + "</div>\n";
}

std::string subtitle(const ReportData& data) {
  std::string text = escape_html(data.program);
  if (!data.sessions.empty()) text += ", started " + escape_html(data.sessions.front().started);
  if (!data.state.empty()) text += ", " + escape_html(data.state);
  return text;
}

} // namespace

std::string render_html(const ReportData& data) {
  const std::string title = escape_html(data.title);
  std::string weather = weather_figures(data.weather, data.pauses);
  if (weather.empty()) weather = "<p>There are no times of images to draw the weather from.</p>\n";
  return page_head(title, {}, subtitle(data)) + headline(data) +
         section("states", "Exit states", exit_states(data)) +
         section("rates", "Rates", in_grid(rate_figures(data))) +
         section("cell", "Unit cell", cell_figures(data)) +
         section("quality", "Spots, resolution, fit", in_grid(quality_figures(data))) +
         section("weather", "Ranks and time", in_grid(weather) + time_tables(data)) +
         section("frames", "Best and worst images", frame_figures(data)) +
         section("provenance", "Sessions, version, options", provenance(data)) +
         "</body>\n</html>\n";
}

void write_html_report(const std::string& ledger, const std::string& output_dir,
                       const std::string& html, const HtmlReportOptions& options) {
  ReportData data = load_report_data(ledger, options.frames_of_kind);
  namespace fs = std::filesystem;
  data.title = !options.title.empty()
                   ? options.title
                   : fs::weakly_canonical(fs::absolute(output_dir)).filename().string();
  draw_frames(data.frames, output_dir, options.most_shard_bytes);
  core::write_file(html, render_html(data));
}

} // namespace kilobragg::report
