// Draws the weather plot: one body in units of time and rank, framed for wide and narrow screens.
#include "kilobragg/report/html_text.hpp"
#include "kilobragg/report/number_text.hpp"
#include "kilobragg/report/outcome.hpp"
#include "kilobragg/report/svg_plot.hpp"
#include "kilobragg/report/weather.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace kilobragg::report {
namespace {

/// Width of the body in its own units; its height is one unit per row.
constexpr double body_width = 10000;

struct Body {
  std::string id, content;
  int rows = 1;
};

/// Rectangles of one colour as one path: "M12 0.1h30v0.8h-30z". Rank 0 lies at the bottom.
class Boxes {
public:
  Boxes(int rows, double duration)
      : rows_(rows)
      , scale_(body_width / duration) {}
  void add(const std::string& colour, int rank, double start, double seconds) {
    if (seconds <= 0) return;
    const double width = std::max(seconds * scale_, 1.0);
    const int row = rows_ - 1 - rank;
    paths_[colour] +=
        fmt::format("M{:.0f} {}.08h{:.0f}v.84h-{:.0f}z", start * scale_, row, width, width);
  }
  std::string text() const {
    std::string all;
    for (const auto& [colour, path] : paths_)
      all += fmt::format("<path fill=\"{}\" d=\"{}\"/>\n", colour, path);
    return all;
  }

private:
  int rows_;
  double scale_;
  std::map<std::string, std::string> paths_;
};

std::string step_boxes(const WeatherMap& weather) {
  Boxes boxes(weather.rows(), weather.duration());
  for (const WeatherImage& image : weather.images()) {
    double at = image.start;
    for (std::size_t step = 0; step < image.seconds.size(); ++step) {
      boxes.add(step_keys()[step].colour, image.rank, at, image.seconds[step]);
      at += image.seconds[step];
    }
  }
  return boxes.text();
}

std::string outcome_boxes(const WeatherMap& weather) {
  Boxes boxes(weather.rows(), weather.duration());
  for (const WeatherImage& image : weather.images())
    boxes.add(outcome_keys()[std::size_t(outcome_of(image.state))].colour, image.rank, image.start,
              image.total());
  return boxes.text();
}

/// Invisible boxes that name image, state and times under the pointer.
std::string tips(const WeatherMap& weather) {
  std::string all = "<g class=\"tip\">";
  const double scale = body_width / weather.duration();
  for (const WeatherImage& image : weather.images()) {
    std::string times;
    for (std::size_t step = 0; step < image.seconds.size(); ++step)
      if (image.seconds[step] > 0)
        times += fmt::format(", {} {}", step_keys()[step].name, duration_text(image.seconds[step]));
    all += fmt::format(
        R"(<path d="M{:.0f} {}h{:.0f}v1h-{:.0f}z"><title>image {} on rank {}: {}{}</title></path>)",
        image.start * scale, weather.rows() - 1 - image.rank, std::max(image.total() * scale, 1.0),
        std::max(image.total() * scale, 1.0), image.number, image.rank, models::word(image.state),
        times);
  }
  return all + "</g>";
}

std::string grid_image(const io::Picture& picture) {
  return fmt::format(
      R"(<image width="{}" height="{}" preserveAspectRatio="none" image-rendering="pixelated" href="{}"/>)",
      body_width, picture.height, png_data_url(io::encode_png(picture)));
}

Axis rank_axis(const WeatherMap& weather) {
  Axis axis{0, static_cast<double>(weather.ranks()), "rank", {}};
  // Labels stand in the middle of a rank's row, at whole numbers only.
  const int ranks = weather.ranks();
  const int step = std::max(1, static_cast<int>(round_step(ranks / 8.0)));
  for (int rank = 0; rank < ranks; rank += step)
    axis.ticks.push_back({rank + 0.5, std::to_string(rank)});
  return axis;
}

/// The axes with the body between them; `shape` is "wide" or "narrow".
std::string framed(const Body& body, const WeatherMap& weather, const PlotSize& size,
                   const std::string& shape, const std::vector<double>& pauses,
                   const std::string& description) {
  SvgPlot plot(size,
               time_axis(0, weather.duration(), "time since the start", shape == "wide" ? 12 : 6),
               rank_axis(weather), description);
  plot.add(fmt::format(
      R"(<svg x="{}" y="{}" width="{}" height="{}" viewBox="0 0 {} {}" preserveAspectRatio="none"><use href="#{}"/></svg>)",
      short_number(size.left), short_number(size.top),
      short_number(size.width - size.left - size.right),
      short_number(size.height - size.top - size.bottom), body_width, body.rows, body.id));
  for (const double pause : pauses) plot.vertical(pause, "resumed");
  return fmt::format("<div class=\"{}\">{}</div>", shape, plot.text());
}

template <std::size_t N>
std::string legend(const std::array<Key, N>& keys) {
  std::string text = "<p class=\"legend\">";
  for (const Key& key : keys)
    text += fmt::format("<span><i style=\"background:{}\"></i>{}</span> ", key.colour, key.name);
  return text + "</p>";
}

/// Rows stay legible: at least 3 units high, the plot between 150 and 520.
double body_height(int rows) { return std::clamp(14.0 * rows, 90.0, 460.0); }

std::string figure(const Body& body, const WeatherMap& weather, const std::vector<double>& pauses,
                   const std::string& title, const std::string& key, const std::string& caption) {
  PlotSize wide, narrow;
  wide.width = 1100;
  wide.height = body_height(weather.rows()) + wide.top + wide.bottom;
  narrow.height = std::min(wide.height, 330.0);
  return fmt::format(
      "<figure class=\"full\" id=\"figure-{}\"><h3>{}</h3>{}\n"
      "<svg class=\"store\" aria-hidden=\"true\"><defs><g id=\"{}\">{}</g></defs></svg>\n"
      "{}{}<figcaption>{}</figcaption></figure>\n",
      body.id, title, key, body.id, body.content,
      framed(body, weather, wide, "wide", pauses, title),
      framed(body, weather, narrow, "narrow", pauses, title), caption);
}

std::string resolution_note(const WeatherMap& weather) {
  if (!weather.is_grid()) return "Every image is drawn.";
  const std::string rows = weather.ranks_per_row() == 1
                               ? std::string("one rank")
                               : fmt::format("{} neighbouring ranks", weather.ranks_per_row());
  return fmt::format("Each cell is {} over {}; it shows what took most of the time in it.", rows,
                     duration_text(weather.duration() / WeatherMap::most_columns));
}

} // namespace

std::string weather_figures(const WeatherMap& weather, const std::vector<double>& pauses) {
  if (weather.empty()) return {};
  Body steps{"weather-steps", {}, weather.rows()}, outcomes{"weather-outcomes", {}, weather.rows()};
  if (weather.is_grid()) {
    steps.content = grid_image(weather.picture_of_steps());
    outcomes.content = grid_image(weather.picture_of_outcomes());
  } else {
    steps.content = step_boxes(weather) + tips(weather);
    outcomes.content = outcome_boxes(weather) + tips(weather);
  }
  const std::string note = resolution_note(weather);
  return figure(steps, weather, pauses, "Weather: what each rank was doing", legend(step_keys()),
                fmt::format("White is waiting. {} were busy {:.0f} % of the time. {}",
                            weather.root_worked() ? "Ranks" : "Rank 0 hands out; the others",
                            100 * weather.busy(), note)) +
         figure(outcomes, weather, pauses, "Weather: what came of it", legend(outcome_keys()),
                note);
}

} // namespace kilobragg::report
