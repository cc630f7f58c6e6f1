// Reads the shards of an earlier run in shares, and compares its options.
#include "resume.hpp"

#include "kilobragg/core/byte_stream.hpp"
#include "kilobragg/core/error.hpp"
#include "kilobragg/io/shard.hpp"

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace kilobragg::programs {
namespace {

/// Where images come from, what is written and how a run is run: results do not depend on them.
bool leaves_results_alone(const std::string& path) {
  for (const char* scope : {"input.", "output.", "mp."})
    if (path.rfind(scope, 0) == 0) return true;
  static const std::set<std::string> names = {"dispatch.resume",     "dispatch.timeout",
                                              "dispatch.batch_size", "dispatch.process_percent",
                                              "dispatch.check",      "dispatch.collect"};
  return names.count(path) != 0;
}

std::string options_of(const std::string& run_header) {
  const auto json = nlohmann::json::parse(run_header, nullptr, false);
  return json.is_object() ? json.value("options", "") : "";
}

} // namespace

std::string read_done_share(const std::vector<std::string>& shards, int rank, int size) {
  core::ByteWriter out;
  for (std::size_t i = std::size_t(rank); i < shards.size(); i += std::size_t(size)) {
    std::vector<io::StillDigest> stills;
    const auto summary = io::read_shard_digests(shards[i], [&](io::StillDigest&& still) {
      still.lattices.clear();
      stills.push_back(std::move(still));
    });
    out.put_text(shards[i]);
    out.put_text(options_of(summary.run));
    out.put(static_cast<std::uint64_t>(stills.size()));
    for (const io::StillDigest& still : stills) {
      out.put_text(still.source.path);
      out.put_text(still.source.dataset);
      out.put(still.source.frame);
      out.put_text(still.source.content_id);
      out.put(io::is_unopened(still) ? still.processing.started : 0.0);
    }
  }
  return out.take();
}

std::vector<std::string> differing_options(const std::string& now, const std::string& before) {
  StillsOptions mine, theirs;
  core::OptionSet set, old;
  mine.declare(set);
  theirs.declare(old);
  set.parse_phil(now, "the options of this run");
  old.parse_phil(before, "the options of the run before");
  return set.differing_from(old, leaves_results_alone);
}

DoneImages join_done_shares(const std::vector<std::string>& shares, const std::string& phil) {
  DoneImages done;
  std::set<std::string> compared;
  for (const std::string& share : shares) {
    core::ByteReader in(share);
    while (!in.at_end()) {
      const std::string shard = in.get_text(), options = in.get_text();
      // A process killed while it made its shard leaves one without the record of its options.
      if (!phil.empty() && !options.empty() && compared.insert(options).second) {
        const auto lines = differing_options(phil, options);
        core::require(
            lines.empty(),
            "cannot go on with {} (its results were made with other options: {}) give the "
            "same ones, or choose another output.output_dir?",
            shard, fmt::join(lines, "; "));
      }
      for (auto n = in.get<std::uint64_t>(); n > 0; --n) {
        const std::string path = in.get_text(), dataset = in.get_text();
        const auto frame = in.get<std::int64_t>();
        const std::string content_id = in.get_text();
        if (const auto tried = in.get<double>(); tried > 0)
          done.add_unopened(tried);
        else
          done.add(path, dataset, frame, content_id);
      }
    }
  }
  return done;
}

} // namespace kilobragg::programs
