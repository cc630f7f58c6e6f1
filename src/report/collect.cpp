// From shards to rows of images and lattices.
#include "kilobragg/report/collect.hpp"

#include "kilobragg/core/error.hpp"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

namespace kilobragg::report {
namespace {

/// Images per transaction: enough that their end costs little, few enough that others get a turn.
constexpr std::size_t images_at_once = 512;

/// Most shards that are read at once: reading needs two to three times the time of writing rows.
constexpr unsigned most_readers = 4;

/// The one ledger of several readers, and what they have collected.
struct Target {
  RunLedger& ledger;
  Collected collected;
  std::mutex guard; ///< for both, and for what follows
  std::size_t next_shard = 0;
  std::map<std::size_t, std::exception_ptr> errors; ///< by shard
  bool ledger_failed = false;                       ///< no shard can be collected any more

  /// Writes into the ledger, one reader at a time.
  template <typename Write>
  void write(Write action) {
    const std::lock_guard lock(guard);
    try {
      action();
    } catch (...) {
      ledger_failed = true;
      throw;
    }
  }
};

/// Hands digests to the ledger in portions.
class Portions {
public:
  explicit Portions(Target& target)
      : target_(target) {}
  void add(io::StillDigest&& digest) {
    waiting_.push_back(std::move(digest));
    if (waiting_.size() == images_at_once) write();
  }
  void write() {
    target_.write([this] {
      Collected& collected = target_.collected;
      collected.added += target_.ledger.add_images(waiting_);
      collected.images += static_cast<std::int64_t>(waiting_.size());
      for (const auto& digest : waiting_)
        collected.lattices += static_cast<std::int64_t>(digest.lattices.size());
    });
    waiting_.clear();
  }

private:
  Target& target_;
  std::vector<io::StillDigest> waiting_;
};

/// What the header record of a shard tells of the run.
void note_header(RunLedger& ledger, const std::string& run) {
  const auto header = nlohmann::json::parse(run, nullptr, false);
  if (!header.is_object()) return;
  for (const char* key : {"program", "version", "commit", "options"})
    if (const auto at = header.find(key); at != header.end() && at->is_string())
      ledger.set_default(key, at->get_ref<const std::string&>());
}

void collect_shard(Target& target, const std::string& shard) {
  Portions portions(target);
  const auto summary = io::read_shard_digests(
      shard, [&](io::StillDigest&& digest) { portions.add(std::move(digest)); });
  portions.write();
  target.write([&] {
    note_header(target.ledger, summary.run);
    target.ledger.add_shard(shard, summary);
    ++target.collected.shards;
    target.collected.torn += summary.torn;
  });
}

/// Takes one shard after the other until none is left; one that cannot be read stops no other.
void read_until_done(Target& target, const std::vector<std::string>& shards) {
  while (true) {
    std::size_t shard = 0;
    {
      const std::lock_guard lock(target.guard);
      if (target.ledger_failed || target.next_shard == shards.size()) return;
      shard = target.next_shard++;
    }
    try {
      collect_shard(target, shards[shard]);
    } catch (...) {
      const std::lock_guard lock(target.guard);
      target.errors[shard] = std::current_exception();
    }
  }
}

/// Throws what went wrong with shards, if anything did: the first error as it is, or several in one.
void throw_errors(const std::map<std::size_t, std::exception_ptr>& errors) {
  if (errors.empty()) return;
  if (errors.size() == 1) std::rethrow_exception(errors.begin()->second);
  constexpr int most_named = 8;
  std::string text = fmt::format("{} shards cannot be collected: ", errors.size());
  int named = 0;
  for (const auto& [shard, error] : errors) {
    if (named == most_named) {
      text += "; and others";
      break;
    }
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& what) {
      text += fmt::format("{}{}", named++ == 0 ? "" : "; ", what.what());
    }
  }
  core::fail("{}", text);
}

/// Removes a file that was needed only meanwhile.
class RemoveAtEnd {
public:
  explicit RemoveAtEnd(std::string path)
      : path_(std::move(path)) {}
  ~RemoveAtEnd() { remove_ledger(path_); }
  RemoveAtEnd(const RemoveAtEnd&) = delete;
  RemoveAtEnd& operator=(const RemoveAtEnd&) = delete;

private:
  std::string path_;
};

} // namespace

Collected collect_shards(RunLedger& ledger, const std::vector<std::string>& shards) {
  const auto start = std::chrono::steady_clock::now();
  Target target{ledger, {}, {}, 0, {}, false};
  const auto cores = std::max(1u, std::thread::hardware_concurrency());
  const auto readers = std::min<std::size_t>({cores, most_readers, shards.size()});
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < readers; ++i)
    others.emplace_back([&] { read_until_done(target, shards); });
  read_until_done(target, shards);
  for (std::thread& other : others) other.join();
  if (!target.ledger_failed) ledger.drop_opened_inputs();
  throw_errors(target.errors);
  target.collected.ledger = ledger.path();
  target.collected.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return target.collected;
}

Collected collect_run(const std::string& output_dir, const MachineView& machine) {
  const auto shards = io::shards_in(output_dir);
  core::require(!shards.empty(),
                "{} holds no shards to collect from is it the output folder of a run?", output_dir);
  LedgerPlace place = place_ledger(output_dir, machine);
  if (place.in_place()) {
    RunLedger ledger = open_ledger(place);
    return collect_shards(ledger, shards);
  }
  // A run that goes on on this node keeps its own live file.
  place.live += fmt::format(".collect{}", ::getpid());
  const RemoveAtEnd removal(place.live); // after the ledger is closed
  RunLedger ledger = open_ledger(place);
  Collected collected;
  std::exception_ptr error;
  try {
    collected = collect_shards(ledger, shards);
  } catch (...) {
    error = std::current_exception();
  }
  ledger.snapshot(place.published); // what could be collected
  if (error) std::rethrow_exception(error);
  collected.ledger = place.published;
  return collected;
}

std::string format_collected(const Collected& c) {
  const std::string torn =
      c.torn == 0 ? "" : fmt::format("; {} end in a record that is not whole", c.torn);
  return fmt::format(
      "Collected {} images ({} new) and {} lattices of {} shard{} into {} in {:.1f} s{}", c.images,
      c.added, c.lattices, c.shards, c.shards == 1 ? "" : "s", c.ledger, c.seconds, torn);
}

} // namespace kilobragg::report
