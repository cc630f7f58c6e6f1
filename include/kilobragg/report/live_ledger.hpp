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

struct LiveOptions {
  double write_seconds = 0.5;   ///< batches are written this often, in one transaction
  double publish_seconds = 30;  ///< snapshots of a file that is not in place; 0 = only at the end
  std::size_t queue = 1'000'000; ///< batches that may wait for a disk that hangs
};

/// Never throws and never waits for the disk, except in collect() and finish(): the first error
/// (disk full, ...) is written to the log as a warning, and recording ends there. The run goes on.
class LiveLedger {
public:
  /// Starts a session with its inputs. After an error it records nothing from the beginning.
  LiveLedger(const LedgerPlace& place, const SessionInfo& session, std::vector<InputRow> inputs,
             const LiveOptions& options = {});
  /// Writes what waits and leaves the session as Running if finish() was not called.
  ~LiveLedger();
  LiveLedger(const LiveLedger&) = delete;
  LiveLedger& operator=(const LiveLedger&) = delete;

  /// Puts the batch into the queue of the writing thread.
  void add_batch(BatchRow batch);
  /// Collects images and lattices from shards (collect.hpp). Returns the number of images seen.
  std::int64_t collect(const std::vector<std::string>& shards);
  /// Writes what waits, closes the session, publishes. Nothing is recorded afterwards.
  void finish(SessionState state);

  /// Why recording ended, or empty.
  std::string problem() const;
  const LedgerPlace& place() const;

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace kilobragg::report
