// From shards to rows of images and lattices.
#include "kilobragg/report/collect.hpp"

#include "kilobragg/core/error.hpp"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <mutex>
#include <thread>

namespace kilobragg::report {
namespace {

namespace fs = std::filesystem;

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
  std::exception_ptr error;
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
    const std::lock_guard lock(target_.guard);
    Collected& collected = target_.collected;
    collected.added += target_.ledger.add_images(waiting_);
    collected.images += static_cast<std::int64_t>(waiting_.size());
    for (const auto& digest : waiting_)
      collected.lattices += static_cast<std::int64_t>(digest.lattices.size());
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
  const std::lock_guard lock(target.guard);
  note_header(target.ledger, summary.run);
  target.ledger.add_shard(shard, summary);
  ++target.collected.shards;
  target.collected.torn += summary.torn;
}

/// Takes one shard after the other until none is left or one reader has failed.
void read_until_done(Target& target, const std::vector<std::string>& shards) {
  while (true) {
    std::size_t shard = 0;
    {
      const std::lock_guard lock(target.guard);
      if (target.error || target.next_shard == shards.size()) return;
      shard = target.next_shard++;
    }
    try {
      collect_shard(target, shards[shard]);
    } catch (...) {
      const std::lock_guard lock(target.guard);
      if (!target.error) target.error = std::current_exception();
    }
  }
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

std::vector<std::string> shards_in(const std::string& folder) {
  std::vector<std::string> shards;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() == ".shard") shards.push_back(entry.path().string());
  core::require(!error, "cannot read the folder {} ({})", folder, error.message());
  core::require(!shards.empty(),
                "{} holds no shards to collect from is it the output folder of a run?", folder);
  std::sort(shards.begin(), shards.end());
  return shards;
}

} // namespace

Collected collect_shards(RunLedger& ledger, const std::vector<std::string>& shards) {
  const auto start = std::chrono::steady_clock::now();
  Target target{ledger, {}, {}, 0, nullptr};
  const auto cores = std::max(1u, std::thread::hardware_concurrency());
  const auto readers = std::min<std::size_t>({cores, most_readers, shards.size()});
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < readers; ++i)
    others.emplace_back([&] { read_until_done(target, shards); });
  read_until_done(target, shards);
  for (std::thread& other : others) other.join();
  if (target.error) std::rethrow_exception(target.error);
  target.collected.ledger = ledger.path();
  target.collected.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return target.collected;
}

Collected collect_run(const std::string& output_dir, const MachineView& machine) {
  const auto shards = shards_in(output_dir);
  LedgerPlace place = place_ledger(output_dir, machine);
  if (place.in_place()) {
    RunLedger ledger = open_ledger(place);
    return collect_shards(ledger, shards);
  }
  // A run that goes on on this node keeps its own live file.
  place.live += fmt::format(".collect{}", ::getpid());
  const RemoveAtEnd removal(place.live); // after the ledger is closed
  RunLedger ledger = open_ledger(place);
  Collected collected = collect_shards(ledger, shards);
  ledger.snapshot(place.published);
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
