// Writes .refl files, at once or in parts.
#include "msgpack_codec.hpp"
#include "reflection_columns.hpp"

#include "kilobragg/core/files.hpp"
#include "kilobragg/io/reflection_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <utility>

namespace kilobragg::io {
namespace {

using models::Column;
using models::ReflectionTable;
using Identifiers = std::map<std::int32_t, std::string>;

/// Everything before the first column.
void pack_start(const Identifiers& identifiers, std::size_t rows, std::size_t columns,
                std::vector<std::byte>& out) {
  Packer pack(out);
  pack.array(3);
  pack.text("dials::af::reflection_table");
  pack.number(1);
  pack.map(3);
  pack.text("identifiers");
  pack.map(identifiers.size());
  for (const auto& [id, identifier] : identifiers) {
    pack.integer(id);
    pack.text(identifier);
  }
  pack.text("nrows");
  pack.number(rows);
  pack.text("data");
  pack.map(columns);
}

/// Everything of a column before its bytes.
void pack_column_start(const std::string& name, std::string_view type, std::size_t rows,
                       std::uint64_t bytes, std::vector<std::byte>& out) {
  check_column_size(name, bytes);
  Packer pack(out);
  pack.text(name);
  pack.array(2);
  pack.text(type);
  pack.array(2);
  pack.number(rows);
  pack.bin(bytes);
}

/// Hands the file to `sink` piece by piece.
void format(const ReflectionTable& table,
            const std::function<void(std::span<const std::byte>)>& sink) {
  std::vector<std::byte> piece;
  pack_start(table.identifiers, table.rows, table.columns.size(), piece);
  for (const auto& [name, column] : table.columns) {
    core::require(row_count(column) == table.rows, "column '{}' has {} rows, the table {}", name,
                  row_count(column), table.rows);
    pack_column_start(name, type_name(column), table.rows, raw_size(column), piece);
    const auto rows = rows_in_place(column);
    if (rows.empty()) append_raw(column, piece);
    sink(piece);
    sink(rows);
    piece.clear();
  }
  sink(piece);
}

/// The bytes of one column of a table that comes in parts: the start in an unnamed file, once there
/// is much of it, the rest in memory.
class Spool {
public:
  explicit Spool(std::string type)
      : type_(std::move(type)) {}
  ~Spool() {
    if (file_ >= 0) ::close(file_);
  }
  Spool(Spool&& other) noexcept
      : type_(std::move(other.type_))
      , tail_(std::move(other.tail_))
      , in_file_(other.in_file_)
      , file_(std::exchange(other.file_, -1)) {}
  Spool& operator=(Spool&&) = delete;

  const std::string& type() const { return type_; }
  std::uint64_t size() const { return in_file_ + tail_.size(); }

  void append(const Column& column, const std::string& beside) {
    append_raw(column, tail_);
    if (tail_.size() >= limit) spill(beside);
  }

  void copy_to(core::AtomicFile& out) const {
    std::vector<std::byte> block(limit);
    for (std::uint64_t at = 0; at < in_file_;) {
      const auto want = std::min<std::uint64_t>(block.size(), in_file_ - at);
      const ssize_t n = ::pread(file_, block.data(), want, static_cast<off_t>(at));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) core::fail("cannot read back a temporary file ({})", std::strerror(errno));
      out.write(std::span(block).first(static_cast<std::size_t>(n)));
      at += static_cast<std::uint64_t>(n);
    }
    out.write(tail_);
  }

private:
  static constexpr std::size_t limit = std::size_t{1} << 18; ///< a table has some 30 columns

  void spill(const std::string& beside) {
    if (file_ < 0) {
      std::string name = beside + ".columnXXXXXX";
      file_ = ::mkstemp(name.data());
      if (file_ < 0) core::fail("cannot write beside {} ({})", beside, std::strerror(errno));
      ::unlink(name.c_str());
    }
    if (!core::write_fully(file_, tail_))
      core::fail("cannot write {} ({})", beside, std::strerror(errno));
    in_file_ += tail_.size();
    tail_.clear();
  }

  std::string type_;
  std::vector<std::byte> tail_;
  std::uint64_t in_file_ = 0;
  int file_ = -1;
};

} // namespace

std::vector<std::byte> format_reflections(const ReflectionTable& table) {
  std::vector<std::byte> bytes;
  format(table, [&](std::span<const std::byte> piece) {
    bytes.insert(bytes.end(), piece.begin(), piece.end());
  });
  return bytes;
}

void write_reflections(const ReflectionTable& table, const std::string& path) {
  core::AtomicFile file(path);
  format(table, [&](std::span<const std::byte> piece) { file.write(piece); });
  file.commit();
}

struct ReflectionFileWriter::State {
  std::string path;
  std::size_t rows = 0;
  bool begun = false;
  Identifiers identifiers;
  std::map<std::string, Spool> columns;

  /// The first part decides on the columns, later ones must agree.
  void check_columns(const ReflectionTable& part) {
    if (!std::exchange(begun, true))
      for (const auto& [name, column] : part.columns)
        columns.emplace(name, Spool(std::string(type_name(column))));
    core::require(part.columns.size() == columns.size(),
                  "tables with {} and {} columns cannot stand in one file {}", columns.size(),
                  part.columns.size(), path);
    for (const auto& [name, column] : part.columns) {
      const auto spool = columns.find(name);
      core::require(spool != columns.end() && spool->second.type() == type_name(column),
                    "column '{}' is not the same in all parts of {}", name, path);
      core::require(row_count(column) == part.rows, "column '{}' has {} rows, the table {}", name,
                    row_count(column), part.rows);
    }
  }
};

ReflectionFileWriter::ReflectionFileWriter(const std::string& path)
    : state_(std::make_unique<State>()) {
  state_->path = path;
}
ReflectionFileWriter::~ReflectionFileWriter() = default;
ReflectionFileWriter::ReflectionFileWriter(ReflectionFileWriter&&) noexcept = default;

std::size_t ReflectionFileWriter::rows() const { return state_->rows; }

void ReflectionFileWriter::append(const ReflectionTable& part, std::int32_t id_offset) {
  state_->check_columns(part);
  for (const auto& [name, column] : part.columns) {
    Spool& spool = state_->columns.at(name);
    if (name == "id" && id_offset != 0) {
      auto ids = part.get<std::int32_t>("id");
      for (std::int32_t& id : ids)
        if (id >= 0) id += id_offset;
      spool.append(ids, state_->path);
    } else {
      spool.append(column, state_->path);
    }
  }
  for (const auto& [id, identifier] : part.identifiers)
    core::require(state_->identifiers.emplace(id + id_offset, identifier).second,
                  "experiment {} stands twice in {}", id + id_offset, state_->path);
  state_->rows += part.rows;
}

void ReflectionFileWriter::finish() {
  core::AtomicFile file(state_->path);
  std::vector<std::byte> piece;
  pack_start(state_->identifiers, state_->rows, state_->columns.size(), piece);
  for (const auto& [name, spool] : state_->columns) {
    pack_column_start(name, spool.type(), state_->rows, spool.size(), piece);
    file.write(piece);
    piece.clear();
    spool.copy_to(file);
  }
  file.write(piece);
  file.commit();
}

} // namespace kilobragg::io
