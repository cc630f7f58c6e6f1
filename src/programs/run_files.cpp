// The output folder of a run.
#include "run_files.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/version.hpp"

#include <nlohmann/json.hpp>

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

/// What an earlier run may have left: idx-0003.shard and files derived from it.
bool is_result(const fs::path& path) {
  const std::string name = path.filename().string();
  const auto digits_end = name.find_first_not_of("0123456789", 4);
  if (name.rfind("idx-", 0) != 0 || digits_end == std::string::npos || digits_end < 8) return false;
  const std::string extension = path.extension().string();
  return name[digits_end] == '_' ? extension == ".expt" || extension == ".refl"
                                 : name.substr(digits_end) == ".shard";
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
    if (is_result(entry.path())) old.push_back(entry.path());
  for (const auto& path : old) fs::remove(path);
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
