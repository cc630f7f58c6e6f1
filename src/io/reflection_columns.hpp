// Column types of .refl files: their names, and their bytes.
#pragma once

#include "kilobragg/models/reflection_table.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace kilobragg::io {

/// DIALS's name of the type of a column: "double", "vec3<double>", ...
std::string_view type_name(const models::Column& column);

/// An empty column of the type with that name; none for types that are not read.
std::optional<models::Column> column_of_type(std::string_view type);

std::size_t row_count(const models::Column& column);

/// Appends the raw bytes of a column: rows as they lie in memory, shoeboxes one after another.
/// Throws core::Error when the arrays of a shoebox do not fill its box.
void append_raw(const models::Column& column, std::vector<std::byte>& out);

/// Length of what append_raw() appends.
std::uint64_t raw_size(const models::Column& column);

/// Throws core::Error naming the column if `bytes` are more than a .refl file can hold of one.
void check_column_size(std::string_view name, std::uint64_t bytes);

/// The bytes of a column whose rows lie in memory as in the file; empty for shoeboxes.
std::span<const std::byte> rows_in_place(const models::Column& column);

/// Fills `column`, made by column_of_type(), with `rows` rows from the bytes of a file. Throws
/// core::Error, with `where` naming file and column, unless the bytes are exactly those rows.
void fill_column(models::Column& column, std::size_t rows, std::span<const std::byte> bytes,
                 std::string_view where);

} // namespace kilobragg::io
