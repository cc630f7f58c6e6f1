// The run ledger: one SQLite file that tells what a run did, batch by batch and image by image.
#pragma once

#include "kilobragg/io/shard.hpp"
#include "kilobragg/report/run_summary.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace kilobragg::report {

/// PRAGMA user_version of a ledger. Raised when a table or column changes its meaning or goes;
/// docs/ledger.md is the schema.
inline constexpr int ledger_schema_version = 1;
/// Name of the ledger in an output folder.
inline constexpr const char* ledger_name = "ledger.sqlite";

/// One start of the program; a resumed run has several.
struct SessionInfo {
  std::string program, version, commit;
  std::string options; ///< phil of the options in effect
  std::string host;    ///< of the rank that keeps the ledger
  int ranks = 1;
  double started = 0; ///< Unix time (s)
  /// Images of the whole run, those done by earlier sessions included; 0 if not known yet.
  std::int64_t events_total = 0;
  /// Latest start of an earlier session's records of inputs that could not be opened
  /// (io::is_unopened), all of which this session tries again; 0 without.
  double retried_until = 0;
};

/// One data set of frames that the run was given.
struct InputRow {
  std::string path, dataset;
  std::int64_t frames = 0;
  std::string content_id; ///< empty until it is known
  std::string problem;    ///< why it cannot be opened, or empty
};

/// What one rank did with the images that it was handed at once.
struct BatchRow {
  double finished_at = 0; ///< Unix time (s)
  int rank = 0;
  std::int64_t first = 0; ///< number of its first image, counted from 0 over the inputs in order
  RunSummary summary;
};

/// How a session stands; the words of sessions.state and of the key `state` of run.
enum class SessionState {
  Running,
  Finished, ///< every image was processed
  Stopped,  ///< by a signal or a limit; images are left for --resume
  Failed,   ///< by an error
  Killed,   ///< found as Running by a later session: the process ended without a word
};
std::string_view word(SessionState state);

/// Opens, fills and publishes one ledger file. Each call that writes is one transaction, so that a
/// process killed at any moment leaves a readable ledger that ends with a whole call. Errors are
/// core::Error naming the file; after one (disk full), the calls before it are still in the file.
/// When it is closed and nobody else has it open, the file stands alone, without a write-ahead log.
/// One thread at a time; other processes may read meanwhile. LiveLedger (live_ledger.hpp) wraps it
/// for a run in progress.
class RunLedger {
public:
  /// Opens `path`, or makes it with an empty schema. It must lie on a disk of this machine: the
  /// journal is a write-ahead log, with which readers never hold up the writer but which network
  /// file systems cannot carry. Throws core::Error if the file cannot be opened, is no ledger or
  /// has a later schema version.
  explicit RunLedger(const std::string& path);
  ~RunLedger();
  RunLedger(RunLedger&&) noexcept;

  const std::string& path() const;

  /// Opens a session in state Running; returns its id, which add_batches uses from then on. Sessions
  /// that still say Running become Killed. Inputs that could not be opened are forgotten with their
  /// images: the session finds them again, or opens them.
  std::int64_t begin_session(const SessionInfo& info);
  /// Closes the session of this object.
  void end_session(SessionState state, double ended);
  /// Adds inputs, or updates those of the same path and dataset. An empty content id or problem and
  /// frames = 0 leave what is known.
  void add_inputs(std::span<const InputRow> inputs);
  /// Needs a session.
  void add_batches(std::span<const BatchRow> batches);
  /// Adds images and their lattices. An image is known by the path and data set of its input and
  /// its frame: a record that started later (or at the same time) replaces an earlier one and its
  /// lattices, so collecting twice changes nothing. Left out are records of inputs that could not be
  /// opened and were tried again since. Returns how many images were new.
  std::int64_t add_images(std::span<const io::StillDigest> images);
  /// Removes inputs that could not be opened and of which a later record has an image: where no
  /// session tells what was tried again.
  void drop_opened_inputs();
  /// Notes that a shard has been collected.
  void add_shard(const std::string& path, const io::ShardSummary& summary);
  /// Sets a key of the table run.
  void set(std::string_view key, std::string_view value);
  /// Sets a key only if it is not there.
  void set_default(std::string_view key, std::string_view value);

  /// Publishes a consistent copy as `target`: written beside it, synchronised and renamed, so that
  /// readers find the previous copy or the new one, whole. The copy has no write-ahead log and takes
  /// no locks: it may lie on a parallel file system. Throws core::Error naming the target, which
  /// then stays as it was.
  void snapshot(const std::string& target);

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace kilobragg::report
