// SQLite calls, each checked.
#include "sqlite.hpp"

#include "kilobragg/core/error.hpp"

#include <sqlite3.h>

#include <cstring>
#include <utility>

namespace kilobragg::report {
namespace {

/// How long to wait for another process that writes the same file (ms).
constexpr int patience = 10'000;

std::string reason(sqlite3* database) {
  std::string text = sqlite3_errmsg(database);
  const int code = sqlite3_errcode(database);
  const int system = sqlite3_system_errno(database);
  if ((code == SQLITE_IOERR || code == SQLITE_CANTOPEN) && system != 0)
    text += fmt::format(": {}", std::strerror(system));
  return text;
}

int open_flags(Database::Mode mode) {
  if (mode == Database::Mode::Read) return SQLITE_OPEN_READONLY;
  return SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW;
}

} // namespace

Statement::Statement(sqlite3* database, std::string path, std::string_view sql)
    : database_(database)
    , path_(std::move(path)) {
  check(sqlite3_prepare_v3(database, sql.data(), static_cast<int>(sql.size()),
                           SQLITE_PREPARE_PERSISTENT, &statement_, nullptr));
}
Statement::~Statement() { sqlite3_finalize(statement_); }
Statement::Statement(Statement&& other) noexcept
    : database_(other.database_)
    , path_(std::move(other.path_))
    , statement_(std::exchange(other.statement_, nullptr)) {}

void Statement::check(int code) const {
  if (code != SQLITE_OK) core::fail("cannot use {} ({})", path_, reason(database_));
}

void Statement::bind(int at, std::int64_t value) {
  check(sqlite3_bind_int64(statement_, at, value));
}
void Statement::bind(int at, double value) { check(sqlite3_bind_double(statement_, at, value)); }
void Statement::bind(int at, std::string_view value) {
  const char* start = value.empty() ? "" : value.data(); // a null pointer would be a NULL
  check(sqlite3_bind_text64(statement_, at, start, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}
void Statement::bind_null(int at) { check(sqlite3_bind_null(statement_, at)); }

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  const std::string why = reason(database_);
  sqlite3_reset(statement_);
  core::fail("cannot use {} ({})", path_, why);
}
void Statement::reset() { sqlite3_reset(statement_); }

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}
double Statement::real(int column) const { return sqlite3_column_double(statement_, column); }
std::string Statement::text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_, column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Database::Database(const std::string& path, Mode mode)
    : path_(path) {
  const char* vfs = mode == Mode::Unlocked ? "unix-none" : nullptr;
  if (sqlite3_open_v2(path.c_str(), &database_, open_flags(mode), vfs) != SQLITE_OK) {
    const std::string why = database_ ? reason(database_) : "out of memory";
    sqlite3_close(database_);
    core::fail("cannot open {} ({})", path, why);
  }
  sqlite3_extended_result_codes(database_, 0);
  sqlite3_busy_timeout(database_, patience);
}
Database::~Database() { sqlite3_close(database_); }
Database::Database(Database&& other) noexcept
    : path_(std::move(other.path_))
    , database_(std::exchange(other.database_, nullptr)) {}

void Database::execute(const std::string& sql) {
  if (sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    core::fail("cannot use {} ({})", path_, reason(database_));
}

std::int64_t Database::integer(std::string_view sql) const {
  Statement statement = prepare(sql);
  return statement.step() ? statement.integer(0) : 0;
}

void Database::copy_from(const Database& other) {
  sqlite3_backup* backup = sqlite3_backup_init(database_, "main", other.database_, "main");
  if (backup == nullptr) core::fail("cannot use {} ({})", path_, reason(database_));
  const int code = sqlite3_backup_step(backup, -1);
  const int end = sqlite3_backup_finish(backup);
  if (code != SQLITE_DONE || end != SQLITE_OK)
    core::fail("cannot copy {} to {} ({})", other.path_, path_, reason(database_));
}

Transaction::~Transaction() {
  if (database_ == nullptr) return;
  try {
    database_->execute("ROLLBACK");
  } catch (const core::Error&) {
    // SQLite has taken it back itself, as it does on a full disk.
  }
}

void Transaction::commit() {
  database_->execute("COMMIT");
  database_ = nullptr;
}

} // namespace kilobragg::report
