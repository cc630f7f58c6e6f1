// .refl files: DIALS's msgpack reflection tables, version 1 written, 1 and 2 read.
#pragma once

#include "kilobragg/models/reflection_table.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace kilobragg::io {

/// Throws core::Error naming `name` on anything that is not a whole, consistent table.
models::ReflectionTable parse_reflections(std::span<const std::byte> bytes, const std::string& name);
models::ReflectionTable read_reflections(const std::string& path);

std::vector<std::byte> format_reflections(const models::ReflectionTable& table);
/// Writes to a temporary file beside `path` and renames it. Throws core::Error (disk full, ...).
void write_reflections(const models::ReflectionTable& table, const std::string& path);

} // namespace kilobragg::io
