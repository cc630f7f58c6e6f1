// The output folder of a run.
#include "run_files.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/version.hpp"
#include "kilobragg/report/live_ledger.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>

namespace kilobragg::programs {
namespace {

namespace fs = std::filesystem;

std::string composite_name(std::string name) {
  if (name.empty()) return name;
  name = fs::path(name).replace_extension().string();
  const auto at = name.find("%s");
  core::require(at != std::string::npos,
                "the output name '{}' is the same for every rank (it has no %s) write %s where the "
                "rank should stand",
                name);
  return name.replace(at, 2, "idx-{:04d}");
}

bool is_shard(const fs::path& path) { return path.extension() == ".shard"; }

/// Shards and composites in a folder; none if there is no such folder.
std::vector<fs::path> results_in(const std::string& directory) {
  std::vector<fs::path> found;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(directory, absent))
    if (io::result_number(entry.path())) found.push_back(entry.path());
  return found;
}

/// A shard from which nothing was derived, or that grew since; empty if there is none. With no
/// composites asked for, their absence tells nothing.
fs::path shard_left_alone(const std::vector<fs::path>& results, const OutputOptions& output) {
  const auto names = composite_names(output);
  if (names.strong.empty() && names.indexed.empty() && names.refined.empty() &&
      names.integrated.empty())
    return {};
  for (const fs::path& shard : results) {
    const auto derived = [&shard](const fs::path& other) {
      return !is_shard(other) && io::result_number(other) == io::result_number(shard);
    };
    // Composites of a run that was resumed and stopped are older than its shard.
    const auto outdated = [&](const fs::path& other) {
      return derived(other) && fs::last_write_time(other) < fs::last_write_time(shard);
    };
    if (is_shard(shard) && (std::none_of(results.begin(), results.end(), derived) ||
                            std::any_of(results.begin(), results.end(), outdated)))
      return shard;
  }
  return {};
}

} // namespace

std::string log_path(const OutputOptions& output) {
  return (fs::path(output.directory) / "stills_process.log").string();
}

std::string phil_path(const OutputOptions& output) {
  return (fs::path(output.directory) / "stills_process.phil").string();
}

std::string shard_path(const OutputOptions& output, int rank) {
  return (fs::path(output.directory) / fmt::format("idx-{:04d}.shard", rank)).string();
}

std::vector<std::string> underived(const std::vector<std::string>& shards,
                                   const OutputOptions& output) {
  const auto names = composite_names(output);
  std::vector<std::string> left;
  for (const std::string& shard : shards) {
    const int number = io::result_number(shard).value_or(0);
    const auto is_stale = [&](const std::string& name) {
      if (name.empty()) return false;
      const std::string stem =
          (fs::path(shard).parent_path() / fmt::format(fmt::runtime(name), number)).string();
      for (const char* ending : {".expt", ".refl"}) {
        std::error_code absent;
        const auto written = fs::last_write_time(stem + ending, absent);
        if (absent || written < fs::last_write_time(shard, absent)) return true;
      }
      return false;
    };
    if (is_stale(names.strong) || is_stale(names.indexed) || is_stale(names.refined) ||
        is_stale(names.integrated))
      left.push_back(shard);
  }
  return left;
}

void make_output_folder(const OutputOptions& output) {
  composite_names(output);
  std::error_code error;
  fs::create_directories(output.directory, error);
  core::require(fs::is_directory(output.directory),
                "cannot make the folder '{}' of output.output_dir ({})", output.directory,
                error ? error.message() : "a file is in the way");
}

void require_ended_run(const OutputOptions& output) {
  const fs::path alone = shard_left_alone(results_in(output.directory), output);
  core::require(
      alone.empty(),
      "'{0}' holds results of a run that did not end ({1} and nothing as new derived from "
      "it) go on with it by --resume, derive its files with 'stills_process {1}', or "
      "choose another output.output_dir?",
      output.directory, alone.string());
}

void prepare_output(const OutputOptions& output) {
  make_output_folder(output);
  require_ended_run(output);
  for (const auto& path : results_in(output.directory)) fs::remove(path);
  report::remove_ledger((fs::path(output.directory) / report::ledger_name).string());
}

std::vector<std::string> derive_composites(const std::string& shard, const OutputOptions& output) {
  const auto number = io::result_number(shard);
  core::require(number && is_shard(shard),
                "'{}' is not named as a shard (idx-NNNN.shard) are shards and images mixed?",
                shard);
  return io::write_composites(shard, fs::absolute(shard).parent_path().string(), *number,
                              composite_names(output));
}

std::vector<std::string> derive_composites(const std::vector<std::string>& shards,
                                           const OutputOptions& output) {
  std::vector<std::string> written;
  for (const std::string& shard : shards) {
    const auto files = derive_composites(shard, output);
    written.insert(written.end(), files.begin(), files.end());
  }
  return written;
}

std::string run_header(const std::string& phil) {
  const nlohmann::json header = {{"program", "stills_process"},
                                 {"version", core::version()},
                                 {"commit", core::source_commit()},
                                 {"options", phil}};
  return header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

io::CompositeNames composite_names(const OutputOptions& output) {
  return {composite_name(output.strong), composite_name(output.indexed),
          composite_name(output.refined), composite_name(output.integrated)};
}

} // namespace kilobragg::programs
