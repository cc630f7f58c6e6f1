// Fills a ledger: sessions, inputs, batches, images; publishes copies.
#include "kilobragg/report/run_ledger.hpp"

#include "ledger_schema.hpp"
#include "sqlite.hpp"

#include "kilobragg/core/error.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <unordered_map>

namespace kilobragg::report {
namespace {

namespace fs = std::filesystem;
using models::ExitState;

/// Inputs are known by absolute paths, however they were named.
std::string plain_path(const std::string& path) {
  return path.empty() ? path : fs::absolute(path).lexically_normal().string();
}

/// The folder without symbolic links, since the file itself must not be one.
std::string real_place(const std::string& path) {
  const fs::path file = fs::absolute(path);
  std::error_code error;
  const fs::path folder = fs::canonical(file.parent_path(), error);
  core::require(!error, "cannot open {} ({})", path, error.message());
  return (folder / file.filename()).string();
}

Database open_database(const std::string& path) {
  Database database(real_place(path), Database::Mode::Write);
  database.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY");
  const auto version = database.integer("PRAGMA user_version");
  core::require(version <= ledger_schema_version,
                "{} has the schema of a later version ({}, this program knows {})", path, version,
                ledger_schema_version);
  if (version == ledger_schema_version) return database;
  Transaction transaction(database);
  core::require(database.integer("SELECT count(*) FROM sqlite_master") == 0,
                "{} is no run ledger (it holds other tables)", path);
  database.execute(ledger_schema);
  database.execute(fmt::format("PRAGMA user_version={0};"
                               "INSERT INTO run VALUES('schema_version', '{0}')",
                               ledger_schema_version));
  transaction.commit();
  return database;
}

std::string states_json(const RunSummary& summary) {
  std::string text;
  for (int i = 0; i < models::exit_state_count; ++i)
    if (const auto n = summary.by_state[static_cast<std::size_t>(i)]; n > 0)
      text += fmt::format("{}\"{}\":{}", text.empty() ? "" : ",",
                          models::word(static_cast<ExitState>(i)), n);
  return '{' + text + '}';
}

constexpr const char* insert_batch =
    "INSERT INTO batches VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr const char* insert_image =
    "INSERT OR REPLACE INTO image_rows VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr const char* insert_lattice =
    "INSERT INTO lattices VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr const char* upsert_input =
    "INSERT INTO inputs(path, dataset, stem, frames, content_id, problem) "
    "VALUES(?1, ?2, ?3, nullif(?4, 0), nullif(?5, ''), nullif(?6, '')) "
    "ON CONFLICT(path, dataset) DO UPDATE SET frames = coalesce(excluded.frames, frames), "
    "content_id = coalesce(excluded.content_id, content_id), "
    "problem = coalesce(excluded.problem, problem) RETURNING id";
/// Rows of images with their inputs, and what io::is_unopened() says of one.
constexpr const char* rows_of_images = "image_rows r JOIN inputs i ON i.id = r.input";
constexpr const char* is_unopened =
    "i.dataset = '' AND i.content_id IS NULL AND r.state = 'preprocess_exception'";
constexpr const char* upsert_key =
    "INSERT INTO run VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = excluded.value";

} // namespace

std::string_view word(SessionState state) {
  constexpr std::array<std::string_view, 5> words{"running", "finished", "stopped", "failed",
                                                  "killed"};
  return words[static_cast<std::size_t>(state)];
}

struct RunLedger::State {
  explicit State(const std::string& path)
      : database(open_database(path)) {
    auto row = database.prepare("SELECT CAST(value AS REAL) FROM run WHERE key = 'retried_until'");
    if (row.step()) retried_until = row.real(0);
  }
  /// Goes back to a file without a write-ahead log, which can be copied, and read in folders that
  /// cannot be written; not while another process has it open.
  ~State() {
    try {
      database.execute("PRAGMA busy_timeout=0; PRAGMA journal_mode=DELETE");
    } catch (const core::Error&) {
      // It stays as it is, which is as good for all who can write there.
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  /// What is known of an input, so that images need not ask.
  struct Known {
    std::int64_t id = 0;
    std::string content_id;
  };

  Database database;
  std::optional<std::int64_t> session;
  /// Records of unopened inputs that started until then were tried again (the key `retried_until`).
  double retried_until = 0;
  std::unordered_map<std::string, Known> inputs; ///< by path, line feed, dataset
  Statement batch = database.prepare(insert_batch);
  Statement image = database.prepare(insert_image);
  Statement lattice = database.prepare(insert_lattice);
  Statement input = database.prepare(upsert_input);
  Statement key = database.prepare(upsert_key);
  Statement image_started = database.prepare("SELECT started FROM image_rows WHERE id = ?");
  Statement drop_lattices = database.prepare("DELETE FROM lattices WHERE image = ?");

  std::int64_t add_input(const InputRow& row);
  std::int64_t input_of(const models::ImageSource& source);
  void retry_inputs(double until);
  bool add_image(const io::StillDigest& digest);
  void add_lattices(std::int64_t id, const io::StillDigest& digest);
};

std::int64_t RunLedger::State::add_input(const InputRow& row) {
  const std::string path = plain_path(row.path);
  input.reset();
  input.bind(1, std::string_view(path));
  input.bind(2, std::string_view(row.dataset));
  input.bind(3, std::string_view(fs::path(path).stem().string()));
  input.bind(4, row.frames);
  input.bind(5, std::string_view(row.content_id));
  input.bind(6, std::string_view(row.problem));
  const std::int64_t id = input.step() ? input.integer(0) : 0;
  while (input.step()) continue;
  input.reset();
  return id;
}

std::int64_t RunLedger::State::input_of(const models::ImageSource& source) {
  const auto [at, is_new] = inputs.try_emplace(source.path + '\n' + source.dataset);
  Known& known = at->second;
  const bool learnt = !source.content_id.empty() && source.content_id != known.content_id;
  if (is_new || learnt) {
    known.id = add_input({source.path, source.dataset, 0, source.content_id, ""});
    known.content_id = source.content_id;
  }
  return known.id;
}

/// Forgets the inputs that could not be opened, for a session that tries all of them again.
void RunLedger::State::retry_inputs(double until) {
  inputs.clear();
  if (until > retried_until) {
    retried_until = until;
    key.run("retried_until", fmt::format("{:.17g}", until));
  }
  database.execute(fmt::format("DELETE FROM image_rows WHERE id IN (SELECT r.id FROM {} "
                               "WHERE {} AND r.started <= {:.17g})",
                               rows_of_images, is_unopened, retried_until));
  database.execute("DELETE FROM inputs WHERE problem IS NOT NULL AND id NOT IN "
                   "(SELECT input FROM image_rows);"
                   "UPDATE inputs SET problem = NULL");
}

/// True if the image was not there before.
bool RunLedger::State::add_image(const io::StillDigest& d) {
  constexpr std::int64_t frames = std::int64_t{1} << 32;
  core::require(d.source.frame >= 0 && d.source.frame < frames,
                "frame {} of {} has no place in a ledger (frames are counted from 0 to 2^32 - 1)",
                d.source.frame, d.source.path);
  if (io::is_unopened(d) && d.processing.started <= retried_until) return false;
  const std::int64_t from = input_of(d.source), id = from * frames + d.source.frame;
  image_started.reset();
  image_started.bind(1, id);
  const bool known = image_started.step();
  const bool older = known && image_started.real(0) > d.processing.started;
  image_started.reset();
  if (older) return false;
  if (known) drop_lattices.run(id);
  const auto& s = d.seconds;
  image.run(id, from, d.source.frame, std::string_view(d.processing.host), d.processing.rank,
            d.processing.started, s[0], s[1], s[2], s[3], s[4], s[5], models::word(d.state),
            d.count, std::string_view(d.message), d.spots,
            static_cast<std::int64_t>(d.lattices.size()), d.d_min);
  add_lattices(id, d);
  return !known;
}

void RunLedger::State::add_lattices(std::int64_t id, const io::StillDigest& digest) {
  int number = 0;
  for (const io::LatticeDigest& l : digest.lattices) {
    const auto cell = l.crystal.unit_cell();
    std::optional<double> mosaicity, domain;
    if (l.crystal.mosaicity) {
      mosaicity = l.crystal.mosaicity->half_mosaicity_deg;
      domain = l.crystal.mosaicity->domain_size_angstrom;
    }
    lattice.run(id, number++, std::string_view(l.identifier), cell.a, cell.b, cell.c, cell.alpha,
                cell.beta, cell.gamma, std::string_view(l.crystal.space_group.hm()), l.rmsd_px,
                l.rmsd_psi_deg, l.indexed, l.reflections, mosaicity, domain, l.d_min);
  }
}

RunLedger::RunLedger(const std::string& path)
    : state_(std::make_unique<State>(path)) {}
RunLedger::~RunLedger() = default;
RunLedger::RunLedger(RunLedger&&) noexcept = default;

const std::string& RunLedger::path() const { return state_->database.path(); }

void RunLedger::set(std::string_view key, std::string_view value) { state_->key.run(key, value); }

void RunLedger::set_default(std::string_view key, std::string_view value) {
  state_->database.prepare("INSERT OR IGNORE INTO run VALUES(?, ?)").run(key, value);
}

std::int64_t RunLedger::begin_session(const SessionInfo& info) {
  Database& database = state_->database;
  Transaction transaction(database);
  database.execute("UPDATE sessions SET state = 'killed' WHERE state = 'running';"
                   "DELETE FROM run WHERE key = 'ended'");
  database.prepare("INSERT INTO sessions VALUES(NULL, ?, NULL, ?, ?, ?, ?, 'running')")
      .run(info.started, std::string_view(info.host), info.ranks, std::string_view(info.version),
           std::string_view(info.commit));
  state_->session = database.integer("SELECT last_insert_rowid()");
  set("program", info.program);
  set("version", info.version);
  set("commit", info.commit);
  set("options", info.options);
  set("host", info.host);
  set("ranks", std::to_string(info.ranks));
  set_default("started", fmt::format("{:.3f}", info.started));
  set("state", word(SessionState::Running));
  if (info.events_total > 0) set("events_total", std::to_string(info.events_total));
  state_->retry_inputs(info.retried_until);
  transaction.commit();
  return *state_->session;
}

void RunLedger::end_session(SessionState state, double ended) {
  if (!state_->session) return;
  Transaction transaction(state_->database);
  state_->database.prepare("UPDATE sessions SET ended = ?, state = ? WHERE id = ?")
      .run(ended, word(state), *state_->session);
  set("state", word(state));
  set("ended", fmt::format("{:.3f}", ended));
  transaction.commit();
}

void RunLedger::add_inputs(std::span<const InputRow> inputs) {
  Transaction transaction(state_->database);
  for (const InputRow& row : inputs) state_->add_input(row);
  transaction.commit();
}

void RunLedger::add_batches(std::span<const BatchRow> batches) {
  core::require(state_->session.has_value(), "{} has no session to add batches to", path());
  Transaction transaction(state_->database);
  for (const BatchRow& b : batches) {
    const RunSummary& sum = b.summary;
    const auto& s = sum.seconds;
    state_->batch.run(*state_->session, b.finished_at, b.rank, b.first, sum.stills, sum.hits(),
                      sum.indexed(), sum.by_state[std::size_t(ExitState::IntegrateOk)],
                      sum.lattices, sum.spots, sum.indexed_spots, sum.reflections, s[0], s[1], s[2],
                      s[3], s[4], s[5], std::string_view(states_json(sum)));
  }
  transaction.commit();
}

std::int64_t RunLedger::add_images(std::span<const io::StillDigest> images) {
  try {
    Transaction transaction(state_->database);
    std::int64_t added = 0;
    for (const io::StillDigest& digest : images) added += state_->add_image(digest);
    transaction.commit();
    return added;
  } catch (...) {
    state_->inputs.clear(); // those of this transaction are gone again
    throw;
  }
}

void RunLedger::drop_opened_inputs() {
  Transaction transaction(state_->database);
  state_->database.execute(fmt::format(
      "CREATE TEMP TABLE opened AS SELECT r.id AS image, i.id AS input FROM {} WHERE {} AND EXISTS "
      "(SELECT 1 FROM inputs o JOIN image_rows later ON later.input = o.id "
      "WHERE o.path = i.path AND o.dataset != '' AND later.started > r.started);"
      "DELETE FROM image_rows WHERE id IN (SELECT image FROM opened);"
      "DELETE FROM inputs WHERE id IN (SELECT input FROM opened);"
      "DROP TABLE opened",
      rows_of_images, is_unopened));
  state_->inputs.clear(); // some of them are gone
  transaction.commit();
}

void RunLedger::add_shard(const std::string& path, const io::ShardSummary& summary) {
  state_->database.prepare("INSERT OR REPLACE INTO shards VALUES(?, ?, ?, ?)")
      .run(std::string_view(plain_path(path)), static_cast<std::int64_t>(summary.good_bytes),
           static_cast<std::int64_t>(summary.records), summary.torn ? 1 : 0);
}

namespace {

/// Copies `from` into a new file without a write-ahead log, and waits until it is on the disk.
void write_copy(const Database& from, const std::string& path) {
  {
    Database copy(path, Database::Mode::Unlocked);
    copy.execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF");
    copy.copy_from(from);
  }
  // Bytes 18 and 19 of the header (SQLite file format, section 1.3.3): 2 asks readers for a
  // write-ahead log, which network file systems do not carry; 1 does not.
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const std::array<char, 2> legacy{1, 1};
  const bool done = file >= 0 && ::pwrite(file, legacy.data(), 2, 18) == 2 && ::fsync(file) == 0;
  const int error = errno;
  if (file >= 0) ::close(file);
  core::require(done, "cannot write {} ({})", path, std::strerror(error));
}

} // namespace

void RunLedger::snapshot(const std::string& target) {
  const std::string place = real_place(target);
  const std::string temporary = fmt::format("{}.part{}", place, ::getpid());
  std::error_code ignored;
  fs::remove(temporary, ignored);
  try {
    write_copy(state_->database, temporary);
    fs::rename(temporary, place);
  } catch (const std::exception& error) {
    fs::remove(temporary, ignored);
    core::fail("cannot publish the run ledger as {} ({})", target, error.what());
  }
}

} // namespace kilobragg::report
