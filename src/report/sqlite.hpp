// SQLite for this room alone: a database and statements that close themselves, errors as core::Error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace kilobragg::report {

/// One prepared statement, to be run any number of times.
class Statement {
public:
  Statement(sqlite3* database, std::string path, std::string_view sql);
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;

  /// Sets parameter `at`, counted from 1. Texts are copied.
  void bind(int at, std::int64_t value);
  void bind(int at, int value) { bind(at, std::int64_t{value}); }
  void bind(int at, double value);
  void bind(int at, std::string_view value);
  void bind_null(int at);
  template <typename Value>
  void bind(int at, const std::optional<Value>& value) {
    if (value)
      bind(at, *value);
    else
      bind_null(at);
  }
  /// Sets all parameters in order and runs the statement to its end; rows are passed over.
  template <typename... Values>
  void run(const Values&... values) {
    reset();
    int at = 0;
    (bind(++at, values), ...);
    while (step()) continue;
    reset();
  }

  /// Goes to the next row; false at the end. Throws core::Error naming the file.
  bool step();
  /// Back to before the first row; parameters stay.
  void reset();

  /// Columns of the row, counted from 0.
  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;

private:
  void check(int code) const;
  sqlite3* database_;
  std::string path_;
  sqlite3_stmt* statement_ = nullptr;
};

/// One open database file.
class Database {
public:
  enum class Mode {
    Read,     ///< must exist
    Write,    ///< made if it is not there; no symbolic link
    Unlocked, ///< Write, without file locks: for a file that nobody else knows
  };
  /// Throws core::Error naming the file.
  Database(const std::string& path, Mode mode);
  ~Database();
  Database(Database&& other) noexcept;
  Database& operator=(Database&&) = delete;

  /// Runs one or more statements without parameters; rows are passed over.
  void execute(const std::string& sql);
  Statement prepare(std::string_view sql) const { return {database_, path_, sql}; }
  /// First column of the first row, 0 if there is none.
  std::int64_t integer(std::string_view sql) const;
  /// The whole of `other` replaces what is in this database, as one consistent state.
  void copy_from(const Database& other);
  const std::string& path() const { return path_; }

private:
  std::string path_;
  sqlite3* database_ = nullptr;
};

/// Begins when made; is taken back when it goes out of scope uncommitted.
class Transaction {
public:
  explicit Transaction(Database& database)
      : database_(&database) {
    database.execute("BEGIN IMMEDIATE");
  }
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

private:
  Database* database_;
};

} // namespace kilobragg::report
