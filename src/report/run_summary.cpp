// Adds up stills and prints the summary table.
#include "kilobragg/report/run_summary.hpp"

#include <fmt/format.h>

#include <numeric>

namespace kilobragg::report {
namespace {

using models::ExitState;

std::int64_t count(const RunSummary& summary, std::initializer_list<ExitState> states) {
  std::int64_t n = 0;
  for (const ExitState state : states) n += summary.by_state[static_cast<std::size_t>(state)];
  return n;
}

double percent(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

constexpr const char* step_names[models::step_count] = {"read",   "find spots", "index",
                                                        "refine", "integrate",  "write"};

} // namespace

void RunSummary::add(const models::StillResult& result) {
  ++stills;
  ++by_state[static_cast<std::size_t>(result.state)];
  spots += static_cast<std::int64_t>(result.spots.size());
  lattices += static_cast<std::int64_t>(result.lattices.size());
  for (const auto& found : result.lattices) {
    indexed_spots += static_cast<std::int64_t>(found.lattice.spots.size());
    reflections += static_cast<std::int64_t>(found.reflections.size());
  }
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    seconds[i] += result.seconds[i];
    runs[i] += result.seconds[i] > 0;
  }
}

void RunSummary::add(const RunSummary& other) {
  stills += other.stills;
  lattices += other.lattices;
  spots += other.spots;
  indexed_spots += other.indexed_spots;
  reflections += other.reflections;
  for (std::size_t i = 0; i < by_state.size(); ++i) by_state[i] += other.by_state[i];
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    seconds[i] += other.seconds[i];
    runs[i] += other.runs[i];
  }
}

std::int64_t RunSummary::accounted() const {
  return std::accumulate(by_state.begin(), by_state.end(), std::int64_t{0});
}

std::int64_t RunSummary::hits() const {
  return count(*this,
               {ExitState::SpotfindingOk, ExitState::IndexingFailed, ExitState::IndexOk,
                ExitState::RefineFailed, ExitState::IntegrateFailed, ExitState::IntegrateOk});
}

std::int64_t RunSummary::indexed() const {
  return count(*this, {ExitState::IndexOk, ExitState::RefineFailed, ExitState::IntegrateFailed,
                       ExitState::IntegrateOk});
}

std::string format_summary(const RunSummary& summary, std::int64_t inputs, double elapsed,
                           int ranks) {
  std::string text =
      fmt::format("Summary of {} inputs on {} rank{}\n", inputs, ranks, ranks == 1 ? "" : "s");
  for (int i = 0; i < models::exit_state_count; ++i) {
    const auto n = summary.by_state[static_cast<std::size_t>(i)];
    if (n > 0)
      text += fmt::format("  {:<24} {:>9}  {:>6.2f} %\n", models::word(static_cast<ExitState>(i)),
                          n, percent(n, inputs));
  }
  text += fmt::format("  {:<24} {:>9}  {}\n", "sum of exit states", summary.accounted(),
                      summary.accounted() == inputs ? "= inputs"
                                                    : fmt::format("BUT {} INPUTS", inputs));
  text += fmt::format("Hit rate {:.2f} % ({} of {}), indexing rate {:.2f} % ({} of {} hits), "
                      "{} lattices, {} reflections integrated\n",
                      percent(summary.hits(), inputs), summary.hits(), inputs,
                      percent(summary.indexed(), summary.hits()), summary.indexed(), summary.hits(),
                      summary.lattices, summary.reflections);
  text += fmt::format("Wall time {:.2f} s, {:.2f} images per second\n", elapsed,
                      elapsed > 0 ? static_cast<double>(summary.stills) / elapsed : 0.0);
  text += "Mean times (ms per still that reached the step):";
  for (std::size_t i = 0; i < summary.seconds.size(); ++i)
    if (summary.runs[i] > 0)
      text += fmt::format(" {} {:.1f}", step_names[i],
                          1e3 * summary.seconds[i] / static_cast<double>(summary.runs[i]));
  return text;
}

} // namespace kilobragg::report
