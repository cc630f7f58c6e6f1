// Reads .refl files.
#include "msgpack_codec.hpp"
#include "reflection_columns.hpp"

#include "kilobragg/core/files.hpp"
#include "kilobragg/io/reflection_file.hpp"

#include <fmt/format.h>

#include <limits>

namespace kilobragg::io {
namespace {

using models::ReflectionTable;

constexpr std::string_view kind = "dials::af::reflection_table";

void read_identifiers(Unpacker& in, ReflectionTable& table) {
  const std::size_t count = in.map();
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t id = in.integer();
    in.check(id >= std::numeric_limits<std::int32_t>::min() &&
                 id <= std::numeric_limits<std::int32_t>::max(),
             "an experiment number beyond 32 bits");
    table.identifiers[static_cast<std::int32_t>(id)] = in.text();
  }
}

/// array(2) [ type, array(2) [ rows, bytes ] ]; returns the number of rows that it claims.
std::uint64_t read_column(Unpacker& in, ReflectionTable& table, const std::string& column_name) {
  in.array_of(2);
  auto column = column_of_type(in.text());
  in.array_of(2);
  const std::uint64_t rows = in.number();
  const auto bytes = in.bin();
  if (!column) return rows;
  fill_column(*column, rows, bytes, fmt::format("column '{}' of {}", column_name, in.name()));
  const bool is_new = table.columns.emplace(column_name, std::move(*column)).second;
  in.check(is_new, "a column that stands twice");
  return rows;
}

/// Returns the rows that all columns claim, none if there is no column.
std::optional<std::uint64_t> read_columns(Unpacker& in, ReflectionTable& table) {
  std::optional<std::uint64_t> rows;
  const std::size_t count = in.map();
  for (std::size_t i = 0; i < count; ++i) {
    const std::string column_name(in.text());
    const std::uint64_t claimed = read_column(in, table, column_name);
    in.check(rows.value_or(claimed) == claimed, "columns of different lengths");
    rows = claimed;
  }
  return rows;
}

} // namespace

ReflectionTable parse_reflections(std::span<const std::byte> bytes, const std::string& name) {
  Unpacker in(bytes, name);
  ReflectionTable table;
  in.array_of(3);
  in.check(in.text() == kind, "no reflection table");
  const std::uint64_t version = in.number();
  core::require(version == 1 || version == 2,
                "{} has version {} of the reflection table format (1 and 2 can be read)", name,
                version);
  std::optional<std::uint64_t> rows, column_rows;
  bool has_columns = false;
  const std::size_t keys = in.map();
  for (std::size_t i = 0; i < keys; ++i) {
    const std::string_view key = in.text();
    if (key == "identifiers") {
      read_identifiers(in, table);
    } else if (key == "nrows") {
      rows = in.number();
    } else if (key == "data") {
      column_rows = read_columns(in, table);
      has_columns = true;
    } else {
      core::fail("{} is damaged (unknown key '{}')", name, key);
    }
  }
  in.check(rows.has_value() && has_columns, "no 'nrows' or no 'data'");
  in.check(column_rows.value_or(*rows) == *rows, "columns of another length than 'nrows'");
  in.check(in.at_end(), "bytes after the table");
  // Without columns nothing bounds the number of rows: an empty table it is.
  table.rows = table.columns.empty() ? 0 : *rows;
  return table;
}

ReflectionTable read_reflections(const std::string& path) {
  return parse_reflections(core::read_file(path), path);
}

} // namespace kilobragg::io
