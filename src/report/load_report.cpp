// Queries of the run ledger that fill a report.
#include "kilobragg/report/load_report.hpp"

#include "report_samples.hpp"
#include "report_time.hpp"
#include "sqlite.hpp"

#include "kilobragg/core/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <map>

namespace kilobragg::report {
namespace {

/// As far as medians of a sample cannot be told from exact ones in a plot.
constexpr std::int64_t most_sampled = 50'000;
constexpr int most_rate_bins = 100, least_images_of_bin = 25;
constexpr int slowest_shown = 5, problems_shown = 8;

std::string date_text(double unix_time) {
  const auto seconds = static_cast<std::time_t>(unix_time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04d}-{:02d}-{:02d} {:02d}:{:02d}", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min);
}

std::map<std::string, std::string> run_keys(const Database& ledger) {
  std::map<std::string, std::string> keys;
  for (auto row = ledger.prepare("SELECT key, value FROM run"); row.step();)
    keys[row.text(0)] = row.text(1);
  return keys;
}

void load_run(const Database& ledger, ReportData& data) {
  auto keys = run_keys(ledger);
  data.program = keys.count("program") != 0 ? keys["program"] : "stills_process";
  data.version = keys["version"];
  data.commit = keys["commit"];
  data.options = keys["options"];
  data.state = keys["state"];
  if (!keys["events_total"].empty()) data.inputs = std::atoll(keys["events_total"].c_str());
  data.input_files = ledger.integer("SELECT count(DISTINCT path) FROM inputs");
}

/// Sessions with their ends; one that has none ended with its last batch or image.
std::vector<SessionTimes> load_sessions(const Database& ledger, ReportData& data) {
  std::vector<SessionTimes> times;
  auto last_batch =
      ledger.prepare("SELECT coalesce(max(finished_at), 0) FROM batches WHERE session = ?1");
  for (auto row = ledger.prepare("SELECT id, started, coalesce(ended, 0), host, ranks, version, "
                                 "state FROM sessions ORDER BY started, id");
       row.step();) {
    const double started = row.real(1);
    double ended = row.real(2);
    if (ended <= 0) {
      last_batch.reset();
      last_batch.bind(1, row.integer(0));
      if (last_batch.step()) ended = last_batch.real(0);
    }
    ended = std::max(ended, started);
    times.push_back({started, ended});
    data.sessions.push_back({date_text(started), row.text(3), row.text(6), row.text(5),
                             static_cast<int>(row.integer(4)), ended - started});
    data.ranks = std::max(data.ranks, static_cast<int>(row.integer(4)));
  }
  return times;
}

/// The clock of the run. Images of sessions that nobody wrote down make one of their own.
RunClock load_clock(const Database& ledger, ReportData& data) {
  auto sessions = load_sessions(ledger, data);
  auto row = ledger.prepare(
      "SELECT coalesce(min(started), 0), coalesce(max(started + seconds_read + seconds_spotfind + "
      "seconds_index + seconds_refine + seconds_integrate + seconds_write), 0), "
      "coalesce(max(rank), -1) FROM image_rows WHERE started > 0");
  row.step();
  const double first = row.real(0), last = row.real(1);
  data.ranks = std::max(data.ranks, static_cast<int>(row.integer(2)) + 1);
  if (first > 0) {
    if (sessions.empty() || first < sessions.front().started - 1)
      sessions.insert(sessions.begin(),
                      {first, sessions.empty() ? last : std::min(last, sessions.front().started)});
    sessions.back().ended = std::max(sessions.back().ended, last);
  }
  RunClock clock(sessions);
  data.seconds = clock.duration();
  data.pauses = clock.pauses();
  return clock;
}

void load_problems(const Database& ledger, ReportData& data) {
  const auto broken = ledger.integer("SELECT count(*) FROM inputs WHERE problem IS NOT NULL");
  for (auto row = ledger.prepare(fmt::format(
           "SELECT path, problem FROM inputs WHERE problem IS NOT NULL ORDER BY id LIMIT {}",
           problems_shown));
       row.step();)
    data.problems.push_back(fmt::format("cannot open '{}' ({})", row.text(0), row.text(1)));
  if (broken > problems_shown)
    data.problems.push_back(
        fmt::format("{} further files cannot be opened", broken - problems_shown));
  const auto torn = ledger.integer("SELECT count(*) FROM shards WHERE torn != 0");
  if (torn > 0)
    data.problems.push_back(fmt::format(
        "{} shard{} in a record that is not whole (a process was killed, or is still writing); the "
        "image it was about is not counted",
        torn, torn == 1 ? " ends" : "s end"));
}

models::ExitState state_of(const Statement& row, int column) {
  return models::exit_state_from_word(row.text(column));
}

/// Counts, rates and sums from the rows of batches, in place of those of images.
void load_batches(const Database& ledger, const RunClock& clock, ReportData& data) {
  data.by_state.fill(0);
  for (auto row = ledger.prepare("SELECT state, images FROM exit_states"); row.step();)
    data.by_state[std::size_t(state_of(row, 0))] += row.integer(1);
  auto sums = ledger.prepare("SELECT sum(lattices), sum(spots), sum(reflections), max(rank), "
                             "max(first + images) FROM batches");
  sums.step();
  data.lattices = sums.integer(0);
  data.spots = sums.integer(1);
  data.reflections = sums.integer(2);
  data.ranks = std::max(data.ranks, static_cast<int>(sums.integer(3)) + 1);
  data.over_images = RateSeries::over(static_cast<double>(sums.integer(4)), data.images(),
                                      most_rate_bins, least_images_of_bin);
  if (data.seconds > 0)
    data.over_time =
        RateSeries::over(data.seconds, data.images(), most_rate_bins, least_images_of_bin);
  for (auto row = ledger.prepare(
           "SELECT first, finished_at, images, hits, indexed, integrated FROM batches");
       row.step();) {
    const RateBin counts{0, 0, row.integer(2), row.integer(3), row.integer(4), row.integer(5)};
    data.over_images.add(row.real(0), counts);
    data.over_time.add(clock.position(row.real(1)), counts);
  }
}

constexpr const char* image_columns =
    "SELECT state, rank, started, seconds_read, seconds_spotfind, seconds_index, seconds_refine, "
    "seconds_integrate, seconds_write, spots, lattices, d_min FROM image_rows ORDER BY id";

ImageNumbers image_of(const Statement& row) {
  ImageNumbers image;
  image.state = state_of(row, 0);
  image.rank = static_cast<int>(row.integer(1));
  image.started = row.real(2);
  for (int i = 0; i < models::step_count; ++i) image.seconds[std::size_t(i)] = row.real(3 + i);
  image.spots = row.integer(9);
  image.lattices = row.integer(10);
  if (!row.is_null(11)) image.d_min = row.real(11);
  return image;
}

constexpr const char* lattice_columns =
    "SELECT a, b, c, alpha, beta, gamma, rmsd_px, reflections, half_mosaicity_deg, d_min "
    "FROM lattices ORDER BY image, number";

LatticeNumbers lattice_of(const Statement& row) {
  LatticeNumbers lattice;
  for (int i = 0; i < 6; ++i) lattice.cell[std::size_t(i)] = row.real(i);
  lattice.rmsd_px = row.real(6);
  lattice.reflections = row.integer(7);
  if (!row.is_null(8)) lattice.half_mosaicity = row.real(8);
  if (!row.is_null(9)) lattice.d_min = row.real(9);
  return lattice;
}

std::int64_t every_nth(std::int64_t rows) { return (rows + most_sampled - 1) / most_sampled; }

/// Bins of rates over what the rows of images tell.
void prepare_rates(const Database& ledger, std::int64_t images, ReportData& data) {
  data.over_images =
      RateSeries::over(static_cast<double>(images), images, most_rate_bins, least_images_of_bin);
  const auto timed = ledger.integer("SELECT count(*) FROM image_rows WHERE started > 0");
  if (timed == 0 || data.seconds <= 0) return;
  data.over_time = RateSeries::over(data.seconds, timed, most_rate_bins, least_images_of_bin);
  data.weather = WeatherMap(data.ranks, data.seconds, timed);
}

void load_images(const Database& ledger, const RunClock& clock, ReportData& data) {
  const auto images = ledger.integer("SELECT count(*) FROM image_rows");
  if (images == 0) return;
  const auto every = every_nth(images);
  data.sampled_every = std::max(data.sampled_every, every);
  ImageSamples samples;
  std::int64_t number = 0;
  for (auto row = ledger.prepare(image_columns); row.step(); ++number)
    if (number % every == 0) samples.add(image_of(row));
  samples.choose_bins(data);
  prepare_rates(ledger, images, data);
  number = 0;
  for (auto row = ledger.prepare(image_columns); row.step(); ++number)
    count_image(image_of(row), number, clock, data);
}

void load_lattices(const Database& ledger, ReportData& data) {
  const auto lattices = ledger.integer("SELECT count(*) FROM lattices");
  if (lattices == 0) return;
  const auto every = every_nth(lattices);
  data.sampled_every = std::max(data.sampled_every, every);
  LatticeSamples samples;
  std::int64_t number = 0;
  for (auto row = ledger.prepare(lattice_columns); row.step(); ++number)
    if (number % every == 0) samples.add(lattice_of(row));
  samples.choose_bins(lattices, data);
  for (auto row = ledger.prepare(lattice_columns); row.step();)
    count_lattice(lattice_of(row), data);
  auto group = ledger.prepare(
      "SELECT space_group FROM lattices GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1");
  if (group.step()) data.space_group = group.text(0);
}

/// Times of writing are in the rows of batches alone: a record cannot hold its own.
void load_write_times(const Database& ledger, ReportData& data) {
  auto& write = data.steps[std::size_t(models::Step::Write)];
  if (write.images > 0) return;
  auto row = ledger.prepare(
      "SELECT coalesce(sum(images), 0), coalesce(sum(seconds_write), 0) FROM batches");
  row.step();
  if (row.real(1) > 0) write = {row.integer(0), row.real(1), 0, 0};
}

void load_slowest(const Database& ledger, ReportData& data) {
  for (auto row = ledger.prepare(fmt::format(
           "SELECT tag, host, state, rank, total FROM images JOIN (SELECT id AS slow, seconds_read "
           "+ seconds_spotfind + seconds_index + seconds_refine + seconds_integrate + "
           "seconds_write "
           "AS total FROM image_rows ORDER BY total DESC, id LIMIT {}) ON id = slow "
           "WHERE total > 0 ORDER BY total DESC, id",
           slowest_shown));
       row.step();)
    data.slowest.push_back(
        {row.text(0), row.text(1), row.text(2), static_cast<int>(row.integer(3)), row.real(4)});
}

/// Adds the images whose ids `sql` selects, best first, until there are `most` of the kind.
void choose_frames(const Database& ledger, FrameKind kind, const std::string& sql, int most,
                   ReportData& data) {
  auto image = ledger.prepare(
      "SELECT tag, path, dataset, state, frame, rank, spots, coalesce(d_min, 0), (SELECT count(*) "
      "FROM lattices WHERE image = ?1), (SELECT coalesce(max(rmsd_px), 0) FROM lattices WHERE "
      "image = ?1), (SELECT coalesce(sum(reflections), 0) FROM lattices WHERE image = ?1) "
      "FROM images WHERE id = ?1");
  int chosen = 0;
  for (auto row = ledger.prepare(sql); chosen < most && row.step();) {
    image.reset();
    image.bind(1, row.integer(0));
    if (!image.step()) continue;
    FrameShown frame;
    frame.kind = kind;
    frame.tag = image.text(0);
    frame.path = image.text(1);
    frame.dataset = image.text(2);
    frame.state = image.text(3);
    frame.frame = image.integer(4);
    frame.rank = static_cast<int>(image.integer(5));
    frame.spots = image.integer(6);
    frame.d_min = image.real(7);
    frame.lattices = image.integer(8);
    frame.rmsd_px = image.real(9);
    frame.reflections = image.integer(10);
    const auto known = std::any_of(data.frames.begin(), data.frames.end(), [&](const auto& other) {
      return other.path == frame.path && other.dataset == frame.dataset &&
             other.frame == frame.frame;
    });
    if (known) continue;
    data.frames.push_back(std::move(frame));
    ++chosen;
  }
}

void load_frames(const Database& ledger, int of_kind, ReportData& data) {
  // More rows than frames, since an image may have several lattices and be chosen already.
  const int rows = 8 * of_kind + 8;
  choose_frames(ledger, FrameKind::Best,
                fmt::format("SELECT image FROM lattices WHERE rmsd_px <= {:.17g} "
                            "ORDER BY indexed DESC, rmsd_px, image LIMIT {}",
                            data.rmsd_px.spread.count > 0 ? data.rmsd_px.spread.median : 0, rows),
                of_kind, data);
  choose_frames(ledger, FrameKind::NotIndexed,
                fmt::format("SELECT id FROM image_rows WHERE state = 'indexing_failed' "
                            "ORDER BY spots DESC, id LIMIT {}",
                            rows),
                of_kind, data);
  choose_frames(
      ledger, FrameKind::LargestRmsd,
      fmt::format("SELECT image FROM lattices ORDER BY rmsd_px DESC, image LIMIT {}", rows),
      of_kind, data);
}

} // namespace

ReportData load_report_data(const std::string& path, int frames_of_kind) {
  core::require(std::filesystem::is_regular_file(path),
                "there is no run ledger '{}' was the run collected?", path);
  const Database ledger(path, Database::Mode::Read);
  core::require(ledger.integer("SELECT count(*) FROM sqlite_master WHERE name IN ('run', "
                               "'sessions', 'batches', 'image_rows', 'lattices')") == 5,
                "'{}' is no run ledger (it lacks its tables)", path);
  ReportData data;
  load_run(ledger, data);
  const RunClock clock = load_clock(ledger, data);
  load_problems(ledger, data);
  load_images(ledger, clock, data);
  load_lattices(ledger, data);
  const auto collected = data.images();
  const auto reported = ledger.integer("SELECT coalesce(sum(images), 0) FROM batches");
  if (collected < reported && collected != data.inputs) {
    load_batches(ledger, clock, data);
    data.problems.push_back(fmt::format(
        "only {} of {} processed images are collected: plots of single images and lattices show "
        "these alone",
        collected, reported));
  }
  load_write_times(ledger, data);
  load_slowest(ledger, data);
  load_frames(ledger, frames_of_kind, data);
  return data;
}

} // namespace kilobragg::report
