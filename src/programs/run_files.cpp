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

/// A shard from which nothing was derived; empty if there is none. With no composites asked for,
/// their absence tells nothing.
fs::path shard_left_alone(const std::vector<fs::path>& results, const OutputOptions& output) {
  const auto names = composite_names(output);
  if (names.strong.empty() && names.indexed.empty() && names.refined.empty() &&
      names.integrated.empty())
    return {};
  for (const fs::path& shard : results) {
    const auto derived = [&shard](const fs::path& other) {
      return !is_shard(other) && io::result_number(other) == io::result_number(shard);
    };
    if (is_shard(shard) && std::none_of(results.begin(), results.end(), derived)) return shard;
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

void prepare_output(const OutputOptions& output) {
  make_output_folder(output);
  std::vector<fs::path> old;
  for (const auto& entry : fs::directory_iterator(output.directory))
    if (io::result_number(entry.path())) old.push_back(entry.path());
  const fs::path alone = shard_left_alone(old, output);
  core::require(alone.empty(),
                "'{0}' holds results of a run that did not end ({1} and nothing derived from it) "
                "go on with it by --resume, derive its files with 'stills_process {1}', or choose "
                "another output.output_dir?",
                output.directory, alone.string());
  for (const auto& path : old) fs::remove(path);
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
