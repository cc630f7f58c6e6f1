// The ledger of a run in progress: where it lives, and a thread that writes it so that nobody waits.
#pragma once

#include "kilobragg/report/run_ledger.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kilobragg::report {

/// Where a run keeps its ledger.
struct LedgerPlace {
  std::string live;      ///< the file that is written
  std::string published; ///< ledger.sqlite in the output folder, for everybody to read
  bool in_place() const { return live == published; }
};

/// What place_ledger asks about the machine; tests answer for it.
struct MachineView {
  /// True if the folder lies on a disk (or in the memory) of this machine; default is_local_disk.
  std::function<bool(const std::string&)> is_local;
  /// Folder on this node for the live file; default: the first of $SLURM_TMPDIR, $TMPDIR and /tmp
  /// that is a local folder.
  std::optional<std::string> scratch;
};

/// True if statfs(2) names a file system that only this machine writes (ext, xfs, btrfs, zfs, f2fs,
/// tmpfs, overlay, ...). Lustre, NFS, GPFS, BeeGFS, WekaFS, FUSE and whatever is not known are
/// shared: taking a local disk for a shared one costs a copy, the contrary costs the ledger.
bool is_local_disk(const std::string& folder);

/// In place if the output folder is local; otherwise the live file lies in the node's scratch, named
/// after the user and the output folder. Throws core::Error if there is no local scratch folder.
LedgerPlace place_ledger(const std::string& output_dir, const MachineView& machine = {});

/// Opens the live file. One that is not in place starts as a copy of what is published, if anything
/// is, and replaces what a killed process left on this node.
RunLedger open_ledger(const LedgerPlace& place);

/// Removes a ledger and the files that SQLite keeps beside it; nothing if it is not there. A run
/// that begins anew calls it for the live and the published file of its output folder.
void remove_ledger(const std::string& path);

struct LiveOptions {
  double write_seconds = 0.5;    ///< what waits is written this often, in one transaction
  double publish_seconds = 30;   ///< copies of a file that is not in place; 0 = only at the end
  std::size_t queue = 1'000'000; ///< batches that may wait for a disk that hangs
  MachineView machine;
};

/// Nothing here throws, and only collect() and finish() wait for the disk. After the first error
/// while writing (disk full, ...) nothing more is recorded; a copy that cannot be published is tried
/// again at the next turn. Either is said once, as a warning in the log, from the calling thread. The
/// run goes on.
class LiveLedger {
public:
  /// Starts a session in the ledger of `output_dir`, which exists.
  LiveLedger(const std::string& output_dir, const SessionInfo& session, LiveOptions options = {});
  /// Writes what waits; the session stays Running if finish() was not called.
  ~LiveLedger();
  LiveLedger(const LiveLedger&) = delete;
  LiveLedger& operator=(const LiveLedger&) = delete;

  /// These put what they are given into the queue of the writing thread. Inputs may come in parts,
  /// as they are found, with the number of images known so far.
  void add_inputs(std::vector<InputRow> inputs, std::int64_t events_total);
  void add_batch(const BatchRow& batch);

  /// Collects images and lattices from shards (collect.hpp); returns the number of images read.
  std::int64_t collect(const std::vector<std::string>& shards);
  /// Writes what waits, closes the session, publishes, and removes a live file that is not in place.
  /// What went wrong becomes the key `problem` of run. Nothing is recorded afterwards.
  void finish(SessionState state);

  /// The first error, or empty.
  std::string problem() const;
  /// Where the ledger is to be read.
  const std::string& path() const;

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace kilobragg::report
