// The output folder of a run.
#include "run_files.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/version.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <optional>

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

/// The number in idx-0003.shard or idx-0003_refined.expt; none in other names.
std::optional<int> result_number(const fs::path& path) {
  const std::string name = path.filename().string(), extension = path.extension().string();
  const auto end = name.find_first_not_of("0123456789", 4);
  if (name.rfind("idx-", 0) != 0 || end == std::string::npos || end < 8 || end > 12) return {};
  const bool derived = name[end] == '_' && (extension == ".expt" || extension == ".refl");
  if (!derived && name.substr(end) != ".shard") return {};
  return std::stoi(name.substr(4, end - 4));
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
      return !is_shard(other) && result_number(other) == result_number(shard);
    };
    if (is_shard(shard) && std::none_of(results.begin(), results.end(), derived)) return shard;
  }
  return {};
}

} // namespace

std::string log_path(const OutputOptions& output) {
  return (fs::path(output.directory) / "stills_process.log").string();
}

std::string shard_path(const OutputOptions& output, int rank) {
  return (fs::path(output.directory) / fmt::format("idx-{:04d}.shard", rank)).string();
}

void prepare_output(const OutputOptions& output) {
  composite_names(output);
  std::error_code error;
  fs::create_directories(output.directory, error);
  core::require(fs::is_directory(output.directory),
                "cannot make the folder '{}' of output.output_dir ({})", output.directory,
                error ? error.message() : "a file is in the way");
  std::vector<fs::path> old;
  for (const auto& entry : fs::directory_iterator(output.directory))
    if (result_number(entry.path())) old.push_back(entry.path());
  const fs::path alone = shard_left_alone(old, output);
  core::require(alone.empty(),
                "'{0}' holds results of a run that did not end ({1} and nothing derived from it) "
                "derive its files with 'stills_process {1}', or choose another output.output_dir?",
                output.directory, alone.string());
  for (const auto& path : old) fs::remove(path);
}

std::vector<std::string> derive_composites(const std::vector<std::string>& shards,
                                           const OutputOptions& output) {
  std::vector<std::string> written;
  for (const fs::path shard : shards) {
    const auto number = result_number(shard);
    core::require(number && is_shard(shard),
                  "'{}' is not named as a shard (idx-NNNN.shard) are shards and images mixed?",
                  shard.string());
    const auto files =
        io::write_composites(shard.string(), fs::absolute(shard).parent_path().string(), *number,
                             composite_names(output));
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
