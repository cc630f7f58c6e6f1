// Shards of all ranks under temporary names, renamed together; and their headers, which must agree.
#include "shot_store.hpp"

#include "merge_options.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/core/log.hpp"
#include "kilobragg/core/version.hpp"
#include "kilobragg/parallel/together.hpp"
#include "kilobragg/pixelrefinement/placement.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

namespace kilobragg::programs {
namespace {

namespace fs = std::filesystem;

using parallel::Communicator;
using pixelrefinement::ShotRecord;

/// Without characters that glob() takes for a pattern.
std::string literal(const std::string& path) {
  std::string text;
  for (const char c : path) {
    if (c == '*' || c == '?' || c == '[' || c == '\\') text += '\\';
    text += c;
  }
  return text;
}

std::string shard_of(const std::string& stem, int rank) {
  return fmt::format("{}{:04d}.shard", stem, rank);
}

/// The rank in the name of a shard, which has as many digits as it needs; -1 if it is no number.
int rank_of(const std::string& path, const std::string& stem) {
  int rank = -1;
  std::from_chars(path.data() + std::min(stem.size(), path.size()), path.data() + path.size(),
                  rank);
  return rank;
}

/// What each shard of a set says of all.
std::string header_of(const std::string& set, std::int64_t shards, std::int64_t shots) {
  return nlohmann::json{
      {"program", core::version_line("merge")}, {"set", set}, {"shards", shards}, {"shots", shots}}
      .dump();
}

/// The one header of all shards, on every rank.
nlohmann::json common_header(const Communicator& communicator, const std::string& stem,
                             const std::vector<std::string>& mine, std::size_t shards) {
  const std::set<std::string> distinct(mine.begin(), mine.end());
  std::set<std::string> all;
  std::string joined; // JSON holds no line break
  for (const std::string& header : distinct) joined += header + '\n';
  for (const std::string& part : communicator.all_gather(joined))
    for (std::size_t begin = 0, end; begin < part.size(); begin = end + 1) {
      end = part.find('\n', begin);
      all.insert(part.substr(begin, end - begin));
    }
  nlohmann::json header;
  parallel::together(communicator, merge_usage, [&] {
    core::require(all.size() == 1,
                  "{}*.shard are not of one run (a run was killed while it wrote them, or two were "
                  "mixed) run --stage1 again?",
                  stem);
    header = nlohmann::json::parse(*all.begin(), nullptr, false);
    core::require(header.is_object() && header.contains("set"),
                  "{}*.shard do not say what they hold (another program wrote them?)", stem);
    core::require(header["shards"] == shards,
                  "{} shards of {} are there (names {}*.shard) were some moved or removed?", shards,
                  header["shards"].get<std::int64_t>(), stem);
  });
  return header;
}

} // namespace

void remove_matching(const std::string& stem, const std::string& pattern) {
  std::error_code ignored;
  for (const std::string& path : core::matching_paths(literal(stem) + pattern))
    fs::remove(path, ignored);
}

void write_shot_set(const Communicator& communicator, const std::string& stem,
                    const std::string& set, const std::vector<ShotRecord>& shots) {
  const std::int64_t all = communicator.all_sum(std::int64_t(shots.size())),
                     shards = communicator.all_sum(std::int64_t(shots.empty() ? 0 : 1));
  const std::string shard = shard_of(stem, communicator.rank()), part = shard + ".part";
  try {
    parallel::together(communicator, merge_failed, [&] {
      std::error_code ignored;
      fs::remove(part, ignored);
      if (shots.empty()) return;
      pixelrefinement::ShotShardWriter writer(part, header_of(set, shards, all));
      for (const ShotRecord& shot : shots) writer.append(shot);
    });
  } catch (const parallel::CommonError&) {
    std::error_code ignored;
    fs::remove(part, ignored);
    throw;
  }
  parallel::together(communicator, merge_failed, [&] {
    std::error_code error;
    if (shots.empty()) {
      fs::remove(shard, error);
      return;
    }
    fs::rename(part, shard, error);
    core::require(!error, "cannot write '{}' ({})", shard, error.message());
  });
  // A run on more ranks left more.
  if (!communicator.is_root()) return;
  std::error_code ignored;
  for (const std::string& path : core::matching_paths(literal(stem) + "*.shard"))
    if (rank_of(path, stem) >= communicator.size()) fs::remove(path, ignored);
}

std::vector<ShotRecord> read_shot_set(const Communicator& communicator, const std::string& stem,
                                      std::string& set) {
  std::vector<ShotRecord> shots;
  std::vector<std::string> headers;
  std::size_t shards = 0;
  parallel::together(communicator, merge_usage, [&] {
    const std::vector<std::string> found = core::matching_paths(literal(stem) + "*.shard");
    shards = found.size();
    core::require(shards > 0,
                  "no shoeboxes to go on with ({}*.shard are missing) run --stage1 first?", stem);
    pixelrefinement::DetectorPool pool;
    for (std::size_t i = std::size_t(communicator.rank()); i < shards;
         i += std::size_t(communicator.size())) {
      pixelrefinement::ShotShardReader reader(found[i], pool);
      headers.push_back(reader.run());
      for (const auto& entry : reader.entries()) shots.push_back(reader.read(entry));
    }
  });
  const nlohmann::json header = common_header(communicator, stem, headers, shards);
  const auto missing =
      header["shots"].get<std::int64_t>() - communicator.all_sum(std::int64_t(shots.size()));
  if (missing != 0)
    core::log_warning(
        "{} shots are missing in {}*.shard (cut short, or a copy that was not whole); "
        "those that are there are used",
        missing, stem);
  set = header["set"].get<std::string>();
  parallel::together(communicator, merge_usage, [&] {
    shots = pixelrefinement::distribute_shots(communicator, std::move(shots));
  });
  return shots;
}

} // namespace kilobragg::programs
