// .refl files: DIALS's msgpack reflection tables, version 1 written, 1 and 2 read.
#pragma once

#include "kilobragg/models/reflection_table.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace kilobragg::io {

/// Throws core::Error naming `name` on anything that is not a whole, consistent table. Columns of
/// types that are not in models::Column (DIALS's "std::string") are left out.
models::ReflectionTable parse_reflections(std::span<const std::byte> bytes,
                                          const std::string& name);
models::ReflectionTable read_reflections(const std::string& path);

/// Throws core::Error when columns differ in length or one exceeds the format's 4 GiB - 1 bytes.
std::vector<std::byte> format_reflections(const models::ReflectionTable& table);
/// Writes to a temporary file beside `path` and renames it. Throws core::Error (disk full, ...).
void write_reflections(const models::ReflectionTable& table, const std::string& path);

/// Writes a table that comes in parts, without holding it: columns beyond 256 KiB wait in
/// unnamed files in the folder of `path`.
class ReflectionFileWriter {
public:
  explicit ReflectionFileWriter(const std::string& path);
  ~ReflectionFileWriter();
  ReflectionFileWriter(ReflectionFileWriter&&) noexcept;

  /// Appends rows; all parts must have the same columns. Values of the column "id" that are not
  /// negative and the keys of the identifiers are raised by `id_offset`. Throws core::Error.
  void append(const models::ReflectionTable& part, std::int32_t id_offset = 0);
  std::size_t rows() const;
  /// Puts the file together under its name. Without it nothing appears.
  void finish();

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace kilobragg::io
