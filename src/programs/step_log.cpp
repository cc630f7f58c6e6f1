// Formats the per-rank logs.
#include "step_log.hpp"

#include "host_name.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/units.hpp"

#include <chrono>
#include <cmath>
#include <ctime>
#include <filesystem>

namespace kilobragg::programs {
namespace {

using models::ExitState;

std::ofstream open_in(const std::string& directory, const std::string& name, bool append) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  const auto path = std::filesystem::path(directory) / name;
  std::ofstream file(path, append ? std::ios::app : std::ios::trunc);
  core::require(file.is_open(), "cannot write '{}' (no permission, or a file is in the way?)",
                path.string());
  return file;
}

/// UTC as 2026-01-31T12:34Z56.789.
std::string timestamp() {
  const auto now = std::chrono::system_clock::now();
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%MZ%S", &utc);
  return fmt::format("{}.{:03d}", text, ms);
}

const char* last_word(ExitState state) {
  switch (state) {
  case ExitState::IntegrateOk:
  case ExitState::IndexOk:
  case ExitState::SpotfindingOk:
    return "done";
  case ExitState::RefineFailed:
  case ExitState::IntegrateFailed:
    return "fail";
  default:
    return "stop";
  }
}

std::string lattice_details(const models::IntegratedLattice& found) {
  const auto& lattice = found.lattice;
  std::string text = fmt::format("Unit cell: {}, space group {}\nRMSD indexed (px): {:.6f}\n",
                                 lattice.crystal.unit_cell().to_string(),
                                 lattice.crystal.space_group.hm(), lattice.rmsd_px);
  if (lattice.crystal.mosaicity)
    text += fmt::format("Final ML model: domain size angstroms: {:.6f}, half mosaicity degrees: "
                        "{:.6f}\n",
                        lattice.crystal.mosaicity->domain_size_angstrom,
                        lattice.crystal.mosaicity->half_mosaicity_deg);
  if (found.reflections.empty()) return text;
  for (int cutoff = 0; cutoff <= 5; ++cutoff) {
    int n = 0;
    double squares = 0;
    for (const auto& r : found.reflections) {
      if (r.variance <= 0 || r.intensity / std::sqrt(r.variance) < cutoff) continue;
      ++n;
      const double dx = r.px_obs.x - r.px_cal.x, dy = r.px_obs.y - r.px_cal.y;
      squares += dx * dx + dy * dy;
    }
    text += fmt::format("{} reflections integrated at I/sigI >= {}: RMSD {:.6f} px\n", n, cutoff,
                        n > 0 ? std::sqrt(squares / n) : 0.0);
  }
  return text;
}

} // namespace

void StepLog::open_steps(const std::string& directory, int rank, bool append) {
  steps_ = open_in(directory, fmt::format("debug_{}.txt", rank), append);
  host_ = host_name();
}

void StepLog::open_details(const std::string& directory, int rank, bool append) {
  details_ = open_in(directory, fmt::format("log_rank{:04d}.out", rank), append);
}

void StepLog::begin(const std::string& tag) {
  tag_ = tag;
  step("start");
}

void StepLog::end(const models::StillResult& result) {
  write(last_word(result.state), result.state_line());
  if (details_.is_open()) details_ << tag_ << "\n" << still_details(result) << std::endl;
}

void StepLog::write(const char* state, const std::string& message) {
  if (steps_.is_open())
    steps_ << fmt::format("{},{},{},{},{}", host_, tag_, timestamp(), state, message) << std::endl;
}

std::string still_details(const models::StillResult& result) {
  std::string text = fmt::format("Strong spots: {}\n", result.spots.size());
  for (const auto& found : result.lattices) text += lattice_details(found);
  text += fmt::format("Exit state: {}", result.state_line());
  if (!result.message.empty()) text += fmt::format(" ({})", result.message);
  return text + "\n";
}

} // namespace kilobragg::programs
